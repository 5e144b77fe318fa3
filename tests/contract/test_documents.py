"""The contract of the document store, on every backend."""

import asyncio
from datetime import datetime
from typing import Any

import bson
import pytest
from bson import DatetimeMS, Decimal128, Int64, ObjectId

from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    AnyOf,
    Change,
    Collection,
    Condition,
    Contains,
    CreateCollections,
    Document,
    DropCollections,
    Exists,
    Guard,
    IdempotencyKey,
    OneOf,
    Order,
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
from stores.contracts.ordering import get_order_value
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.gateways import Gateway
from stores.entities.organizations import Organization

CONFIG = Organization.collection_of()
GATEWAYS = Gateway.collection_of()
EVENT_CLASSES = EventClass.collection_of()

DEVICES = Device.collection_of("cnc")
TIMES = (datetime(2026, 1, 2, 3, 4, 5, 678000), datetime(1969, 12, 31))


def device(machine_id: str, **fields: Any) -> Document:
    return {"_id": ObjectId(), "machineId": machine_id, **fields}


async def walk(
    documents: DocumentDatabase, collection: Collection, order: Order, limit: int = 2
) -> list[Document]:
    """A whole collection, read page by page."""
    documents_read: list[Document] = []
    after = None
    while page := await documents.find(collection, Query(order=order, after=after, limit=limit)):
        documents_read += page
        after = (get_order_value(page[-1], order.path), page[-1]["_id"])
        assert len(documents_read) < 5000
    return documents_read


async def test_a_document_comes_back_with_its_types_and_key_order(documents: DocumentDatabase) -> None:
    stored = {
        "_id": ObjectId(),
        "z": 1,
        "a": 1.5,
        "date": TIMES[0],
        "old": TIMES[1],
        "far": DatetimeMS(10**15),
        "deep": {"y": [{"b": None, "a": True}], "x": {}},
        "long": Int64(2**53),
        "money": Decimal128("1.10"),
        "bytes": b"\x00\xff",
        "text": "ñ\u2028 \U0001f600 '\"\\$",
    }
    await documents.insert(DEVICES, stored)
    [device] = await documents.find(DEVICES)
    assert bson.encode(device) == bson.encode(stored)
    assert list(device) == list(stored)


async def test_reading_makes_nothing(documents: DocumentDatabase, document_store: DocumentStore) -> None:
    assert await documents.find(DEVICES) == []
    assert await documents.count([DEVICES, CONFIG]) == [0, 0]
    assert await documents.update(DEVICES, [equals("machineId", "x")], Change(set={("a",): 1})) is None
    assert await documents.delete(DEVICES, [equals("machineId", "x")]) == 0
    await documents.drop_collections([DEVICES])
    names = [info.name for info in await document_store.list_databases()]
    assert documents.database not in names or (await documents.count([DEVICES])) == [0]


async def test_a_tenant_never_sees_anothers_documents(
    document_store: DocumentStore, documents: DocumentDatabase
) -> None:
    other = document_store.database(documents.database + "-b")
    await documents.insert(DEVICES, device("M"))
    await other.insert(DEVICES, device("M"))
    assert await other.delete(DEVICES, []) == 1
    assert await documents.count([DEVICES]) == [1]
    names = [info.name for info in await document_store.list_databases()]
    assert documents.database in names
    assert not {"admin", "local", "config"} & set(names)


CONDITIONS: list[tuple[list[Condition], list[str]]] = [
    ([], ["A", "B", "C", "D"]),
    ([equals("machineId", "B")], ["B"]),
    ([OneOf(("machineId",), ("A", "C", "x"))], ["A", "C"]),
    ([OneOf(("machineId",), ())], []),
    ([equals("connectors", "Fanuc")], ["A", "B", "D"]),
    ([equals(("events", "class"), "MODE")], ["A", "B"]),
    ([equals(("properties", "port"), 1)], ["A", "B"]),
    ([equals(("properties", "port"), True)], ["C"]),
    ([equals(("properties", "port"), "1")], []),
    ([Exists(("properties", "ip"))], ["B", "C"]),
    ([Exists(("properties", "ip"), present=False)], ["A", "D"]),
    ([equals("name", None)], ["C", "D"]),
    ([Contains((("machineId",), ("name",)), "lathe")], ["A", "B"]),
    ([Contains((("name",),), "%")], ["B"]),
    ([Contains((("name",),), ".*")], []),
    ([Contains((("name",),), "\\")], ["A"]),
    ([AnyOf((equals("machineId", "A"), equals("connectors", "Haas")))], ["A", "C"]),
    ([equals("connectors", "Fanuc"), Exists(("properties", "ip"))], ["B"]),
]


MODE = {"class": "MODE"}
FILTERED: list[Document] = [
    {
        "machineId": "A",
        "name": "LATHE \\ 1",
        "connectors": ["Fanuc"],
        "events": [MODE],
        "properties": {"port": 1},
    },
    {
        "machineId": "B",
        "name": "lathe 100%",
        "connectors": ["Fanuc"],
        "events": [{"class": "X"}, MODE],
        "properties": {"port": 1.0, "ip": None},
    },
    {"machineId": "C", "name": None, "connectors": ["Haas"], "properties": {"port": True, "ip": {"v4": "x"}}},
    {"machineId": "D", "connectors": "Fanuc", "events": "none", "properties": "none"},
]


