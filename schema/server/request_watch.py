"""The end of a request's work: when its client leaves, or when its time is up."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context
from types import TracebackType

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from stores.contracts.errors import LimitExceeded
from stores.wrappers.deadline import REQUEST_END

FIRST_LOOK_S = 0.02  # most requests are over by then, and pay for no task that waits for their client


class RequestWatch(AbstractContextManager[None]):
    """Cancels the work of its block, a query, when the client leaves or at `end`, in the time of the loop.

    The block raises `ClientDisconnect` or `LimitExceeded` then. The calls to stores that it makes have no
    more time than is left. `receive` receives the messages of the client, whose request has been read to its
    end. `seconds` is the time that the request has altogether. Before it cancels the work, it calls
    `before_end`.
    """

    def __init__(
        self, receive: Receive, end: float, seconds: float, before_end: Callable[[], None] = lambda: None
    ) -> None:
        self._receive, self._end, self._seconds = receive, end, seconds
        self._before_end = before_end
        self._watcher: asyncio.Task[None] | None = None
        self._reason: Exception | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._work = asyncio.current_task()
        self._token = REQUEST_END.set(self._end)
        first_look = min(loop.time() + FIRST_LOOK_S, self._end)
        # In a context without the turn of the request, which may be in the background.
        self._timer = loop.call_at(first_look, self._begin, loop, context=Context())

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None  # its exception has frames that lead to this object: a reference cycle
        REQUEST_END.reset(self._token)
        reason, self._reason = self._reason, None
        work, self._work = self._work, None
        if reason is None:
            return
        assert work is not None
        if work.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
            try:
                raise reason from None
            finally:
                del reason, work  # the frames of an error lead to all that was loaded, and not back to it

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watcher = loop.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout_at(self._end):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            self._reason = LimitExceeded(
                "request_seconds", self._seconds, advice="Request less, or in several requests."
            )
        else:
            self._reason = ClientDisconnect()
        assert self._work is not None
        self._before_end()
        self._work.cancel()
