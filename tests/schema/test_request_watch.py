"""What a request has loaded is freed when its work has ended, however it ended."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from schema.server.bodies import BadRequest
from schema.server.ingest_reading import BodyReader
from schema.server.request_watch import FirstLooks, RequestWatch
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
        loaded, end = Loaded(), asyncio.get_running_loop().time() + BUSY_S
        watch = RequestWatch(receive, end, BUSY_S, FirstLooks())
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


async def test_watches_share_their_timers_and_each_sees_its_client_leave() -> None:
    left, looks, cancelled = asyncio.Event(), FirstLooks(), list[int]()
    loop = asyncio.get_running_loop()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def execute(number: int) -> None:
        with suppress(ClientDisconnect), RequestWatch(receive, loop.time() + BUSY_S, BUSY_S, looks):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise

    with RequestWatch(receive, loop.time() + BUSY_S, BUSY_S, looks):
        await asyncio.sleep(0)  # a request that is over before the first look
    works = []
    for number in range(50):
        works.append(asyncio.create_task(execute(number)))
        await asyncio.sleep(0.001)
    left.set()
    async with asyncio.timeout(BUSY_S):
        await asyncio.gather(*works)
    assert sorted(cancelled) == list(range(50))
    assert not looks._watches


async def test_a_body_that_is_rejected_needs_no_garbage_collection() -> None:
    """Its error leads to the frames of the parser, and so to what was decompressed."""
    rejections: list[weakref.ref[BadRequest]] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    def reject() -> None:
        error = BadRequest(400, "rejected")
        rejections.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        parser, request = ThreadPoolExecutor(1), Request({"type": "http"}, receive)
        with BodyReader(parser, request, 1, 1) as reader, suppress(BadRequest):
            await reader.run(reject)
        parser.shutdown()
        await asyncio.sleep(0)
        assert rejections[0]() is None
    finally:
        gc.enable()
