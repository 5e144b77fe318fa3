"""A bound on the time of each call, all waiting included: in queues, for locks and for the server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import TypeVar

from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import track_writes
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
log = logging.getLogger(__name__)
# When the work for the current request ends, in the time of its event loop; None if it may take any time.
REQUEST_END: ContextVar[float | None] = ContextVar("REQUEST_END", default=None)


class TimeBound:
    """A block that is cancelled at `end`, in the time of the event loop, and raises `TimeoutError` then.

    It does what `asyncio.timeout_at` does, which takes three times as long, for every call to a store.
    """

    __slots__ = ("_cancelling", "_end", "_is_over", "_task", "_timer")

    def __init__(self, end: float) -> None:
        self._end = end

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling, self._is_over = task, task.cancelling(), False
        self._timer = asyncio.get_running_loop().call_at(self._end, self._cancel)

    def _cancel(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Who else has cancelled the task meanwhile wants it to end, and not only this block.
        if self._is_over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


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
            with TimeBound(end):
                return await proceed()
        except TimeoutError:
            log.warning(
                "%s: no answer to %s in time (at most %g s)", self._store, call.operation, self._deadline_s
            )
            raise Unavailable(f"The {self._store} does not answer.", is_outage=True) from None
