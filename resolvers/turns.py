"""When the work for a request begins, pauses and ends, as whoever executes it has to ask."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
THREAD_ITEMS = 2_000  # that are computed at once; more take longer than other requests should wait


class Turn:
    """The turn of one request to be executed. This one begins at once and nobody ends it.

    While it `is_background`, the event loop of a server does what the request has to do after other work.
    """

    is_background: bool = False

    def go_to_background(self) -> None:
        """From now on, do the work of the request while no request in the foreground has any."""

    def leave_background(self) -> None:
        """From now on, do the work of the request at once: only what ends it is left."""

    def go_to_foreground(self) -> None:
        """From now on, let the background wait for the request."""

    async def begin(self, *, is_expensive: bool) -> None:
        """Wait until the request may be executed. Raises `LimitExceeded` if too many others wait."""

    async def become_expensive(self) -> None:
        """Go on among the expensive requests: this one turned out to be one. Raises as `begin` does."""

    def detach(self) -> None:
        """From now on neither the client nor the time of the request ends the work, which others share."""

    def end(self) -> None:
        """Let another request begin. Call it once after `begin`."""

    def watch(self) -> AbstractContextManager[None]:
        """A block of work that ends when the client leaves or the time is up. Its writes would be cut off."""
        return nullcontext()

    @property
    def is_long(self) -> bool:
        """Whether the request has taken so long that its answer may be long."""
        return True

    async def pause(self) -> None:
        """Let other requests work: call it between two slices of long work."""
        await asyncio.sleep(0)

    def close(self) -> None:
        """The request is answered: no work in the background waits for it any more."""

    def pause_thread(self) -> None:
        """As `pause`, in a thread that works for the request."""

    def adopt_task(self) -> None:
        """What the current task does from now on, with the tasks that it begins, is work for the request."""

    def release_task(self) -> None:
        """What the current task does from now on is not work for the request."""


FREE_TURN = Turn()
THREAD_TURN_S = 0.002  # of a thread, before it looks whether others should work


class Unwanted(Exception):
    """Nobody waits for the work of a thread any more."""


class ThreadPauses:
    """The pauses of a thread that works for a request. Call it often: between two pauses it costs nothing.

    When the work `is_abandoned`, the next pause raises `Unwanted`.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn, self._resumed = turn, perf_counter()
        self.is_abandoned = False

    def __call__(self) -> None:
        if perf_counter() - self._resumed > THREAD_TURN_S:
            self._turn.pause_thread()
            if self.is_abandoned:
                raise Unwanted
            self._resumed = perf_counter()


async def compute(work: Callable[[], T], count: int) -> T:
    """Return the result of work on `count` items. If they are many, a thread does it."""
    return await asyncio.to_thread(work) if count > THREAD_ITEMS else work()


def begin_to_compute(work: Callable[[], T], count: int) -> T | Awaitable[T]:
    """As `compute`, but if a thread does the work, return an awaitable."""
    return asyncio.to_thread(work) if count > THREAD_ITEMS else work()
