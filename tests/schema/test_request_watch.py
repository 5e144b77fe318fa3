"""What a request has loaded is freed when its work has ended, however it ended."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from schema.server.request_watch import RequestWatch
from tests.patience import BUSY_S


async def _wait_until_watched(watch: RequestWatch) -> None:
    async with asyncio.timeout(BUSY_S):
        while watch._watcher is None:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.005)


class Loaded:
    """Stands for what a request has loaded."""


@pytest.mark.parametrize("leaves", [True, False])
async def test_what_a_watched_request_has_loaded_needs_no_garbage_collection(leaves: bool) -> None:
    """Whether its client leaves, or it is watched for so long that somebody waits for its client."""
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def execute() -> None:
        loaded, watch = Loaded(), RequestWatch(receive, asyncio.get_running_loop().time() + BUSY_S, BUSY_S)
        references.append(weakref.ref(loaded))
        references.append(weakref.ref(watch))
        with watch:
            await _wait_until_watched(watch)
            if leaves:
                left.set()
                await asyncio.Event().wait()

    references: list[weakref.ref[Any]] = []
    gc.disable()
    try:
        await asyncio.gather(asyncio.create_task(execute()), return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()