@pytest.mark.parametrize(("where", "expected"), CONDITIONS)
async def test_a_condition_finds_what_it_says(
    documents: DocumentDatabase, where: list[Condition], expected: list[str]
) -> None:
    for stored in FILTERED:
        await documents.insert(DEVICES, {"_id": ObjectId(), **stored})
    devices = await documents.find(DEVICES, Query(where=tuple(where)))
    assert [device["machineId"] for device in devices] == expected
    assert await documents.count([DEVICES], where) == [len(expected)]
    limited = await documents.find(DEVICES, Query(where=tuple(where), limit=1))
    assert [device["machineId"] for device in limited] == expected[:1]


VALUES = [None, 5, 2.5, "a", "B", "a", "", True, False, *TIMES, ObjectId(), [1, 2], {"a": 1}, "ñ", -1, 2**40]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("path", ["_id", "name", "createdAt"])
async def test_pages_hold_each_document_once_whatever_its_types(
    documents: DocumentDatabase, path: str, descending: bool
) -> None:
    stored: list[Document] = [{"_id": ObjectId(), "name": v, "createdAt": v} for v in VALUES]
    stored += [{"_id": "text"}, {"_id": 7, "name": "x"}, {"_id": 7.5, "createdAt": TIMES[0]}]
    await documents.upsert(DEVICES, stored)
    order = Order((path,), descending)
    devices = await walk(documents, DEVICES, order)
    assert len(devices) == len({str(device["_id"]) for device in devices}) == len(stored)
    all_devices = await documents.find(DEVICES, Query(order=order))
    assert [device["_id"] for device in all_devices] == [device["_id"] for device in devices]
    if path == "name":
        values = [get_order_value(device, ("name",)) for device in devices]
        kinds = [type(v).__name__ for v in (values[::-1] if descending else values)]
        ranks = ["NoneType", "int float Int64", "str", "ObjectId", "bool", "datetime"]
        ranked = [next(i for i, names in enumerate(ranks) if kind in names) for kind in kinds]
        assert ranked == sorted(ranked)


async def test_a_page_is_not_moved_by_what_is_added_or_removed(documents: DocumentDatabase) -> None:
    for i in range(0, 10, 2):
        await documents.insert(DEVICES, device(str(i), name=f"N{i}"))
    order = Order(("name",))
    first = await documents.find(DEVICES, Query(order=order, limit=2))
    await documents.insert(DEVICES, device("1", name="N1"))
    await documents.insert(DEVICES, device("3", name="N3"))
    await documents.delete(DEVICES, [equals("machineId", "2")])
    after = (first[-1]["name"], first[-1]["_id"])
    next_page = await documents.find(DEVICES, Query(order=order, after=after))
    assert [device["name"] for device in next_page] == ["N3", "N4", "N6", "N8"]


async def test_several_queries_are_answered_in_their_order(documents: DocumentDatabase) -> None:
    for name in "ABC":
        await documents.insert(DEVICES, device(name, connectors=["x"], extra=1))
    queries = [
        Query(where=(equals("machineId", "C"),), limit=1),
        Query(limit=2, keys=frozenset({"machineId"})),
        Query(where=(equals("machineId", "none"),), limit=5),
        Query(order=Order(descending=True), limit=1),
        Query(limit=0),
    ]
    pages = await documents.find_many(DEVICES, queries)
    assert [[device["machineId"] for device in page] for page in pages] == [["C"], ["A", "B"], [], ["C"], []]


async def test_a_projection_gives_the_keys_asked_for(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A", name="n", properties={"a": 1}))
    [stored] = await documents.find(DEVICES, Query(keys=frozenset({"name"})))
    assert stored["name"] == "n"
    assert isinstance(stored["_id"], ObjectId)


async def test_what_is_unique_is_refused_and_nothing_is_written(documents: DocumentDatabase) -> None:
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


async def test_one_of_twenty_inserts_at_once_is_kept(documents: DocumentDatabase) -> None:
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


async def test_a_replacement_is_whole_or_is_not(documents: DocumentDatabase) -> None:
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


async def test_only_the_first_goes_where_that_is_asked(documents: DocumentDatabase) -> None:
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


async def test_a_put_keeps_what_collides_already(documents: DocumentDatabase) -> None:
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


async def test_what_cannot_be_encoded_is_the_callers_fault(documents: DocumentDatabase) -> None:
    with pytest.raises(BadUserInput):
        await documents.insert(DEVICES, device("A", n=2**70))
    assert await documents.count([DEVICES]) == [0]


async def test_every_page_of_a_long_list_is_whole(documents: DocumentDatabase) -> None:
    await documents.upsert(DEVICES, [device(f"M{i}", connectors=["x"]) for i in range(2500)])
    assert len(await documents.find(DEVICES)) == 2500
    assert len(await walk(documents, DEVICES, Order(), limit=1000)) == 2500
    by_connector = Query(where=(equals("connectors", "x"),), limit=2000)
    assert len(await documents.find(DEVICES, by_connector)) == 2000


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


async def test_one_query_reads_many_collections(documents: DocumentDatabase) -> None:
    collections = [Device.collection_of(f"app{number}") for number in range(5)]
    for number, collection in enumerate(collections[:4]):
        await documents.upsert(collection, [device(f"M{number}-{i}", name="x") for i in range(number)])
    query = Query(where=(equals("name", "x"),), limit=2)
    pages = await documents.find_across(collections, query)
    assert [[document["machineId"] for document in page] for page in pages] == [
        [],
        ["M1-0"],
        ["M2-0", "M2-1"],
        ["M3-0", "M3-1"],
        [],
    ]


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
