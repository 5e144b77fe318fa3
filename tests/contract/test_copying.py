"""Copies between document stores: byte for byte, and past documents that cannot be copied."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Code, Decimal128, MaxKey, Regex, Timestamp

from stores.backends.mongo.documents import MongoDocumentStore
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import ALL
from stores.entities.devices import Device
from stores.jobs.copying import CopyReport, copy_stores
from stores.opening import open_documents

DEVICES = Device.collection_of("cnc")
ORGANIZATION = f"o-{uuid.uuid4().hex[:12]}"
CODE = {
    "_id": Code("f()"),
    "machineId": "C",
    "properties": {"code": Code("x"), "scoped": Code("x", {"y": 1})},
}
ODD: list[dict[str, Any]] = [
    CODE,
    {"_id": Decimal128("1.5"), "machineId": Decimal128("5"), "properties": {"a.b": {"$c": Regex("x", "i")}}},
    {"_id": {"line": 1}, "machineId": "T", "createdAt": Timestamp(1, 2), "name": MaxKey()},
]
# The string of a document of the old system that is not valid UTF-8.
INVALID = bson.encode({"_id": 7, "machineId": "valid"}).replace(b"valid", b"n\xff\xfeid")


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    store = open_documents(f"sqlite:///{tmp_path / 'source.db'}", data=None)
    yield store
    await store.close()


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    store = open_documents(f"sqlite:///{tmp_path / 'target.db'}", data=None)
    yield store
    await store.close()


async def copy(source: DocumentStore, target: DocumentStore) -> CopyReport:
    return await copy_stores(source, target, lambda *_: None)


async def test_documents_of_every_type_are_copied_byte_for_byte(
    source: DocumentStore, target: DocumentStore
) -> None:
    await source.database(ORGANIZATION).upsert(DEVICES, ODD)
    await source.database(ORGANIZATION).write_raw(DEVICES, [INVALID])
    report = await copy(source, target)
    assert (report.written, report.verified, report.differences) == (4, 4, [])
    copied = await target.database(ORGANIZATION).read_raw(DEVICES, ALL)
    assert copied == await source.database(ORGANIZATION).read_raw(DEVICES, ALL)
    assert INVALID in copied
    again = await copy(source, target)
    assert (again.written, again.equal) == (0, 4)


async def test_on_mongodb_a_document_that_cannot_be_copied_is_named_and_the_rest_is_copied(
    source: DocumentStore, mongodb_server: Any
) -> None:
    target = MongoDocumentStore(mongodb_server.url)
    # A unique index of the old system, and two documents that collide under it.
    await target.client[ORGANIZATION][DEVICES.name].create_index("serial", unique=True, sparse=True)
    documents = [{"_id": i, "machineId": f"M{i}", "serial": "same" if i in (3, 5) else i} for i in range(20)]
    await source.database(ORGANIZATION).upsert(DEVICES, documents)
    report = await copy(source, target)
    difference = report.differences[0]
    assert difference.startswith(f"{ORGANIZATION}.cnc_devices: 5 cannot be copied: ")
    assert report.written == 19
    assert await target.database(ORGANIZATION).count([DEVICES]) == [19]
    await target.close()
