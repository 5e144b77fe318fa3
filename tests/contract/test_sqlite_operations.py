"""Operations over several documents on the embedded store: whole after every kill and interleaving."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import Document, IdempotencyKey
from stores.contracts.errors import Conflict, Unavailable
from stores.entities.devices import Device
from stores.opening import open_documents
from tests.contract.changing_plant import (
    APPLICATIONS,
    check,
    choose_action,
    create_application,
    guard,
    run_action,
    set_event_classes,
)


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncIterator[list[DocumentDatabase]]:
    """One database through two stores, as two processes have them open."""
    stores = [open_documents(None, data=tmp_path, deadline=60) for _ in range(2)]
    yield [store.database("t") for store in stores]
    for store in stores:
        await store.close()


async def _interleave(gateways: list[DocumentDatabase], numbers: random.Random, rounds: int) -> None:
    await create_application(gateways[0], APPLICATIONS[0])
    for _ in range(rounds):
        actions = [choose_action(numbers.choice(gateways), numbers) for _ in range(numbers.randint(2, 6))]
        await asyncio.gather(*map(run_action, actions))
        await check(gateways[0])


async def test_interleaved_operations_leave_a_whole_state(
    gateways: list[DocumentDatabase], seeded_random: random.Random
) -> None:
    await _interleave(gateways, seeded_random, 40)


@pytest.mark.long
async def test_ten_thousand_interleavings_leave_a_whole_state(
    gateways: list[DocumentDatabase], seeded_random: random.Random
) -> None:
    await _interleave(gateways, seeded_random, 10_000)


async def test_of_eight_sets_at_once_one_is_stored(gateways: list[DocumentDatabase]) -> None:
    await create_application(gateways[0], "cnc")
    await asyncio.gather(*(set_event_classes(gateways[i % 2], "cnc", f"set{i}") for i in range(8)))
    await check(gateways[0])


async def test_cancelled_calls_leave_a_consistent_state(
    gateways: list[DocumentDatabase], seeded_random: random.Random
) -> None:
    await create_application(gateways[0], APPLICATIONS[0])
    for _ in range(50):
        calls = [
            asyncio.ensure_future(run_action(choose_action(seeded_random.choice(gateways), seeded_random)))
            for _ in range(4)
        ]
        for _ in range(seeded_random.randrange(6)):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await check(gateways[0])


async def test_a_key_makes_a_creation_happen_once_between_processes(gateways: list[DocumentDatabase]) -> None:
    await create_application(gateways[0], "cnc")
    devices = Device.collection_of("cnc")

    async def create(gateway: DocumentDatabase, number: int, fingerprint: str = "same") -> Document:
        device: Document = {"_id": f"d{number}", "machineId": f"M{number}"}
        return await gateway.insert(
            devices, device, guard=guard("cnc"), idempotency=IdempotencyKey("key", fingerprint)
        )

    results = await asyncio.gather(*(create(gateways[i % 2], i) for i in range(10)))
    assert len({result["_id"] for result in results}) == 1
    assert await gateways[0].count([devices]) == [1]
    with pytest.raises(Conflict):
        await create(gateways[1], 11, "other")


async def test_a_caller_that_gave_up_learns_that_its_write_did_not_happen(tmp_path: Path) -> None:
    holder, store = open_documents(None, data=tmp_path), open_documents(None, data=tmp_path, deadline=0.3)
    devices = Device.collection_of("cnc")
    release, is_holding = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(db: object) -> None:
        loop.call_soon_threadsafe(is_holding.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    # The store inside of the deadline's wrapper holds the lock of the file for writing.
    holding = asyncio.create_task(holder._store.write(hold))  # type: ignore[attr-defined]  # of SQLite only
    await is_holding.wait()
    with pytest.raises(Unavailable) as raised:
        await store.database("t").insert(devices, {"_id": 1, "machineId": "A"})
    assert raised.value.extensions["outcome"] == "NOT_APPLIED"
    release.set()
    await holding
    assert await store.database("t").count([devices]) == [0]
    await store.close()
    await holder.close()


def _kill_while_it_works(url: str, numbers: random.Random) -> None:
    command = [sys.executable, "-m", "tests.contract.changing_plant", url, "t", str(numbers.random())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == "ready\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.wait(numbers.uniform(0.0, 0.4))
        os.kill(gateway.pid, signal.SIGKILL)


async def _kill(folder: Path, numbers: random.Random, times: int) -> None:
    """Kill gateways one after the other on the same file."""
    url = f"sqlite:///{folder}/documents.db"
    for _ in range(times):
        await asyncio.to_thread(_kill_while_it_works, url, numbers)
        store = open_documents(url, data=None, deadline=60)
        await check(store.database("t"))
        await store.close()


@pytest.mark.slow
async def test_a_gateway_that_is_killed_leaves_a_whole_state(
    tmp_path: Path, seeded_random: random.Random
) -> None:
    await _kill(tmp_path, seeded_random, 3)


@pytest.mark.long
async def test_two_hundred_kills_leave_a_whole_state(tmp_path: Path, seeded_random: random.Random) -> None:
    await _kill(tmp_path, seeded_random, 200)
