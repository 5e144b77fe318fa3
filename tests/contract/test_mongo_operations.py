"""Operations over several documents on MongoDB: whole after every crash, failure and interleaving."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stores.backends.mongo.connection import Command, MongoConnection
from stores.backends.mongo.documents import MongoDocumentStore
from stores.backends.mongo.locks import HELD
from stores.backends.mongo.operations import OPERATIONS
from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import CreateCollections
from stores.contracts.errors import Conflict, Unavailable
from stores.entities.devices import Device
from tests.contract.changing_plant import (
    APPLICATIONS,
    check,
    choose_action,
    create_application,
    create_device,
    delete_application,
    run_action,
    set_event_classes,
)
from tests.servers import Server


def _make_url(server: Server) -> str:
    """A deployment that has recorded nothing yet."""
    return f"{server.url}/default-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def url(mongodb_server: Server) -> str:
    return _make_url(mongodb_server)


@pytest.fixture
async def gateways(url: str) -> AsyncIterator[list[DocumentDatabase]]:
    """One database through three gateways."""
    stores = [MongoDocumentStore(url) for _ in range(3)]
    name = f"t-{uuid.uuid4().hex[:12]}"
    yield [store.database(name) for store in stores]
    for store in stores:
        await store.close()


async def _interleave(gateways: list[DocumentDatabase], numbers: random.Random, rounds: int) -> None:
    await create_application(gateways[0], APPLICATIONS[0])
    for _ in range(rounds):
        actions = [choose_action(numbers.choice(gateways), numbers) for _ in range(numbers.randint(2, 6))]
        results = await asyncio.gather(*map(run_action, actions), return_exceptions=True)
        failures = [result for result in results if result is not None]
        # The tests' MongoDB fails now and then where a collection is dropped while it is read.
        assert all(isinstance(failure, Unavailable) for failure in failures), failures
        if failures:
            await gateways[0].write_all([CreateCollections([])])  # which finishes what was cut off
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
    sets = (set_event_classes(gateways[i % 3], "cnc", f"set{i}") for i in range(8))
    await asyncio.gather(*sets)
    await check(gateways[0])


class Crash(BaseException):
    """The process ends here."""


class CrashingStore(MongoDocumentStore):
    """A gateway that dies before, or right after, its n-th command."""

    def __init__(self, url: str, commands: int, *, after: bool) -> None:
        super().__init__(url)
        self.commands, self._after = commands, after

    def command(self, *, is_write: bool = False) -> Command:
        return CrashingCommand(self, is_write)

    async def close(self) -> None:
        for close in (self.recovery.close, self.locks.close):
            with contextlib.suppress(Crash):
                await close()
        await MongoConnection.close(self)

    def is_dead(self, *, before: bool) -> bool:
        if before:
            self.commands -= 1
        return self.commands < 0 or (self.commands == 0 and self._after is not before)


class CrashingCommand(Command):
    __slots__ = ("_store",)

    def __init__(self, store: CrashingStore, is_write: bool) -> None:
        super().__init__(store, is_write)
        self._store = store

    async def __aenter__(self) -> None:
        if self._store.is_dead(before=True):
            raise Crash
        await super().__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        await super().__aexit__(*raised)
        if self._store.is_dead(before=False):
            raise Crash


async def _crash(url: str, database: str, action: Any, commands: int, *, after: bool) -> bool:
    """Run an action on a gateway that dies; False if the action had ended before that."""
    store = CrashingStore(url, commands, after=after)
    try:
        await run_action(lambda: action(store.database(database)))
    except Crash:
        return True
    finally:
        HELD.clear()  # as if it was another process, which is dead
        await store.close()
    return False


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "action",
    [
        lambda documents: set_event_classes(documents, "cnc", "new"),
        lambda documents: delete_application(documents, "cnc"),
        lambda documents: delete_application(documents, "linea.3"),
        lambda documents: create_application(documents, "other"),
    ],
    ids=["set event classes", "delete", "delete a name with a dot", "create"],
)
async def test_an_operation_that_dies_at_any_command_is_whole_afterwards(
    mongodb_server: Server, action: Any, after: bool
) -> None:
    commands = 0
    while True:
        # Every start sweeps what is recorded: of one deployment, more with each command.
        url, database = _make_url(mongodb_server), f"t-{uuid.uuid4().hex[:12]}"
        store = MongoDocumentStore(url)
        documents = store.database(database)
        for application in APPLICATIONS:
            await create_application(documents, application)
            await set_event_classes(documents, application, "old")
            await create_device(documents, application, "M0")
        crashed = await _crash(url, database, action, commands, after=after)
        next_store = MongoDocumentStore(url)
        await check(next_store.database(database))
        assert "sync_gateway" not in str(await next_store.database(next_store.default).list_collections())
        await next_store.close()
        await store.close()
        if not crashed:
            assert commands > 3
            return
        commands += 1


async def test_an_orphan_of_a_creator_that_died_is_deleted_with_the_next_operation(url: str) -> None:
    store = MongoDocumentStore(url)
    documents = store.database("t")
    await create_application(documents, "cnc")
    await delete_application(documents, "cnc")
    await documents.insert(Device.collection_of("cnc"), {"_id": 1, "machineId": "M"})  # without its check
    await create_application(documents, "cnc")
    assert await documents.count([Device.collection_of("cnc")]) == [0]
    await create_device(documents, "cnc", "M")
    await create_application(documents, "other")  # sweeps nothing that was created again
    assert await documents.count([Device.collection_of("cnc")]) == [1]
    await store.client.drop_database("t")
    await store.close()


async def test_a_running_gateway_finishes_what_another_left(url: str) -> None:
    store = MongoDocumentStore(url)
    documents = store.database("left")
    for application in APPLICATIONS:
        await create_application(documents, application)
    assert await _crash(url, "left", lambda d: delete_application(d, "cnc"), 9, after=True)
    operations = store.collection(store.default, OPERATIONS)
    assert await operations.count_documents({}) == 1
    await store.recovery.run()
    assert await operations.count_documents({"sweep_at": None}) == 0
    await check(documents)
    await store.client.drop_database("left")
    await store.close()


def _kill_while_it_works(url: str, database: str, numbers: random.Random) -> None:
    command = [sys.executable, "-m", "tests.contract.changing_plant", url, database, str(numbers.random())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == "ready\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.wait(numbers.uniform(0.0, 0.4))
        os.kill(gateway.pid, signal.SIGKILL)


async def _check_after_restarts(url: str, database: str, restarts: int = 20) -> None:
    """The server may still apply commands that the killed gateway has sent, after the next one has started.

    What these leave is swept at a later start, or by a gateway that runs.
    """
    for restart in range(restarts):
        store = MongoDocumentStore(url)
        try:
            await check(store.database(database))
        except AssertionError:
            if restart == restarts - 1:
                raise
        else:
            await store.client.drop_database(database)
            return
        finally:
            await store.close()


async def _kill(url: str, numbers: random.Random, times: int) -> None:
    for _ in range(times):
        database = f"t-{uuid.uuid4().hex[:12]}"
        await asyncio.to_thread(_kill_while_it_works, url, database, numbers)
        await _check_after_restarts(url, database)


async def test_a_gateway_that_is_killed_leaves_a_whole_state(url: str, seeded_random: random.Random) -> None:
    await _kill(url, seeded_random, 3)


@pytest.mark.long
async def test_two_hundred_kills_leave_a_whole_state(url: str, seeded_random: random.Random) -> None:
    await _kill(url, seeded_random, 200)


async def test_two_gateways_never_store_one_key_twice(gateways: list[DocumentDatabase]) -> None:
    devices = Device.collection_of("cnc")
    for number in range(30):
        spellings: list[dict[str, Any]] = [{"machineId": f"{number}"}, {"machine_id": f"{number}"}]
        keys = [*spellings, {"machineId": number}]
        inserts = (
            gateway.insert(devices, {"_id": f"{number}-{i}", **keys[i]}) for i, gateway in enumerate(gateways)
        )
        results = await asyncio.gather(*inserts, return_exceptions=True)
        assert sum(isinstance(result, dict) for result in results) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 2
    assert await gateways[0].count([devices]) == [30]


async def test_unique_keys_hold_without_an_index_and_it_is_created_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoDocumentStore(url)
    documents, devices = store.database("indexes"), Device.collection_of("cnc")
    await documents.insert(devices, {"_id": 1, "machineId": "A"})
    target = store.collection("indexes", devices.name)
    await target.drop_indexes()
    with pytest.raises(Conflict):
        await documents.insert(devices, {"_id": 2, "machine_id": "A"})
    monkeypatch.setattr("stores.backends.mongo.uniqueness.INDEX_CHECK_S", 0.0)
    await documents.insert(devices, {"_id": 3, "machineId": "B"})
    assert {"machineId_1", "machine_id_1"} <= set(await target.index_information())
    await target.insert_one({"_id": 4, "machineId": "C"})  # by the old system
    with pytest.raises(Conflict):
        await documents.insert(devices, {"_id": 5, "machine_id": "C"})
    await store.client.drop_database("indexes")
    await store.close()
