"""Ending background tasks."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 1.0


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended, with whatever result.

    One cancellation may be lost: `asyncio.wait_for` before Python 3.12, which drivers use, returns a result
    that comes at the same time instead. So each task is cancelled every `AGAIN_S` seconds until it ends.
    """
    ending = list(tasks)
    pending = {task for task in ending if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*ending, return_exceptions=True)  # so that no exception counts as never retrieved
