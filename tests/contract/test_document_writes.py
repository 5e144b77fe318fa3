"""The contract of the document store, on every backend: writes."""

import asyncio
from datetime import datetime

import pytest
from bson import ObjectId

from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import (
    Change,
    Condition,
    CreateCollections,
    Document,
    DropCollections,
    Exists,
    Guard,
    IdempotencyKey,
    Query,
    ReplaceMany,
    Touch,
    UpdateOne,
    Where,
    Write,
    equals,
    to_milliseconds,
)
from stores.contracts.errors import BadUserInput, Conflict, NotFound
from tests.contract.stored_devices import CONFIG, DEVICES, EVENT_CLASSES, GATEWAYS, TIMES, device


async def test_a_duplicate_key_is_rejected_and_nothing_is_written(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A"))
    for taken in ({"_id": ObjectId(), "machineId": "A"}, {"_id": ObjectId(), "machine_id": "A"}):
        with pytest.raises(Conflict) as raised:
            await documents.insert(DEVICES, taken)
        assert raised.value.extensions["fields"] in (["machineId"], ["machine_id"])
    for free in ({"_id": ObjectId()}, {"_id": ObjectId()}, {"_id": ObjectId(), "machine_id": "a"}):
        await documents.insert(DEVICES, free)
    with pytest.raises(Conflict):
        await documents.update(DEVICES, [equals("machine_id", "a")], Change(set={("machineId",): "A"}))
    with pytest.raises(Conflict):
        await documents.insert(DEVICES, {"_id": free["_id"]})
    assert await documents.count([DEVICES]) == [4]
    await documents.update(DEVICES, [equals("machineId", "A")], Change(set={("machineId",): "A", ("n",): 1}))


async def test_within_narrows_what_is_unique(documents: DocumentDatabase) -> None:
    for application in ("a", "b"):
        await documents.insert(EVENT_CLASSES, {"_id": ObjectId(), "id": "e", "applicationId": application})
    with pytest.raises(Conflict):
        await documents.insert(EVENT_CLASSES, {"_id": ObjectId(), "id": "e", "applicationId": "a"})


async def test_one_of_twenty_concurrent_inserts_is_stored(documents: DocumentDatabase) -> None:
    spellings = ("machineId", "machine_id")
    inserts = (documents.insert(DEVICES, {"_id": ObjectId(), spellings[i % 2]: "X"}) for i in range(20))
    done = await asyncio.gather(*inserts, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in done) == 1
    assert sum(isinstance(result, Conflict) for result in done) == 19


async def test_a_change_sets_unsets_adds_and_pulls(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A", a=1, deep={"x": 1, "y": 2}, items=[1, "b", 1]))
    change = Change(
        set={("deep", "x"): [TIMES[0]], ("new", "path"): None},
        unset=[("a",), ("missing", "path")],
        add={("tags",): "t"},
        pull={("items",): 1},
    )
    changed = await documents.update(DEVICES, [equals("machineId", "A")], change)
    assert changed is not None
    [stored] = await documents.find(DEVICES)
    assert stored == changed
    stored.pop("_id")
    missing = stored.pop("missing", {})
    assert missing == {}
    assert stored == {
        "machineId": "A",
        "deep": {"x": [TIMES[0]], "y": 2},
        "items": ["b"],
        "new": {"path": None},
        "tags": ["t"],
    }
    again = await documents.update(DEVICES, [equals("machineId", "A")], Change(add={("tags",): "t"}))
    assert again is not None
    assert again["tags"] == ["t"]


async def test_a_change_is_made_only_where_its_conditions_hold(documents: DocumentDatabase) -> None:
    entry = {"_id": ObjectId(), "key": "applications", "value": {"settings": {"a": {}}}}
    await documents.insert(CONFIG, entry)
    where: list[Condition] = [
        equals("key", "applications"),
        Exists(("value", "settings", "a"), present=False),
    ]
    assert await documents.update(CONFIG, where, Change(set={("value", "settings", "a"): 1})) is None
    assert (await documents.find(CONFIG)) == [entry]


@pytest.mark.parametrize("as_string", [False, True])
async def test_a_touched_time_is_later_than_every_one_before(
    documents: DocumentDatabase, as_string: bool
) -> None:
    ahead = datetime(2999, 1, 1)
    await documents.insert(DEVICES, device("A", at=ahead))
    change = Change(touch=Touch(("at",)))
    changed = await documents.update(DEVICES, [equals("machineId", "A")], change)
    assert changed is not None
    assert to_milliseconds(changed["at"]) == to_milliseconds(ahead) + 1
    await documents.insert(DEVICES, device("B"))
    touches = (
        documents.update(
            DEVICES,
            [equals("machineId", "B")],
            Change(set={("n", str(i)): i}, touch=Touch(("at",), as_string)),
        )
        for i in range(20)
    )
    results = await asyncio.gather(*touches)
    [stored] = await documents.find(DEVICES, Query(where=(equals("machineId", "B"),)))
    assert len(stored["n"]) == 20
    assert isinstance(stored["at"], str if as_string else datetime)
    assert str(stored["at"]) == max(str(result["at"]) for result in results if result)
    # One after the other: the reply of the tests' MongoDB may already contain what a concurrent call changed.
    times = [await documents.update(DEVICES, [equals("machineId", "B")], change) for _ in range(20)]
    assert len({str(result["at"]) for result in times if result}) == 20


async def test_ten_upserts_at_once_make_one_document(documents: DocumentDatabase) -> None:
    upserts = (
        documents.update(
            CONFIG,
            [equals("key", "o")],
            Change(set={("value", f"f{i}"): i}),
            insert={"_id": ObjectId(), "key": "o", "value": {}},
        )
        for i in range(10)
    )
    results = await asyncio.gather(*upserts)
    [stored] = await documents.find(CONFIG)
    assert len(stored["value"]) == sum(result is not None for result in results) >= 1


async def replace(documents: DocumentDatabase, where: Where, new: list[Document]) -> None:
    await documents.write_all([ReplaceMany(EVENT_CLASSES, where, new)])


async def test_a_replacement_is_applied_as_a_whole_or_not_at_all(documents: DocumentDatabase) -> None:
    def entry(name: str, application: str = "a") -> Document:
        return {"_id": ObjectId(), "id": name, "applicationId": application}

    mine = [equals("applicationId", "a")]
    await replace(documents, mine, [entry("1"), entry("2")])
    await documents.insert(EVENT_CLASSES, entry("1", "b"))
    with pytest.raises(Conflict):
        await replace(documents, mine, [entry("3"), entry("3")])
    event_classes = await documents.find(EVENT_CLASSES, Query(where=tuple(mine)))
    assert [event_class["id"] for event_class in event_classes] == ["1", "2"]
    await replace(documents, mine, [entry("2"), entry("9")])
    event_classes = await documents.find(EVENT_CLASSES)
    assert sorted((event_class["id"], event_class["applicationId"]) for event_class in event_classes) == [
        ("1", "b"),
        ("2", "a"),
        ("9", "a"),
    ]
    await replace(documents, mine, [])
    assert await documents.count([EVENT_CLASSES]) == [1]


async def test_a_delete_of_one_document_deletes_the_first_match(documents: DocumentDatabase) -> None:
    stored = [{"_id": ObjectId(), "name": "same"} for _ in range(3)]
    await documents.upsert(DEVICES, stored)
    assert await documents.delete(DEVICES, [equals("name", "same")], first_only=True) == 1
    assert [device["_id"] for device in await documents.find(DEVICES)] == [
        device["_id"] for device in stored[1:]
    ]
    assert await documents.delete(DEVICES, [equals("name", "same")]) == 2


async def test_collections_are_made_listed_and_dropped(documents: DocumentDatabase) -> None:
    await documents.create_collections([DEVICES, GATEWAYS])
    await documents.create_collections([DEVICES])
    assert await documents.list_collections() == ["cnc_devices", "gateways"]
    await documents.drop_collections([DEVICES, CONFIG])
    assert await documents.list_collections() == ["gateways"]


async def test_an_upsert_preserves_documents_that_collide_already(documents: DocumentDatabase) -> None:
    twins = [device("A"), device("A")]
    await documents.upsert(DEVICES, twins)
    assert await documents.find(DEVICES) == twins
    await documents.upsert(DEVICES, [{**twins[0], "more": 1}])
    assert await documents.find(DEVICES) == [{**twins[0], "more": 1}, twins[1]]
    with pytest.raises(Conflict):
        await documents.insert(DEVICES, device("A"))
    await documents.insert(DEVICES, device("B"))
    done = await asyncio.gather(
        *(documents.insert(DEVICES, device("C")) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in done) == 1


async def test_a_value_that_cannot_be_encoded_is_bad_input(documents: DocumentDatabase) -> None:
    with pytest.raises(BadUserInput):
        await documents.insert(DEVICES, device("A", n=2**70))
    assert await documents.count([DEVICES]) == [0]


async def test_the_first_of_several_writes_decides(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A"))
    entry = {"_id": ObjectId(), "key": "applications", "value": {"a": 1}}
    change = Change(unset=[("value", "a")])
    writes: list[Write] = [
        UpdateOne(CONFIG, [equals("key", "applications"), Exists(("value", "a"))], change),
        DropCollections([DEVICES]),
        CreateCollections([GATEWAYS]),
    ]
    assert await documents.write_all(writes) is None
    assert await documents.count([DEVICES]) == [1]
    await documents.insert(CONFIG, entry)
    assert await documents.write_all(writes) == {**entry, "value": {}}
    assert await documents.count([DEVICES]) == [0]
    assert await documents.list_collections() == ["config", "gateways"]


GUARD = Guard(CONFIG, [equals("key", "applications")], "Application")


async def test_a_guarded_write_needs_the_document_that_it_depends_on(documents: DocumentDatabase) -> None:
    replacement = ReplaceMany(EVENT_CLASSES, [equals("applicationId", "a")], [{"_id": 1, "id": "e"}])
    with pytest.raises(NotFound, match="Application not found"):
        await documents.insert(DEVICES, device("A"), guard=GUARD)
    with pytest.raises(NotFound):
        await documents.write_all([replacement], guard=GUARD)
    assert await documents.count([DEVICES, EVENT_CLASSES]) == [0, 0]
    await documents.insert(CONFIG, {"_id": ObjectId(), "key": "applications"})
    await documents.insert(DEVICES, device("A"), guard=GUARD)
    await documents.write_all([replacement], guard=GUARD)
    assert await documents.count([DEVICES, EVENT_CLASSES]) == [1, 1]


async def test_a_write_under_a_key_is_applied_once(documents: DocumentDatabase) -> None:
    first, repetition = device("A"), IdempotencyKey("k", "input 1")
    assert await documents.insert(DEVICES, first, idempotency=repetition) == first
    await documents.update(DEVICES, [equals("machineId", "A")], Change(set={("name",): "changed"}))
    assert await documents.insert(DEVICES, device("A"), idempotency=repetition) == first
    with pytest.raises(Conflict) as raised:
        await documents.insert(DEVICES, device("B"), idempotency=IdempotencyKey("k", "input 2"))
    assert raised.value.extensions["fields"] == ["idempotencyKey"]
    assert await documents.count([DEVICES]) == [1]
    with pytest.raises(Conflict):  # a refused write leaves the key free
        await documents.insert(DEVICES, device("A"), idempotency=IdempotencyKey("other", "input 1"))
    await documents.insert(DEVICES, device("C"), idempotency=IdempotencyKey("other", "input 3"))

    create = UpdateOne(CONFIG, [equals("key", "x")], Change(set={("n",): 1}), {"_id": 1, "key": "x"})
    for _ in range(2):
        result = await documents.write_all(
            [create], idempotency=IdempotencyKey("w", "f"), result={"answer": 1}
        )
        assert result == {"answer": 1}
    again = UpdateOne(CONFIG, [equals("key", "y")], Change(set={("n",): 1}))
    assert await documents.write_all([again], idempotency=IdempotencyKey("v", "f")) is None
    assert await documents.write_all([create], idempotency=IdempotencyKey("v", "g"), result={}) == {}
