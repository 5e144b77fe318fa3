"""The embedded time-series store keeps rollups of deleted points, and makes those of earlier versions."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stores.backends.sqlite import series_backfill
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.backends.sqlite.series_schema import HOUR
from stores.contracts.areas import AreaRule
from stores.contracts.counters import CounterRule
from stores.contracts.deletions import Deletion
from stores.contracts.errors import BadUserInput
from stores.contracts.extents import ExtentQuery
from stores.contracts.samples import END_OF_TIME, MACHINE, Cell, Point, Sample, Value
from stores.contracts.series_queries import (
    AggregateFunction,
    Aggregation,
    SeriesQuery,
    Source,
    SourceQuery,
    Windows,
)
from tests.contract.test_series_moves import make_earlier

MINUTE = HOUR // 60
START = 490_000 * HOUR


def point(at: int, machine: str = "M", value: Value = 1) -> Point:
    return Point("state", ((MACHINE, machine),), {"a": value}, at)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSeriesStore]:
    """A store with a point of each minute of ten hours, whose value is the number of the minute."""
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [point(START + n * MINUTE, value=n) for n in range(600)])
    yield store
    await store.close()


async def read(
    store: SqliteSeriesStore,
    function: AggregateFunction = "count",
    *,
    hours: tuple[float, float] = (0, 10),
    width: float = 1,
    q: float | None = None,
) -> list[Cell]:
    """Return the cells of windows of some hours each, in a range of hours from the start."""
    step = int(width * HOUR)
    windows = Windows(tuple(range(START, START + 10 * HOUR + step, step)), step)
    start, stop = (START + int(hour * HOUR) for hour in hours)
    query = SeriesQuery("state", ["a"], ["M"], start, stop)
    cells = await store.database("d").windows(query, windows, Aggregation(function, q))
    return cells.get("M", {}).get("a", {}).get((), [])


async def count(store: SqliteSeriesStore) -> int:
    return (await store.database("d").counts(SourceQuery([Source("state", "a")])))[None]


async def test_rollups_of_deleted_points_answer_windows_of_whole_hours(store: SqliteSeriesStore) -> None:
    before = [await read(store, "max"), await read(store, "sum", width=5)]
    assert await store.retain(START + 4 * HOUR + 30 * MINUTE) == 270
    assert await count(store) == 330
    assert [await read(store, "max"), await read(store, "sum", width=5)] == before
    assert await read(store, hours=(2, 8.5), width=4) == [(0, 120), (1, 240), (2, 30)]


async def test_hours_that_the_range_cuts_are_left_out_if_their_points_were_deleted(
    store: SqliteSeriesStore,
) -> None:
    assert await read(store, hours=(1.5, 9.5), width=4) == [(0, 150), (1, 240), (2, 90)]
    assert await read(store, hours=(1.5, 3.5)) == [(1, 30), (2, 60), (3, 30)]
    assert await read_whole(store, 1.5, 9.5) == 480
    await store.retain(START + 4 * HOUR)
    assert await read(store, hours=(1.5, 9.5), width=4) == [(0, 120), (1, 240), (2, 90)]
    assert await read(store, hours=(1.5, 3.5)) == [(2, 60)]
    assert await read_whole(store, 1.5, 9.5) == 450
    with pytest.raises(BadUserInput):
        await read_whole(store, 1.25, 1.75)


async def read_whole(store: SqliteSeriesStore, first: float, end: float) -> Value:
    """Return the number of points of a range of hours, which is one window."""
    start, stop = START + int(first * HOUR), START + int(end * HOUR)
    query = SeriesQuery("state", ["a"], ["M"], start, stop)
    cells = await store.database("d").windows(
        query, Windows((start, stop), stop - start), Aggregation("count")
    )
    return cells["M"]["a"][()][0][1]


@pytest.mark.parametrize("arguments", [{"function": "quantile", "q": 0.5}, {"width": 0.5}, {"width": 1.5}])
async def test_windows_that_need_deleted_points_are_refused(
    store: SqliteSeriesStore, arguments: dict[str, Any]
) -> None:
    assert await read(store, **arguments)
    await store.retain(START + 4 * HOUR)
    with pytest.raises(BadUserInput, match="before 2025-11-24T20:00:00Z were deleted") as refused:
        await read(store, **arguments)
    assert "series.retention_days" in refused.value.message
    later = {**arguments, "hours": (4.5, 10)}
    assert await read(store, **later)


async def test_areas_and_counters_that_need_deleted_points_are_refused(store: SqliteSeriesStore) -> None:
    windows = Windows(tuple(range(START, START + 11 * HOUR, 5 * HOUR)), 5 * HOUR)
    query = SeriesQuery("state", ["a"], ["M"], START, START + 10 * HOUR)
    series = store.database("d")
    rules = [AreaRule(), AreaRule("linear", MINUTE), AreaRule("step", MINUTE - 1)]
    before = [await series.areas(query, windows, rule) for rule in rules]
    assert [index for index, _ in before[0]["M"]["a"][()]] == [0, 1]
    await store.retain(START + 4 * HOUR)
    # Rollups answer whole hours if no gap in them is longer than the longest that counts.
    assert [await series.areas(query, windows, rule) for rule in rules[:2]] == before[:2]
    cut = await series.areas(replace(query, start=START + 1, stop=START + 2 * HOUR + 1), windows, rules[0])
    [(_, area)] = cut["M"]["a"][()]
    assert (area.first_time, area.last_time) == (START + HOUR, START + 2 * HOUR - MINUTE)
    halves = Windows((START, START + HOUR // 2, START + HOUR), HOUR // 2)
    for refused, refused_windows, rule in (
        (query, windows, rules[2]),
        (replace(query, stop=START + HOUR), halves, rules[0]),
    ):
        with pytest.raises(BadUserInput, match="INTEGRAL"):
            await series.areas(refused, refused_windows, rule)
    with pytest.raises(BadUserInput, match="were deleted"):
        await series.counters(query, windows, CounterRule(None), 1000)
    later = replace(query, start=START + 4 * HOUR)
    assert list(await series.counters(later, windows, CounterRule(None), 1000)) == ["M"]
    assert [index for index, _ in (await series.areas(later, windows, AreaRule()))["M"]["a"][()]] == [0, 1]


async def test_areas_of_the_rollups_of_an_earlier_version_are_backfilled(
    store: SqliteSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_backfill, "MAX_SAMPLES", 150)
    await store.retain(START + HOUR + 30 * MINUTE)
    await store._file.write(
        lambda db: db.execute("UPDATE rollups SET step = NULL, linear = NULL, longest = NULL")
    )
    windows = Windows((START, START + 10 * HOUR), 10 * HOUR)
    later = SeriesQuery("state", ["a"], ["M"], START + 2 * HOUR, START + 10 * HOUR)
    series, progress = store.database("d"), list[tuple[int, int]]()
    while not progress or progress[-1] != (1, 1):
        [(_, area)] = (await series.areas(later, windows, AreaRule("linear")))["M"]["a"][()]
        assert (area.first, area.last, area.area) == (120, 599, 359.5 * 479 * 60)
        with pytest.raises(BadUserInput, match="INTEGRAL"):
            await series.areas(replace(later, start=START), windows, AreaRule())
        progress.append(await store.backfill())
    assert 3 < len(progress) < 6
    sql = "SELECT count(*) FROM rollups WHERE longest = 60 * 1000000000"
    assert await store.read(lambda db: db.execute(sql).get) == 7  # the first two hours cannot be made


async def test_points_that_come_after_their_hour_was_deleted_leave_its_rollup(
    store: SqliteSeriesStore,
) -> None:
    await store.retain(START + 4 * HOUR)
    await store.write("d", [point(START + HOUR), point(START - 2 * HOUR), point(START - 3 * HOUR)])
    await store.write("d", [point(START - 3 * HOUR + 1)])
    assert (await read(store))[:3] == [(0, 60), (1, 60), (2, 60)]
    windows = Windows((START - 3 * HOUR, START - 2 * HOUR, START - HOUR), HOUR)
    query = SeriesQuery("state", ["a"], ["M"], START - 3 * HOUR, START - HOUR)
    cells = await store.database("d").windows(query, windows, Aggregation("count"))
    assert cells == {"M": {"a": {(): [(0, 2), (1, 1)]}}}
    assert await store.retain(START + 4 * HOUR) == 4
    assert (await read(store))[0] == (0, 60)


async def test_series_whose_points_were_all_deleted_are_known_by_their_rollups(
    store: SqliteSeriesStore,
) -> None:
    series, end = store.database("d"), START + 10 * HOUR
    queries = [
        ExtentQuery(["M"], None, -END_OF_TIME, END_OF_TIME),
        ExtentQuery(["M"], [("state", "a")], START + HOUR, START + 2 * HOUR),
    ]
    before = [await series.extents(query, 5) for query in queries]
    assert [(extent.first, extent.last) for [extent] in before] == [
        (START, end - MINUTE),
        (START + HOUR, START + 2 * HOUR - MINUTE),
    ]
    await store.write("d", [point(end)])  # closes the last hour
    await store.retain(end)
    [[extent], of_hour] = [await series.extents(query, 5) for query in queries]
    assert (extent.first, extent.last) == (START, end)
    assert of_hour == before[1]
    nothing = ExtentQuery(["M"], None, START - 2 * HOUR, START - HOUR)
    assert await series.extents(nothing, 5) == []


async def test_rollups_are_deleted_after_their_days_and_with_the_points_of_their_range(
    store: SqliteSeriesStore,
) -> None:
    await store.retain(START + 6 * HOUR, START + 2 * HOUR + 1)
    assert await read(store) == [(n, 60) for n in range(2, 10)]
    assert await read(store, "quantile", hours=(0, 2), q=0.5) == []  # nothing is left to refuse it for
    await store.delete("d", Deletion(START + 3 * HOUR, START + 7 * HOUR + 30 * MINUTE))
    assert await read(store) == [(2, 60), (7, 30), (8, 60), (9, 60)]


async def test_moved_series_keep_the_rollups_of_deleted_points(store: SqliteSeriesStore) -> None:
    await store.write("other", [point(START + n * MINUTE, value=-1) for n in range(-60, 300)])
    await store.retain(START + 4 * HOUR)
    await store.move_machines("other", {"M": "d"})
    assert await read(store) == [(n, 60) for n in range(10)]
    windows = Windows((START - HOUR, START, START + HOUR), HOUR)
    query = SeriesQuery("state", ["a"], ["M"], START - HOUR, START + HOUR)
    cells = await store.database("d").windows(query, windows, Aggregation("last"))
    assert cells == {"M": {"a": {(): [(0, -1), (1, 59)]}}}


async def test_a_file_of_an_earlier_version_is_backfilled_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_backfill, "MAX_SAMPLES", 150)
    path = tmp_path / "series.db"
    await write_earlier(path)
    changes = [Sample(START + n * MINUTE, n // 100 % 2 == 0) for n in range(0, 600, 100)]
    cells = [(n, sum(m // 100 % 2 == 0 for m in range(n * 60, n * 60 + 60))) for n in range(10)]
    progress: list[tuple[int, int]] = []
    while not progress or progress[-1] != (2, 2):
        store = SqliteSeriesStore(path)  # each piece is that of a run that was interrupted
        progress.append(await store.backfill())
        query = SeriesQuery("state", ["a"], ["M"])
        assert await store.database("d").changes(query, 99) == {"M": {"a": {(): changes}}}
        assert await read(store, "sum") == cells
        assert await count(store) == 1200
        if len(progress) == 2:  # points that are written and deleted meanwhile
            await store.write("d", [point(START + 10 * HOUR, "M", value=True)])
            await store.delete("d", Deletion(START + 10 * HOUR, START + 11 * HOUR))
        await store.close()
    assert 6 < len(progress) < 14
    assert progress == sorted(progress)


async def test_points_that_are_not_rolled_up_yet_are_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_backfill, "MAX_SAMPLES", 150)
    await write_earlier(tmp_path / "series.db")
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.backfill()
    assert await store.retain(START + 5 * HOUR) == 180
    while (await store.backfill())[0] < 2:
        pass
    assert await store.retain(START + 5 * HOUR) == 420
    assert await read(store) == [(n, 60) for n in range(10)]
    await store.close()


async def write_earlier(path: Path) -> None:
    """Write a file of an earlier version: each minute of ten hours a value, which changes each 100."""
    store = SqliteSeriesStore(path)
    for machine in ("M", "M2"):
        await store.write("d", [point(START + n * MINUTE, machine, n // 100 % 2 == 0) for n in range(600)])
    await store.close()
    make_earlier(path)
