"""Points are deleted by time, measurement and tags: afterwards all is as if they had never been written."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from stores.backends.sqlite import series_deletion
from stores.contracts.deletions import Deletion
from stores.contracts.rewrites import Rewrite
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery
from stores.opening import open_series
from tests.contract.points import T, minutes

HOUR = 3600 * SECOND
BEGIN = T // HOUR * HOUR
ALL = Deletion(-END_OF_TIME, END_OF_TIME)
POINTS = [
    Point(
        measurement,
        ((MACHINE, machine), ("spindle", str(number % 2))),
        {"x": number, "y": number / 4},
        BEGIN + number * HOUR // 10,
    )
    for measurement in ("state", "other")
    for machine in ("M1", "M2")
    for number in range(60)
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[WritableSeriesStore]:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    yield store
    await store.close()


def is_deleted(point: Point, deletion: Deletion) -> bool:
    tags = dict(point.tags)
    return (
        deletion.start <= point.time < deletion.stop
        and deletion.measurement in (None, point.measurement)
        and all(tags.get(name) in allowed for name, allowed in deletion.where)
    )


async def read_all(store: WritableSeriesStore, database: str) -> list[Any]:
    """What the store answers: counts, samples, the newest of each, and windows of whole hours and others."""
    series, machines = store.database(database), ["M1", "M2"]
    sources = [Source(name, field) for name in ("state", "other") for field in ("x", "y")]
    results: list[Any] = [await series.counts(SourceQuery(sources, machines))]
    for measurement in ("state", "other"):
        query = SeriesQuery(measurement, ["x", "y"], machines, BEGIN, BEGIN + 6 * HOUR)
        results += [await series.points(query, 10_000), await series.latest(query)]
        for step in (HOUR, HOUR // 4):
            windows = minutes(BEGIN, BEGIN + 6 * HOUR - 1, step)
            for function in ("count", "mean", "min", "max", "first", "last", "stddev"):
                results.append(await series.windows(query, windows, Aggregation(function)))
    return results


@pytest.mark.parametrize("most", [3, 50_000], ids=["in parts", "at once"])
@pytest.mark.parametrize(
    "deletion",
    [
        Deletion(BEGIN + HOUR // 2, BEGIN + 3 * HOUR),
        Deletion(BEGIN + HOUR, BEGIN + 2 * HOUR, "state"),
        Deletion(BEGIN, BEGIN + 3 * HOUR + 1, "state", ((MACHINE, ("M1",)),)),
        Deletion(BEGIN, END_OF_TIME, "state", ((MACHINE, ("M1",)), ("spindle", ("1",)))),
        Deletion(BEGIN, END_OF_TIME, None, (("spindle", ("1", "none")),)),
        Deletion(BEGIN, END_OF_TIME, "none"),
        Deletion(BEGIN, END_OF_TIME, None, (("none", ("1",)),)),
        Deletion(BEGIN, BEGIN),
        ALL,
    ],
)
async def test_deleted_points_have_never_been(
    store: WritableSeriesStore, monkeypatch: pytest.MonkeyPatch, deletion: Deletion, most: int
) -> None:
    monkeypatch.setattr(series_deletion, "MAX_DELETED", most)
    others = [point for point in POINTS if not is_deleted(point, deletion)]
    for database, points in (("d", POINTS), ("e", POINTS), ("others", others)):
        assert not any(await store.write(database, points))
    untouched = await read_all(store, "e")
    assert await store.delete("d", deletion) == 2 * (len(POINTS) - len(others))
    assert await read_all(store, "d") == await read_all(store, "others")
    assert await read_all(store, "e") == untouched
    assert await store.delete("d", deletion) == 0
    assert not any(await store.write("d", POINTS))
    assert await read_all(store, "d") == untouched


async def test_whoever_remembers_results_is_told(store: WritableSeriesStore) -> None:
    await store.write("d", POINTS)
    position, _ = await store.list_rewrites(None)
    deletion = Deletion(BEGIN, BEGIN + HOUR, "state", (("spindle", ("1",)),))
    await store.delete("d", deletion)
    position, rewrites = await store.list_rewrites(position)
    assert set(rewrites or ()) == {Rewrite("d", machine, BEGIN, BEGIN + HOUR) for machine in ("M1", "M2")}
    await store.delete("d", deletion)
    assert (await store.list_rewrites(position)).rewrites == []
