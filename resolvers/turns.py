"""When the work for a request begins, pauses and ends, as whoever executes it has to ask."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

T = TypeVar("T")
THREAD_ITEMS = 2_000  # that are computed at once; more take longer than other requests should wait


class Turn:
    """The turn of one request to be executed. This one begins at once and nobody ends it."""

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

    async def give_way(self) -> None:
        """Let cheap requests work first: call it before a piece of work for an expensive one."""
        await asyncio.sleep(0)


FREE_TURN = Turn()


async def compute(work: Callable[[], T], count: int) -> T:
    """Return the result of work on `count` items. If they are many, a thread does it."""
    return await asyncio.to_thread(work) if count > THREAD_ITEMS else work()


def begin_to_compute(work: Callable[[], T], count: int) -> T | Awaitable[T]:
    """As `compute`, but if a thread does the work, return an awaitable."""
    return asyncio.to_thread(work) if count > THREAD_ITEMS else work()
