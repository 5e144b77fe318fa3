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
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVarTuple, Unpack

from resolvers.turns import CURRENT_TURN, Turn

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as Loop
else:
    from uvloop import Loop

Ts = TypeVarTuple("Ts")
TURN_S = 0.001  # of background work before the loop looks for other work
LONGEST_WAIT_S = 0.02  # of background work for the foreground: it gets a twentieth of a busy loop's time
LOOK_S = 0.001  # between two looks of a thread whether it still has to wait


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
        if turn is None or not turn.is_background:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        turn.defer(handle)
        return handle


class BackgroundQueue:
    """The callbacks of requests in the background, in their order.

    They wait while there are requests in the `foreground`, but not for long. Who leaves it calls `resume`.
    """

    def __init__(self) -> None:
        self.foreground: set[Turn] = set()
        self._handles: deque[asyncio.Handle] = deque()
        self._latest_start = 0.0
        self._is_scheduled = False
        self._waiting: asyncio.TimerHandle | None = None

    def append(self, handle: asyncio.Handle) -> None:
        self._handles.append(handle)
        if not self._is_scheduled:
            self._schedule()

    def resume(self) -> None:
        """Go on at once if nothing is in the foreground any more."""
        if self._waiting is not None and not self.foreground:
            self._waiting.cancel()
            self._waiting = None
            self._schedule()

    def pause_thread(self) -> None:
        """Wait in a thread that works in the background as long as the callbacks would."""
        latest_start = time.perf_counter() + LONGEST_WAIT_S
        while self.foreground and time.perf_counter() < latest_start:
            time.sleep(LOOK_S)

    def _schedule(self) -> None:
        self._latest_start = time.perf_counter() + LONGEST_WAIT_S
        # In a context without a turn, whoever appends: else the queue would wait for itself.
        asyncio.get_running_loop().call_soon(self._look_around, context=contextvars.Context())
        self._is_scheduled = True

    def _look_around(self) -> None:
        """Let the loop begin what has arrived meanwhile, which may be a request in the foreground."""
        asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        began = time.perf_counter()
        if self.foreground and began < self._latest_start:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(self._latest_start - began, self._work)
            return
        self._waiting = None
        while self._handles and time.perf_counter() < began + TURN_S:
            handle: Any = self._handles.popleft()
            if not handle.cancelled():
                handle._run()
        self._is_scheduled = False
        if self._handles:
            self._schedule()
