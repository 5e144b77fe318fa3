"""Busy machines fail no test: calls that have to succeed have time, or are repeated."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.contracts.errors import Unavailable

T = TypeVar("T")
BUSY_S = 60.0  # the deadline of stores whose calls have to succeed
PAUSE_S = 0.05


async def repeat_until_available(call: Callable[[], Awaitable[T]]) -> T:
    """The result of a call, which may exceed its deadline on a server that has just started."""
    async with asyncio.timeout(BUSY_S):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
