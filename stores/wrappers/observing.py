"""Calls to a store as operators see them: counted and timed, and spans of the traces of requests."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar

from opentelemetry.trace import SpanKind

from stores.contracts.errors import GatewayError
from stores.contracts.request_record import CURRENT_REQUEST, RequestRecord, trace
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
# With the name of the store, the kind of call, its seconds, and "OK" or the code of its failure.
Observe = Callable[[str, str, float, str], None]


class ObservedCalls(Interceptor):
    """Reports each call to a store. `system` is what OpenTelemetry calls the database system."""

    def __init__(self, store: str, system: str, observe: Observe) -> None:
        self._store, self._system, self._observe = store, system, observe

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        record = CURRENT_REQUEST.get()
        if record is None or record.tracer is None:
            return await self._time(call, proceed, record)
        with trace(
            str(call),
            SpanKind.CLIENT,
            db__system__name=self._system,
            db__operation__name=call.operation,
            db__collection__name=call.subject,
        ):
            return await self._time(call, proceed, record)

    async def _time(
        self, call: StoreCall, proceed: Callable[[], Awaitable[T]], record: RequestRecord | None
    ) -> T:
        began, code = perf_counter(), "INTERNAL"
        try:
            result = await proceed()
            code = "OK"
            return result
        except GatewayError as error:
            code = error.code
            raise
        finally:
            seconds = perf_counter() - began
            self._observe(self._store, call.operation, seconds, code)
            if record is not None:
                record.add_call(self._store, seconds)
