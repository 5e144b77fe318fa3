"""A bound on the time of each call, all waiting included: in queues, for locks and for the server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import track_writes
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
log = logging.getLogger(__name__)
# When the work for the current request ends, in the time of its event loop; None if it may take any time.
REQUEST_END: ContextVar[float | None] = ContextVar("REQUEST_END", default=None)


class Deadline(Interceptor):
    """Cancels a call after `deadline_s` seconds, or when its request ends, and raises `Unavailable`.

    A backend has no clock of its own: it stops its work when it is cancelled. `store` names the store in
    messages. The error of a write says in `extensions["outcome"]` whether it may have been applied.
    """

    def __init__(self, store: str, deadline_s: float) -> None:
        self._store, self._deadline_s = store, deadline_s

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if not call.is_write:
            return await self._run_within(call, proceed)
        with track_writes() as writes:
            try:
                return await self._run_within(call, proceed)
            except Unavailable as error:
                error.extensions.setdefault("outcome", writes.outcome)
                raise

    async def _run_within(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        end = asyncio.get_running_loop().time() + self._deadline_s
        request_end = REQUEST_END.get()
        if request_end is not None and request_end < end:
            end = request_end
        try:
            async with asyncio.timeout_at(end):
                return await proceed()
        except TimeoutError:
            log.warning(
                "%s: no answer to %s in time (at most %g s)", self._store, call.operation, self._deadline_s
            )
            raise Unavailable(f"The {self._store} does not answer.", is_outage=True) from None
