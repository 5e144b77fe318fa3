"""The end of a request's work: when its client leaves, or when its time is up."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context
from types import TracebackType

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from stores.contracts.errors import LimitExceeded
from stores.wrappers.deadline import REQUEST_END

FIRST_LOOK_S = 0.02  # most requests are over by then, and pay for no task that waits for their client
TIMER_STEP_S = 0.001  # by which a timer may be early


class FirstLooks:
    """Lets each watch that is open for `FIRST_LOOK_S` begin to look, with one timer for all of them.

    A timer of its own would take a request longer than all else that its watch does.
    """

    def __init__(self) -> None:
        self._watches: deque[RequestWatch] = deque()  # in the order in which they are due
        self._next_look = -math.inf

    def add(self, watch: "RequestWatch", due: float, loop: asyncio.AbstractEventLoop) -> None:
        watch.due = due
        self._watches.append(watch)
        if self._next_look <= due - FIRST_LOOK_S:
            self._schedule(due, loop)

    def _schedule(self, due: float, loop: asyncio.AbstractEventLoop) -> None:
        self._next_look = due
        loop.call_at(due, self._look, loop, context=Context())

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now, watches = loop.time() + TIMER_STEP_S, self._watches
        while watches and (watches[0].due <= now or not watches[0].is_open):
            watch = watches.popleft()
            if watch.is_open:
                watch.begin(loop)
        if watches and self._next_look <= now:
            self._schedule(watches[0].due, loop)


class RequestWatch(AbstractContextManager[None]):
    """Cancels the work of its block, a query, when the client leaves or at `end`, in the time of the loop.

    The block raises `ClientDisconnect` or `LimitExceeded` then. The calls to stores that it makes have no
    more time than is left. `receive` receives the messages of the client, whose request has been read to its
    end. `seconds` is the time that the request has altogether. Before it cancels the work, it calls
    `before_end`.
    """

    def __init__(
        self,
        receive: Receive,
        end: float,
        seconds: float,
        first_looks: FirstLooks,
        before_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._receive, self._end, self._seconds = receive, end, seconds
        self._first_looks, self.due = first_looks, 0.0
        self._before_end = before_end
        self._work: asyncio.Task[object] | None = None  # while the block is executed
        self._watcher: asyncio.Task[None] | None = None
        self._reason: Exception | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._work = asyncio.current_task()
        self._token = REQUEST_END.set(self._end)
        due = loop.time() + FIRST_LOOK_S
        if due < self._end:
            self._first_looks.add(self, due, loop)
        else:
            self.begin(loop)

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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

    @property
    def is_open(self) -> bool:
        """Whether the block is being executed."""
        return self._work is not None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look whether the client leaves. This is in no request's context, so that it is never deferred."""
        self._watcher = loop.create_task(self._watch(), context=Context())

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
