"""Calls to a store as operators see them: counted and timed, and spans of the traces of requests."""

from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind

from stores.contracts.errors import GatewayError
from stores.contracts.request_record import CURRENT_REQUEST, RequestRecord, trace
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
# With the name of the store, the kind of call, and "OK" or the code of its failure; and its seconds.
Observe = Callable[[tuple[str, str, str], float], None]


class ObservedCalls(Interceptor):
    """Reports each call to a store. `system` is what OpenTelemetry calls the database system."""

    def __init__(self, store: str, system: str, observe: Observe) -> None:
        self._store, self._system, self._observe = store, system, observe

    def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        record = CURRENT_REQUEST.get()
        if record is None or record.tracer is None:
            return self._time(call, proceed, record)
        return self._trace(call, proceed, record)

    async def _trace(self, call: StoreCall, proceed: Callable[[], Awaitable[T]], record: RequestRecord) -> T:
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
            self._observe((self._store, call.operation, code), seconds)
            if record is not None:
                record.add_call(self._store, seconds)
