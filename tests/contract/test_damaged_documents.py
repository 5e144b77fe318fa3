"""A damaged row or page of an embedded store costs what is in it, and is reported."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import bson
import pytest
from bson import ObjectId

from stores.backends.sqlite import series_schema
from stores.backends.sqlite.checking import find_damage
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.documents import Change, Collection, Query, equals
from stores.contracts.errors import Unavailable
from stores.contracts.samples import MACHINE, Neighbours, Point, Sample, Unsigned
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Windows
from tests.contract.series_stores import read_last, read_windows

DEVICES = Collection("cnc_devices", indexes=(("name",),))


async def fill(path: Path) -> list[dict[str, Any]]:
    store = SqliteDocumentStore(path)
    documents = [{"_id": ObjectId(), "name": f"N{i}", "body": bytes([i]) * 20_000} for i in range(5)]
    await store.database("t").upsert(DEVICES, documents)
    await store.close()
    return documents


def damage_row(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("UPDATE documents SET body = substr(body, 1, 1000) WHERE number = 3")
    db.close()


def damage_page(path: Path) -> None:
    """Overwrite the pages in which the third document continues."""
    content = path.read_bytes()
    page = content.index(bytes([2]) * 4000) // 4096
    # The first bytes of an overflow page are the number of the next one.
    path.write_bytes(content[: page * 4096] + b"\xff" * 4096 + content[(page + 1) * 4096 :])


@pytest.mark.parametrize("damage", [damage_row, damage_page])
async def test_a_damaged_document_costs_itself_only(
    tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "documents.db"
    documents = await fill(path)
    damage(path)
    store = SqliteDocumentStore(path)
    devices = store.database("t")
    with caplog.at_level(logging.ERROR):
        listed = await devices.find(DEVICES)
    assert [bson.encode(d) for d in listed] == [bson.encode(d) for d in documents if d["name"] != "N2"]
    assert "t.cnc_devices: 1 damaged documents were left out" in caplog.text
    assert "rows 3" in caplog.text
    assert store.damaged_documents == 1
    [[first], [], [fifth]] = await devices.find_many(
        DEVICES, [Query(where=(equals("name", f"N{n}"),)) for n in (0, 2, 4)]
    )
    assert (first["name"], fifth["name"]) == ("N0", "N4")
    assert await devices.count([DEVICES]) == [5]
    changed = await devices.update(DEVICES, [equals("name", "N4")], Change(set={("n",): 1}))
    assert changed is not None
    await store.close()


async def test_a_damaged_series_costs_its_tags_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    points = [Point("events", ((MACHINE, f"M{n}"), ("shift", "a")), {"text": "e"}, n) for n in range(3)]
    await store.write("d", points)
    db = apsw.Connection(str(tmp_path / "series.db"))
    db.execute("UPDATE series SET tags = '{' WHERE machine = 'M1'")
    db.close()
    query = SourceQuery([Source("events", "text", tags=("shift",))], None, 0, 10)
    occurrences = await read_last(store.database("d"), query, 10)
    assert [(o.machine, o.tags) for o in occurrences] == [("M2", ("a",)), ("M1", (None,)), ("M0", ("a",))]
    assert "the tags of series 2 are damaged" in caplog.text
    [fault] = find_damage(tmp_path / "series.db", series_schema.FORMAT, lambda done, total: None)
    assert "the tags of series 2 (events, text) are damaged" in fault
    await store.close()


DAMAGED: list[tuple[Any, Any]] = [
    (1, "x"),
    (1, b"\1"),
    (2.5, "x"),
    ("text", 7),
    (True, "x"),
    (Unsigned(2**63), "x1"),
]


@pytest.mark.parametrize(("value", "damaged"), DAMAGED)
async def test_a_damaged_sample_costs_itself_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: Any, damaged: Any
) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [Point("m", ((MACHINE, "M1"),), {"f": value}, time) for time in range(4)])
    with apsw.Connection(str(tmp_path / "series.db")) as db:
        db.execute("UPDATE samples SET value = ? WHERE time IN (1, 3)", (damaged,))
    series, query = store.database("d"), SeriesQuery("m", ["f"], ["M1"], 0, 10)
    expected = [Sample(0, value), Sample(2, value)]
    assert await series.latest(query) == {"M1": {"f": expected[1]}}
    assert await series.points(query, 3) == {"M1": {"f": {(): expected}}}
    assert await series.changes(query, 1) == {"M1": {"f": {(): expected[:1]}}}
    next_to = await series.neighbours(replace(query, start=2, stop=3))
    assert next_to == {"M1": {"f": {(): Neighbours(expected[0], None)}}}
    sources = SourceQuery([Source("m", "f")], None, 0, 10)
    assert [occurrence.time for occurrence in await read_last(series, sources, 2)] == [2, 0]
    for function in ("count", "first", "last"):
        cells = await read_windows(series, query, Windows((0, 10), 10), Aggregation(function))
        assert cells == {"M1": {"f": [(0, 2 if function == "count" else value)]}}
    assert "damaged samples of the series 1 (f) were left out" in caplog.text
    # `last` looks for the newest sample first; changes of booleans and strings are stored beside the samples.
    assert store.damaged_samples == (6 if type(value) in (bool, str) else 7)
    [fault] = find_damage(tmp_path / "series.db", series_schema.FORMAT, lambda done, total: None)
    assert "d: 2 samples of series 1 (m, f) are damaged, the first at 1 ns" in fault
    await store.close()


def damage_table(path: Path, table: str) -> None:
    with apsw.Connection(str(path)) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("table", ["series", "samples"])
async def test_series_that_cannot_be_read_do_not_answer_the_health_check(tmp_path: Path, table: str) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [Point("m", ((MACHINE, "M1"),), {"f": 1}, 1)])
    await store.close()
    damage_table(tmp_path / "series.db", table)
    store = SqliteSeriesStore(tmp_path / "series.db")
    with pytest.raises(Unavailable):
        await store.ping()
    await store.close()


async def test_a_file_whose_tables_cannot_be_read_does_not_answer_the_health_check(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    await fill(path)
    damage_table(path, "collections")
    store = SqliteDocumentStore(path)
    with pytest.raises(Unavailable):
        await store.ping()
    await store.close()
