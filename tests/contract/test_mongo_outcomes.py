"""What a caller learns about a write to MongoDB that failed: whether it may have been applied."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from stores.backends.mongo import connection
from stores.backends.mongo.locks import HELD
from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import (
    Change,
    Condition,
    CreateCollections,
    Exists,
    IdempotencyKey,
    Query,
    UpdateOne,
    Write,
    equals,
)
from stores.contracts.errors import Unavailable
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents
from tests.closing import closing
from tests.patience import repeat_until_available
from tests.servers import Server
from tests.servers.process import free_port
from tests.servers.proxy import Cut, Rewrite, proxy

DEVICES, CONFIG = Device.collection_of("cnc"), Organization.collection_of()
RENAME = Change(set={("machineId",): "renamed"})  # which takes the same steps as an insertion
HANGS_S = 30.0  # whatever takes this long has no deadline


class Line:
    """Connections of which one is cut, when the command `command` to the collection `collection` passes it.

    That is before the server has seen it or, if `reply_is_lost`, before its reply reaches the client.
    """

    def __init__(self, command: str, collection: str, *, reply_is_lost: bool) -> None:
        name = collection.encode() + b"\0"
        self._pattern = b"\2" + command.encode() + b"\0" + len(name).to_bytes(4, "little") + name
        self._reply_is_lost = reply_is_lost
        self.is_armed = False

    def accept(self) -> Rewrite:
        """Return what passes a new connection. Other replies, as of the release of a lock, pass others."""
        has_passed = False

        def change(data: bytes, is_client: bool) -> bytes:
            nonlocal has_passed
            if has_passed and not is_client:
                raise Cut
            if self.is_armed and is_client and self._pattern in data:
                self.is_armed = False
                if not self._reply_is_lost:
                    raise Cut
                has_passed = True
            return data

        return change


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
@pytest.mark.parametrize("reply_is_lost", [False, True])
async def test_a_creation_whose_reply_is_lost_is_found_by_its_repetition(
    mongodb_server: Server, tmp_path: Path, driver: Any, reply_is_lost: bool
) -> None:
    line = Line("insert", DEVICES.name, reply_is_lost=reply_is_lost)
    async with proxy(mongodb_server.url, line.accept) as url:
        default = f"default-{uuid.uuid4().hex[:8]}"
        async with closing(open_documents(f"{url}/{default}", data=tmp_path, driver=driver)) as store:
            documents = store.database(f"t-{uuid.uuid4().hex[:8]}")
            await documents.insert(DEVICES, {"_id": 1, "machineId": "first"})
            line.is_armed = True
            repetition = IdempotencyKey("key", "input")
            with pytest.raises(Unavailable) as raised:
                await documents.insert(DEVICES, {"_id": 2, "machineId": "lost"}, idempotency=repetition)
            assert raised.value.extensions["outcome"] == "UNKNOWN"
            # Another one has to wait until the lost write cannot arrive any more, its repetition has not.
            stored = await documents.insert(DEVICES, {"_id": 3, "machineId": "lost"}, idempotency=repetition)
            assert stored == {"_id": 2, "machineId": "lost"}
            assert await documents.count([DEVICES]) == [2]


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_an_application_whose_creation_is_cut_is_finished(
    mongodb_server: Server, tmp_path: Path, driver: Any
) -> None:
    """Its second command is the creation of the collections."""
    line = Line("create", DEVICES.name, reply_is_lost=False)
    async with proxy(mongodb_server.url, line.accept) as url:
        default = f"{url}/default-{uuid.uuid4().hex[:8]}"
        async with closing(open_documents(default, data=tmp_path, driver=driver)) as store:
            name = f"t-{uuid.uuid4().hex[:8]}"
            documents = store.database(name)
            entry = {"_id": 1, "key": "applications", "value": {"applicationSettings": {}}}
            path = ("value", "applicationSettings", "cnc")
            where: list[Condition] = [equals("key", "applications"), Exists(path, present=False)]
            writes: list[Write] = [
                UpdateOne(CONFIG, where, Change(set={path: {"name": "CNC"}}), insert=entry),
                CreateCollections([DEVICES]),
            ]
            await documents.insert(CONFIG, {"_id": 0, "key": "organization"})
            line.is_armed = True
            with pytest.raises(Unavailable) as raised:
                await documents.write_all(writes)
            assert raised.value.extensions["outcome"] == "UNKNOWN"
        HELD.clear()  # as if it was another process, which is dead
        async with closing(open_documents(default, data=tmp_path, driver=driver)) as again:
            [stored] = await again.database(name).find(CONFIG, Query(where=(equals("key", "applications"),)))
            assert stored["value"]["applicationSettings"] == {"cnc": {"name": "CNC"}}
            assert DEVICES.name in await again.database(name).list_collections()


async def connect(documents: DocumentDatabase) -> None:
    """Insert a device into a server that has just started."""
    await repeat_until_available(lambda: documents.upsert(DEVICES, [{"_id": 0, "machineId": "A"}]))
    await repeat_until_available(lambda: documents.update(DEVICES, [equals("_id", 0)], RENAME))


async def test_what_is_not_sent_is_not_applied(own_mongodb_server: Server, tmp_path: Path) -> None:
    url = f"{own_mongodb_server.url}/x"
    async with closing(open_documents(url, data=tmp_path, deadline=1.0)) as store:
        documents = store.database("t")
        await connect(documents)
        own_mongodb_server.stop()
        for _ in range(2):
            with pytest.raises(Unavailable) as raised:
                await documents.insert(DEVICES, {"_id": 2, "machineId": "B"})
        assert raised.value.extensions["outcome"] == "NOT_APPLIED"
    url = f"mongodb://127.0.0.1:{free_port()}/x"
    async with closing(open_documents(url, data=tmp_path, deadline=0.5)) as absent:
        with pytest.raises(Unavailable) as raised:
            await absent.database("t").delete(DEVICES, [])
        assert raised.value.extensions["outcome"] == "NOT_APPLIED"


async def test_the_deadline_includes_waiting_for_one_another(
    own_mongodb_server: Server, tmp_path: Path
) -> None:
    """Sixty writers of one key each wait for the one before, on a server that hangs."""
    url = f"{own_mongodb_server.url}/x"
    async with closing(open_documents(url, data=tmp_path, deadline=1.0)) as store:
        documents = store.database("t")
        await connect(documents)
        own_mongodb_server.pause()
        inserts = (documents.insert(DEVICES, {"_id": n, "machineId": "X"}) for n in range(1, 61))
        async with asyncio.timeout(HANGS_S):
            results = await asyncio.gather(*inserts, return_exceptions=True)
        outcomes = [result.extensions["outcome"] for result in results if isinstance(result, Unavailable)]
        assert len(outcomes) == 60
        assert outcomes.count("NOT_APPLIED") == 60  # none was sent: all wait for their lock
        own_mongodb_server.resume()


async def test_commands_that_find_the_queue_full_are_rejected(
    mongodb_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_WAITING", 3)
    url = f"{mongodb_server.url}/default-{uuid.uuid4().hex[:8]}"
    async with closing(open_documents(url, data=tmp_path, pool=1)) as store:
        documents = store.database("t")
        await documents.find(CONFIG)
        results = await asyncio.gather(*(documents.find(CONFIG) for _ in range(20)), return_exceptions=True)
        rejected = [result for result in results if isinstance(result, Unavailable)]
        assert len(rejected) == 16
        assert "overloaded" in str(rejected[0])
        assert await documents.find(CONFIG) == []
