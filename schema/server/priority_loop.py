"""An event loop that does the work of expensive requests while no cheap request is executed.

Event loops call what is ready in the order in which it became ready. A cheap request that takes ten turns of
the loop would then wait ten times for a slice of each expensive one. Here the callbacks of expensive requests
have a queue of their own, which is worked off in short turns: two classes of priority, as schedulers of
operating systems have them, with a share that the lower one always gets.
"""

import asyncio
import contextvars
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVarTuple, Unpack

from resolvers.turns import Turn

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as Loop
else:
    from uvloop import Loop

Ts = TypeVarTuple("Ts")
TURN_S = 0.001  # of background work before the loop looks for other work
LONGEST_WAIT_S = 0.02  # of background work for the foreground: it gets a twentieth of a busy loop's time
QUIET_S = 0.1  # without a step of the foreground, which waits for a slow store or for the background then
LOOK_S = 0.002  # between two looks whether the background still has to wait


class QueuedTurn(Turn, ABC):
    """The turn of a request whose callbacks the event loop counts, or leaves to it."""

    @abstractmethod
    def count_step(self) -> None:
        """Note that the request, which is in the foreground, has something to do in this turn of the loop."""

    @abstractmethod
    def defer(self, handle: asyncio.Handle) -> None:
        """Take a callback of the request, which is in the background, to be called later."""


CURRENT_TURN: ContextVar[QueuedTurn | None] = ContextVar("current_turn", default=None)


class PriorityLoop(Loop):
    """Defers the callbacks of a request whose turn is in the background.

    Whatever a task of such a request waits for, the task goes on when the queue of its turn comes to it. The
    current turn is a context variable, which the tasks of a request inherit.
    """

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        turn = CURRENT_TURN.get() if context is None else context.get(CURRENT_TURN)
        if turn is None:
            return super().call_soon(callback, *args, context=context)
        if not turn.is_background:
            turn.count_step()
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        turn.defer(handle)
        return handle


class BackgroundQueue:
    """The callbacks of requests in the background. The requests take turns, however many callbacks each has.

    They wait while there are requests in the `foreground` that have something to do, but not for long.
    `steps` counts the callbacks of the foreground.
    """

    def __init__(self) -> None:
        self.foreground: set[Turn] = set()
        self.steps = 0
        self._handles: dict[Turn, deque[asyncio.Handle]] = {}
        self._wait = _Wait(self)
        self._is_scheduled = False
        self._next_look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._handles.values()))

    def append(self, turn: Turn, handle: asyncio.Handle) -> None:
        handles = self._handles.get(turn)
        if handles is None:
            handles = self._handles[turn] = deque()
        handles.append(handle)
        if not self._is_scheduled:
            self._wait = _Wait(self)
            self._schedule()

    def leave_foreground(self, turn: Turn) -> None:
        """Remove a request from the foreground. If it is empty then, the background goes on at once."""
        self.foreground.discard(turn)
        if self._next_look is not None and not self.foreground:
            self._next_look.cancel()
            self._next_look = None
            self._schedule()

    def release(self, turn: Turn) -> None:
        """Do at once what waits of one request, which is not in the background any more."""
        for handle in self._handles.pop(turn, ()):
            asyncio.get_running_loop().call_soon(_call, handle, context=contextvars.Context())

    def pause_thread(self) -> None:
        """Wait in a thread that works in the background as long as the callbacks would."""
        wait = _Wait(self)
        while not wait.is_over():
            time.sleep(LOOK_S)

    def _schedule(self) -> None:
        # In a context without a turn, whoever appends: else the queue would wait for itself.
        asyncio.get_running_loop().call_soon(self._look_around, context=contextvars.Context())
        self._is_scheduled = True

    def _look_around(self) -> None:
        """Let the loop begin what has arrived meanwhile, which may be a request in the foreground."""
        asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._next_look = None
        if not self._wait.is_over():
            self._next_look = asyncio.get_running_loop().call_later(LOOK_S, self._work)
            return
        end = time.perf_counter() + TURN_S
        try:
            while self._handles and time.perf_counter() < end:
                self._work_for_next(end)
        finally:  # a callback may end the loop
            self._is_scheduled = False
            if self._handles:
                self._wait.begin_again()
                self._schedule()

    def _work_for_next(self, end: float) -> None:
        """Call what waits of the request whose turn it is; what is left waits until the others had theirs."""
        turn, handles = next(iter(self._handles.items()))
        try:
            while handles and time.perf_counter() < end:
                _call(handles.popleft())
        finally:
            if self._handles.get(turn) is handles:  # it was not released meanwhile
                del self._handles[turn]
                if handles:
                    self._handles[turn] = handles


class _Wait:
    """How long the background waits for the foreground: while that has something to do, but not for long."""

    def __init__(self, queue: BackgroundQueue) -> None:
        self._queue = queue
        self._steps, self._last_step = queue.steps, time.perf_counter()
        self.begin_again()

    def begin_again(self) -> None:
        self._latest_end = time.perf_counter() + LONGEST_WAIT_S

    def is_over(self) -> bool:
        now = time.perf_counter()
        if self._steps != self._queue.steps:
            self._steps, self._last_step = self._queue.steps, now
        return not self._queue.foreground or now >= min(self._latest_end, self._last_step + QUIET_S)


def _call(handle: Any) -> None:
    if not handle.cancelled():
        handle._run()
