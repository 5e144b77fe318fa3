"""What a database records of its writes: the documents before and after, in a capped collection."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from threading import get_ident
from typing import Any

import bson
import pytest
from bson import ObjectId

from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    Change,
    Collection,
    DeleteMany,
    Document,
    DropCollections,
    IdempotencyKey,
    Order,
    Query,
    ReplaceMany,
    Touch,
    UpdateOne,
    equals,
)
from stores.contracts.errors import Conflict
from stores.contracts.journal import CappedCollection, DocumentChange, Journal, JournalEntry
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass

DEVICES, CLASSES = Device.collection_of("cnc"), EventClass.collection_of()
ENTRIES = Collection("entries")


class Notes(Journal):
    """A journal that records its notifications, and stores one entry for each change."""

    def __init__(self, target: CappedCollection, owner: str | None = None) -> None:
        self.target, self.owner = target, owner
        self.changes: list[DocumentChange] = []
        self.written: list[tuple[int, BaseException | None]] = []
        self.threads: set[int] = set()  # that have described changes

    def describe(self, database: str, changes: Sequence[DocumentChange]) -> list[JournalEntry]:
        if any((change.after or {}).get("name") == "fault" for change in changes):
            raise Conflict("the journal refuses this")
        self.changes += changes
        self.threads.add(get_ident())
        owner = self.owner or database
        return [JournalEntry(owner, {"_id": ObjectId(), "name": str(change)}) for change in changes]

    def report_written(self, entries: Sequence[JournalEntry], error: BaseException | None = None) -> None:
        self.written.append((len(entries), error))

    def report_unknown(self) -> None:
        raise AssertionError("no write of these tests is cut off")

    def take(self) -> list[tuple[Document | None, Document | None]]:
        changes, self.changes = self.changes, []
        return [(change.before, change.after) for change in changes]


@pytest.fixture
def notes() -> Notes:
    return Notes(CappedCollection(ENTRIES, 1000))


@pytest.fixture
def journaled(documents: DocumentDatabase, notes: Notes) -> DocumentDatabase:
    return documents.with_journal(notes)


def device(machine_id: str, **fields: Any) -> Document:
    return {"_id": ObjectId(), "machineId": machine_id, **fields}


async def test_each_write_tells_the_document_before_and_after(
    documents: DocumentDatabase, journaled: DocumentDatabase, notes: Notes
) -> None:
    stored = device("A", name="a", deep={"x": 1, "y": [1, 2]}, updatedAt=datetime(2020, 1, 1))
    await journaled.insert(DEVICES, stored)
    assert notes.take() == [(None, stored)]
    is_a = [equals("machineId", "A")]
    for change in (
        Change(set={("name",): "b"}, touch=Touch(("updatedAt",))),
        Change(set={("deep", "z"): datetime(2021, 1, 1)}, unset=[("deep", "x")], add={("tags",): "t"}),
        Change(set={("new",): 1, ("also",): None}, pull={("deep", "y"): 1}),
        Change(set={("deep", "0.1"): "a key that no dotted path can name"}),
    ):
        [before] = await documents.find(DEVICES)
        after = await journaled.update(DEVICES, is_a, change)
        [stored] = await documents.find(DEVICES)
        assert bson.encode(stored) == bson.encode(after or {})  # in the same order of keys
        assert notes.take() == [(before, after)]
    await journaled.delete(DEVICES, is_a, first_only=True)
    assert notes.take() == [(stored, None)]
    assert await journaled.update(DEVICES, is_a, Change(set={("name",): "c"})) is None
    assert await journaled.delete(DEVICES, is_a, first_only=True) == 0
    assert notes.take() == []
    assert await documents.count([ENTRIES]) == [6]
    assert [error for _, error in notes.written if error is not None] == []


async def test_operations_tell_all_that_they_change_but_what_goes_along(
    documents: DocumentDatabase, journaled: DocumentDatabase, notes: Notes
) -> None:
    old = {"_id": ObjectId(), "id": "e1", "applicationId": "cnc"}
    new = {"_id": ObjectId(), "id": "e2", "applicationId": "cnc"}
    await documents.insert(CLASSES, old)
    await journaled.write_all([ReplaceMany(CLASSES, [equals("applicationId", "cnc")], [new])])
    assert notes.take() == [(old, None), (None, new)]
    entry = device("B")
    upsert = UpdateOne(DEVICES, [equals("machineId", "B")], Change(set={("name",): "b"}), insert=entry)
    await journaled.write_all([upsert])
    await journaled.write_all(
        [upsert, DeleteMany(CLASSES, [equals("id", "e2")]), DropCollections([Collection("c")])]
    )
    inserted = {**entry, "name": "b"}
    assert notes.take() == [(None, inserted), (inserted, inserted)]
    is_missing = UpdateOne(DEVICES, [equals("machineId", "C")], Change(set={("name",): "c"}))
    assert await journaled.write_all([is_missing, ReplaceMany(CLASSES, [], [old])]) is None
    assert notes.take() == []


async def test_many_changes_are_described_in_a_thread(journaled: DocumentDatabase, notes: Notes) -> None:
    classes = [{"_id": ObjectId(), "id": f"E{n}", "applicationId": "cnc"} for n in range(150)]
    await journaled.write_all([ReplaceMany(CLASSES, [equals("applicationId", "cnc")], classes)])
    assert notes.take() == [(None, document) for document in classes]
    assert notes.written == [(150, None)]
    assert get_ident() not in notes.threads


async def test_a_repetition_changes_nothing(journaled: DocumentDatabase, notes: Notes) -> None:
    once = IdempotencyKey("key", "fingerprint")
    for _ in range(2):
        await journaled.insert(DEVICES, device("A"), idempotency=once)
    change = Change(set={("name",): "b"})
    upsert = UpdateOne(DEVICES, [equals("machineId", "B")], change, insert=device("B"))
    for _ in range(2):
        await journaled.write_all(
            [upsert], idempotency=IdempotencyKey("other", "fingerprint"), result={"done": True}
        )
    assert len(notes.take()) == 2
    assert [count for count, _ in notes.written] == [1, 0, 1, 0]


async def test_a_refused_write_leaves_no_entry(
    documents: DocumentDatabase, journaled: DocumentDatabase, notes: Notes
) -> None:
    await journaled.insert(DEVICES, device("A"))
    with pytest.raises(Conflict):
        await journaled.insert(DEVICES, device("A"))
    assert len(notes.take()) == 1
    assert await documents.count([ENTRIES]) == [1]


async def test_only_the_newest_entries_stay(documents: DocumentDatabase, notes: Notes) -> None:
    notes.target = CappedCollection(ENTRIES, 5)
    journaled = documents.with_journal(notes)
    for i in range(12):
        await journaled.insert(DEVICES, device(f"M{i}"))
    entries = await documents.find(ENTRIES)
    names = [str(DocumentChange(DEVICES, None, after)) for _, after in notes.take()]
    assert [entry["name"] for entry in entries] == names[-5:]
    more = [JournalEntry(documents.database, {"_id": ObjectId(), "name": str(i)}) for i in range(7)]
    await documents.append(notes.target, more)
    assert [
        entry["name"] for entry in await documents.find(ENTRIES, Query(order=Order(descending=True)))
    ] == list("65432")


async def test_an_entry_creates_no_database(document_store: DocumentStore, notes: Notes) -> None:
    """It is stored in the default database instead."""
    database, missing = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("there", "missing"))
    documents = document_store.database(database)
    await documents.insert(DEVICES, device("A"))
    notes.owner = missing
    shared = document_store.database(document_store.default)
    await shared.with_journal(notes).insert(DEVICES, device("B"))
    notes.owner = database
    await shared.with_journal(notes).insert(DEVICES, device("C"))
    assert await document_store.database(missing).list_collections() == []
    assert await shared.count([ENTRIES]) == [1]
    assert await documents.count([ENTRIES]) == [1]


async def test_an_embedded_change_and_its_entry_are_one(
    documents: DocumentDatabase, journaled: DocumentDatabase, request: pytest.FixtureRequest
) -> None:
    """A server has applied the change before the entry fails, which is reported."""
    is_embedded = request.node.callspec.params["document_store"] == "sqlite"
    with pytest.raises(Conflict, match="the journal refuses this"):
        await journaled.insert(DEVICES, device("A", name="fault"))
    assert await documents.count([DEVICES]) == [0 if is_embedded else 1]


async def test_a_server_that_cannot_store_the_entry_reports_it(
    documents: DocumentDatabase, notes: Notes, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["document_store"] == "sqlite":
        pytest.skip("embedded, the change fails together with its entry")
    notes.target = CappedCollection(Collection(300 * "x"), 5)  # a name that no server accepts
    await documents.with_journal(notes).insert(DEVICES, device("A"))
    [(count, error)] = notes.written
    assert (count, error is not None) == (1, True)
    assert await documents.count([DEVICES]) == [1]
