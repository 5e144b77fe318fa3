"""Documents byte for byte: what a driver would change survives copies and replacements."""

import uuid
from pathlib import Path
from typing import Literal

import bson
import pytest
from bson import Code, ObjectId

from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import Query, ReplaceMany, equals
from stores.contracts.errors import Conflict
from stores.entities.connectors import Connector
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization
from stores.jobs.copying import copy_stores
from stores.opening import open_documents
from tests.closing import closing
from tests.servers import Server
from tests.servers.proxy import proxy

CONNECTORS = Connector.collection_of("cnc")
EVENT_CLASSES = EventClass.collection_of()
PLACEHOLDER, INVALID = b"invalid UTF-8 here", b"\xff\xfe\xc3(\xa0\x80 is broken\xf0!"
assert len(PLACEHOLDER) == len(INVALID)


def damaged(**fields: object) -> bytes:
    """A document with a string that is not valid UTF-8."""
    return bson.encode({**fields, "text": PLACEHOLDER.decode()}).replace(PLACEHOLDER, INVALID)


async def test_raw_documents_are_read_as_they_were_written(documents: DocumentDatabase) -> None:
    stored = [bson.encode({"_id": n, "name": f"N{n}", "code": Code("x"), "a.b": {"$c": 1}}) for n in range(5)]
    await documents.write_raw(CONNECTORS, stored)
    await documents.write_raw(CONNECTORS, stored[:2])
    assert await documents.read_raw(CONNECTORS, Query()) == stored
    assert await documents.read_raw(CONNECTORS, Query(after=(None, 1), limit=2)) == stored[2:4]
    assert await documents.read_raw(CONNECTORS, Query(where=(equals("_id", 3),))) == stored[3:4]
    assert [document["name"] for document in await documents.find(CONNECTORS)] == [f"N{n}" for n in range(5)]


async def test_a_copy_carries_what_is_not_valid_utf_8(tmp_path: Path) -> None:
    async with (
        closing(open_documents(None, data=tmp_path / "source")) as source,
        closing(open_documents(None, data=tmp_path / "target")) as target,
    ):
        bodies = [damaged(_id=1, name="a"), bson.encode({"_id": 2, "name": "b"})]
        await source.database("acme").write_raw(CONNECTORS, bodies)
        report = await copy_stores(source, target, lambda *_: None)
        assert (report.written, report.differences) == (2, [])
        assert await target.database("acme").read_raw(CONNECTORS, Query()) == bodies
        again = await copy_stores(source, target, lambda *_: None)
        assert (again.written, again.equal) == (0, 2)


async def test_a_document_that_cannot_be_copied_is_named_and_the_others_are_copied(
    mongodb_server: Server, tmp_path: Path
) -> None:
    url = f"{mongodb_server.url}/default-{uuid.uuid4().hex[:8]}"
    async with (
        closing(open_documents(None, data=tmp_path)) as source,
        closing(open_documents(url, data=tmp_path)) as target,
    ):
        tenant = f"t-{uuid.uuid4().hex[:8]}"
        users = Organization.collection_of()
        await target.database(tenant).insert(users, {"_id": ObjectId(), "key": "taken"})
        twin = {"_id": ObjectId(), "key": "taken"}
        other_documents = [{"_id": ObjectId(), "key": f"k{n}"} for n in range(3)]
        await source.database(tenant).upsert(users, [twin, *other_documents])
        report = await copy_stores(source, target, lambda *_: None)
        assert report.written == 3
        refused = [line for line in report.differences if "cannot be copied" in line]
        assert refused == [f"{tenant}.config: {twin['_id']} cannot be copied: key is taken."]


async def test_a_refused_replacement_leaves_every_byte(documents: DocumentDatabase) -> None:
    """Nothing is restored, because nothing is deleted before the replacement is known to succeed."""
    where = [equals("applicationId", "a")]
    old = [bson.encode({"_id": n, "id": f"e{n}", "applicationId": "a", "code": Code("x")}) for n in range(3)]
    await documents.write_raw(EVENT_CLASSES, old)
    twins = [{"_id": ObjectId(), "id": "twin", "applicationId": "a"} for _ in range(2)]
    with pytest.raises(Conflict):
        await documents.write_all([ReplaceMany(EVENT_CLASSES, where, twins)])
    assert await documents.read_raw(EVENT_CLASSES, Query()) == old


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_invalid_utf_8_passes_the_driver_in_both_directions(
    mongodb_server: Server, tmp_path: Path, driver: Literal["pymongo", "motor"]
) -> None:
    """The tests' MongoDB replaces what is not valid: it is exchanged on the way to the server and back."""
    sent_messages: list[bytes] = []

    def change(data: bytes, is_client: bool) -> bytes:
        if is_client:
            sent_messages.append(data)
            return data.replace(INVALID, PLACEHOLDER)
        return data.replace(PLACEHOLDER, INVALID)

    async with proxy(mongodb_server.url, lambda: change) as server_url:
        url = f"{server_url}/default-{uuid.uuid4().hex[:8]}"
        async with closing(open_documents(url, data=tmp_path, driver=driver)) as store:
            documents = store.database(f"t-{uuid.uuid4().hex[:8]}")
            body = damaged(_id=1, name="a")
            await documents.write_raw(CONNECTORS, [body])
            assert body in b"".join(sent_messages)
            assert await documents.read_raw(CONNECTORS, Query()) == [body]
            [document] = await documents.find(CONNECTORS)
            assert "\ufffd" in document["text"]
