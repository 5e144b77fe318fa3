"""The background tasks of the application: restarted if they fail, and awaited when they are cancelled."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from stores.contracts.tasks import end_tasks

log = logging.getLogger(__name__)
RESTART_S = 60.0
Work = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def run_in_background(tasks: Mapping[str, Work]) -> AsyncIterator[None]:
    """Run tasks by name while the context lasts; they have ended when it is left."""
    running = [asyncio.create_task(_supervise(name, work), name=name) for name, work in tasks.items()]
    try:
        yield
    finally:
        await end_tasks(running)


async def _supervise(name: str, work: Work) -> None:
    while True:
        try:
            return await work()
        except Exception:  # the outermost boundary of a background task
            log.exception("the background task %r failed; it is started again in %g s", name, RESTART_S)
        await asyncio.sleep(RESTART_S)
