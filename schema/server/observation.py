"""What is recorded of each operation: metrics, and a line of the log if it was slow."""

import logging

from resolvers.context import Context
from schema.engine.results import OperationResult
from schema.server.instruments import Instruments
from stores.contracts.request_record import CURRENT_REQUEST

log = logging.getLogger("slow")
UNNAMED = "(unnamed)"


class Observation:
    """Records operations. Those that take `slow_seconds` or longer are logged; None logs none."""

    def __init__(self, instruments: Instruments, slow_seconds: float | None) -> None:
        self._instruments, self._slow_seconds = instruments, slow_seconds

    def record(self, context: Context, result: OperationResult, seconds: float) -> None:
        """Record an operation that has ended."""
        name = result.operation or UNNAMED
        code = result.errors[0].get("extensions", {}).get("code", "GRAPHQL") if result.errors else "OK"
        role = context.viewer.grant.role
        self._instruments.count_operation(name, role.name.lower() if role else "none", code, seconds)
        if self._slow_seconds is not None and seconds >= self._slow_seconds:
            self._log_slow(name, code, seconds, context)

    def _log_slow(self, name: str, code: str, seconds: float, context: Context) -> None:
        record, cost = CURRENT_REQUEST.get(), context.meter.actual
        split = {
            store: {"calls": use.calls, "seconds": round(use.seconds, 3)}
            for store, use in (record.stores if record is not None else {}).items()
        }
        log.warning(
            "a slow operation",
            extra={
                "operation": name,
                "code": code,
                "seconds": round(seconds, 3),
                "subject": context.viewer.grant.subject,
                "stores": split,
                "cost": cost._asdict(),
            },
        )
