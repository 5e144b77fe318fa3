"""Background tasks end on request."""

import asyncio

import pytest

from stores.contracts import tasks


async def test_a_task_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    lost = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            lost.set()
        await asyncio.sleep(3600)

    async def fail() -> None:
        raise ZeroDivisionError

    running = [asyncio.create_task(work()), asyncio.create_task(fail())]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await tasks.end_tasks(running)
    assert lost.is_set()
    assert running[0].cancelled()
    await tasks.end_tasks([])
