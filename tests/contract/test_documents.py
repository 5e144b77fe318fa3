"""The contract of the document store, on every backend."""

import bson
import pytest
from bson import DatetimeMS, Decimal128, Int64, ObjectId

from stores.contracts.columns import read_key
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    AnyOf,
    Change,
    Condition,
    Contains,
    Document,
    Exists,
    OneOf,
    Order,
    Query,
    equals,
)
from stores.contracts.ordering import get_order_value
from stores.entities.devices import Device
from tests.contract.stored_devices import CONFIG, DEVICES, TIMES, device, walk


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


async def test_reading_creates_nothing(documents: DocumentDatabase, document_store: DocumentStore) -> None:
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
async def test_a_condition_selects_its_documents(
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
async def test_pages_contain_each_document_once_for_any_types(
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


async def test_a_projection_returns_the_requested_keys(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A", name="n", properties={"a": 1}))
    [stored] = await documents.find(DEVICES, Query(keys=frozenset({"name"})))
    assert stored["name"] == "n"
    assert isinstance(stored["_id"], ObjectId)


async def test_columns_hold_what_the_documents_hold(documents: DocumentDatabase) -> None:
    await documents.insert(DEVICES, device("A", name="n", properties={"a": [1, None]}, connectors=["x", "y"]))
    await documents.insert(DEVICES, device("B", name=None, connectors=[]))
    await documents.insert(DEVICES, device("C", connectors="x", properties=Decimal128("1.10")))
    keys = frozenset({"name", "properties", "connectors", "machineId"})
    for query in (
        Query(keys=keys, limit=10),
        Query(keys=keys, limit=2, order=Order(descending=True)),
        Query(keys=keys, limit=2, order=Order(("name",))),
        Query(keys=keys, limit=1, where=(equals("machineId", "C"),)),
        Query(keys=keys, limit=0),
        Query(keys=keys | {"$a", "a.b"}, limit=10),
    ):
        [columns] = await documents.find_columns(DEVICES, [query])
        expected = await documents.find(DEVICES, query)
        assert len(columns) == len(expected)
        for key in (*keys, "_id"):
            assert [*read_key(columns, key)] == [document.get(key) for document in expected]
            assert [*read_key(columns[1:], key)] == [document.get(key) for document in expected[1:]]
        assert [document["_id"] for document in columns] == [document["_id"] for document in expected]


async def test_columns_that_do_not_fit_one_reply_are_read_as_documents(documents: DocumentDatabase) -> None:
    await documents.upsert(DEVICES, [device(f"M{i}", name="x" * 9_000_000) for i in range(2)])
    [columns] = await documents.find_columns(DEVICES, [Query(keys=frozenset({"name"}), limit=10)])
    assert [len(name) for name in read_key(columns, "name")] == [9_000_000] * 2


async def test_every_page_of_a_long_list_is_whole(documents: DocumentDatabase) -> None:
    await documents.upsert(DEVICES, [device(f"M{i}", connectors=["x"]) for i in range(2500)])
    assert len(await documents.find(DEVICES)) == 2500
    assert len(await walk(documents, DEVICES, Order(), limit=1000)) == 2500
    by_connector = Query(where=(equals("connectors", "x"),), limit=2000)
    assert len(await documents.find(DEVICES, by_connector)) == 2000


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
