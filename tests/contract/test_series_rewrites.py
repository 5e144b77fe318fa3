"""The log of changes to the past in the embedded time-series file."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stores.backends.sqlite import series_rewrites
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.rewrites import SETTLING_S, Rewrite, RewriteReport
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Point, Value

PAST = 1000 * SECOND


def point(machine: str, time: int, value: Value = 1) -> Point:
    return Point("state", ((MACHINE, machine),), {"x": value}, time)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSeriesStore]:
    store = SqliteSeriesStore(tmp_path / "series.db")
    yield store
    await store.close()


async def test_late_points_are_recorded_and_new_ones_are_not(store: SqliteSeriesStore) -> None:
    start, _ = await store.list_rewrites(None)
    now = time.time_ns()
    await store.write("d", [point("M1", now), point("M2", now - SETTLING_S * SECOND // 2)])
    assert await store.list_rewrites(start) == RewriteReport(start, [])
    await store.write("d", [point("M1", PAST), point("M1", PAST + 7), point("M2", now)])
    position, rewrites = await store.list_rewrites(start)
    assert rewrites == [Rewrite("d", "M1", PAST, PAST + 8)]
    assert await store.list_rewrites(position) == RewriteReport(position, [])
    await store.write("d", [point("M1", PAST), point("M1", PAST + 7)])  # the same again is another change
    later = await store.list_rewrites(position)
    assert later.position > position
    assert later.rewrites == rewrites


async def test_rejected_points_change_nothing(store: SqliteSeriesStore) -> None:
    await store.write("d", [point("M1", PAST)])
    position, _ = await store.list_rewrites(None)
    assert any(await store.write("d", [point("M1", PAST, "text")]))
    assert await store.list_rewrites(position) == RewriteReport(position, [])


async def test_deletions_and_moves_are_recorded(store: SqliteSeriesStore) -> None:
    await store.write("d", [point("M1", PAST), point("M2", PAST * 2)])
    position, _ = await store.list_rewrites(None)
    assert await store.retain(PAST + 1) == 1
    position, rewrites = await store.list_rewrites(position)
    assert rewrites == [Rewrite("d", None, -END_OF_TIME, PAST + 1)]
    assert await store.retain(PAST + 1) == 0
    assert await store.list_rewrites(position) == RewriteReport(position, [])
    await store.move_machines("d", {"M2": "e"})
    _, rewrites = await store.list_rewrites(position)
    assert rewrites == [Rewrite(name, "M2", -END_OF_TIME, END_OF_TIME) for name in "de"]


async def test_changes_of_other_processes_are_listed(store: SqliteSeriesStore, tmp_path: Path) -> None:
    await store.ping()
    position, _ = await store.list_rewrites(None)
    other = SqliteSeriesStore(tmp_path / "series.db")
    await other.write("d", [point("M1", PAST)])
    await other.close()
    assert (await store.list_rewrites(position)).rewrites == [Rewrite("d", "M1", PAST, PAST + 1)]


async def test_a_long_log_is_cut_and_says_so(
    store: SqliteSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_rewrites, "MAX_ROWS", 5)
    many = [f"M{n}" for n in range(series_rewrites.MAX_MACHINES + 1)]
    position, _ = await store.list_rewrites(None)
    await store.write("d", [point(machine, PAST) for machine in many])
    assert (await store.list_rewrites(position)).rewrites == [Rewrite("d", None, PAST, PAST + 1)]
    for n in range(5):
        await store.write("d", [point("M1", PAST + n)])
    assert len(await store.read(lambda db: db.execute("SELECT * FROM rewrites").fetchall())) == 5
    assert await store.list_rewrites(position) == RewriteReport(position + 6, None)
    assert len((await store.list_rewrites(position + 1)).rewrites or ()) == 5
    assert (await store.list_rewrites(10**9)).rewrites is None  # of another file
