"""Every BSON type is data on MongoDB: ids and order fields of all types are paged in the server's order.

The tests' MongoDB cannot sort code and regular expressions: their place is tested in memory.
"""

import random
import uuid
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from stores.contracts.columns import DocumentColumns
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Change, Order, Query, equals
from stores.contracts.ordering import get_order_value, order_key
from stores.entities.devices import Device

DEVICES = Device.collection_of("cnc")
# In MongoDB's order.
VALUES: list[Any] = [
    MinKey(),
    None,
    -1,
    0.5,
    Decimal128("0.7"),
    Int64(2),
    2.5,
    Decimal128("1E+30"),
    "",
    "B",
    "a",
    "ñ",
    {"a": 1},
    {"a": 2},
    {"b": 0},
    b"",
    b"x",
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    datetime(1969, 1, 1),
    datetime(2026, 1, 1),
    Timestamp(1, 1),
    Timestamp(1, 2),
    MaxKey(),
]
NOT_SORTED_BY_THE_SERVER = [Regex("a"), Code("f()"), Code("f()", {"a": 1})]
UUID = Binary(uuid.UUID(int=7).bytes, 4)  # which that server does not compare with other binary data
NAN = float("nan")  # the first number, but that server sorts it as the last


@pytest.mark.parametrize("document_store", ["mongodb-pymongo"], indirect=True)
async def test_values_of_all_types_come_back_in_columns(document_store: DocumentStore) -> None:
    documents = document_store.database(f"t-{uuid.uuid4().hex[:12]}")
    ids = [value for value in VALUES if value is not None]  # for which some servers generate an id
    await documents.upsert(DEVICES, [{"_id": value, "name": value} for value in ids])
    query = Query(keys=frozenset({"name"}), limit=100)
    [columns] = await documents.find_columns(DEVICES, [query])
    assert isinstance(columns, DocumentColumns)
    expected = [d["_id"] for d in await documents.find(DEVICES, query)]
    assert str(columns.values_of("_id")) == str(expected)
    # The lowest key stands for a missing value, which no field shows otherwise.
    assert str(columns.values_of("name")) == str([None, *expected[1:]])


def test_values_of_all_types_sort_as_the_manual_says(seeded_random: random.Random) -> None:
    position = VALUES.index(b"x") + 1
    ordered = [
        *VALUES[:2],
        NAN,
        *VALUES[2:position],
        UUID,
        *VALUES[position:-1],
        *NOT_SORTED_BY_THE_SERVER,
        VALUES[-1],
    ]
    shuffled = seeded_random.sample(ordered, len(ordered))
    assert [str(v) for v in sorted(shuffled, key=order_key)] == [str(v) for v in ordered]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("path", ["_id", "name"])
@pytest.mark.parametrize("document_store", ["mongodb-pymongo"], indirect=True)
async def test_pages_pass_every_type(document_store: DocumentStore, path: str, descending: bool) -> None:
    documents = document_store.database(f"t-{uuid.uuid4().hex[:12]}")
    ids = [value for value in VALUES if value is not None]  # for which some servers generate an id
    stored = [{"_id": value, "name": value} for value in ids]
    if path == "name":
        stored = [{"_id": number, "name": value} for number, value in enumerate(VALUES)]
    await documents.upsert(DEVICES, stored)
    order, after, pages = Order((path,), descending), None, []
    while page := await documents.find(DEVICES, Query(order=order, after=after, limit=3)):
        pages += page
        after = (get_order_value(page[-1], order.path), page[-1]["_id"])
        assert len(pages) <= len(stored)
    assert sorted(str(d["_id"]) for d in pages) == sorted(str(d["_id"]) for d in stored)
    if path == "_id":
        expected = ids[::-1] if descending else ids
        assert [str(d["_id"]) for d in pages] == [str(value) for value in expected]


@pytest.mark.parametrize("value", [UUID, *VALUES[:1], *VALUES[2:]], ids=repr)
@pytest.mark.parametrize("document_store", ["mongodb-pymongo"], indirect=True)
async def test_a_document_of_any_id_is_found_changed_and_deleted(
    document_store: DocumentStore, value: Any
) -> None:
    documents = document_store.database(f"t-{uuid.uuid4().hex[:12]}")
    where = [equals("_id", value)]
    await documents.insert(DEVICES, {"_id": value, "machineId": "A", "properties": {"max.vol": 3, "$x": 1}})
    change = Change(set={("properties", "max.vol"): 4, ("machineId",): "B"}, unset=[("properties", "$x")])
    changed = await documents.update(DEVICES, where, change)
    assert changed == {"_id": value, "machineId": "B", "properties": {"max.vol": 4}}
    assert await documents.find(DEVICES, Query(where=(equals(("properties", "max.vol"), 4),))) == [changed]
    assert await documents.count([DEVICES], [equals(("properties", "max.vol"), 3)]) == [0]
    assert await documents.delete(DEVICES, where, first_only=True) == 1
