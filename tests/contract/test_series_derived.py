"""What the embedded time-series store derives from samples: answers are those of the samples themselves."""

import asyncio
import math
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.backends.sqlite import series_backfill
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR
from stores.contracts.areas import AreaRule
from stores.contracts.deletions import Deletion
from stores.contracts.repeats import drop_repeats
from stores.contracts.samples import MACHINE, Cell, Point, Sample, Unsigned, Value
from stores.contracts.series import SeriesDatabase
from stores.contracts.series_queries import (
    NUMERIC,
    AggregateFunction,
    Aggregation,
    SeriesQuery,
    Source,
    SourceQuery,
    Windows,
)
from tests.contract.test_series_areas import add_up, are_close
from tests.randomized import randomized

FUNCTIONS: tuple[AggregateFunction, ...] = (
    "mean", "min", "max", "sum", "count", "first", "last", "stddev", "quantile",
)  # fmt: skip
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": INTEGERS,
    "u": (st.integers(0, 2**64 - 1) | st.integers(0, 3)).map(Unsigned),
    "f": st.floats(-1e6, 1e6) | st.floats(1e9, 1e9 + 1),
    "b": st.booleans(),
    "s": st.sampled_from(["", "A", "B", "ä"]),
}
# Hours around 1970, a time long past, and the present, of which the current hour is not rolled up.
TIMES = st.integers(-3 * HOUR, 5 * HOUR) | st.sampled_from([-1, 0, HOUR - 1, HOUR, 2 * HOUR])
ORIGINS = st.sampled_from([0, -HOUR, 490_000 * HOUR, time.time_ns() // HOUR * HOUR])
SPINDLES = ("1", "2")
Model = dict[tuple[str, str], dict[int, Value]]  # by database and spindle: values by time


class Write(NamedTuple):
    """Points that are written together: database, spindle, time and value of each."""

    points: list[tuple[str, str, int, Value]]


class Delete(NamedTuple):
    """A deletion of a range."""

    start: int
    stop: int


class Move(NamedTuple):
    """The points of the other database are moved, and merged into those that are there."""


class Forget(NamedTuple):
    """The file is as one of an earlier version."""


class Backfill(NamedTuple):
    """A piece of a backfill."""


Step = Write | Delete | Move | Forget | Backfill


def make_steps(field: str) -> st.SearchStrategy[list[Step]]:
    """Return steps that concern one field."""
    databases = st.sampled_from(["d", "d", "d", "other"])
    points = st.tuples(databases, st.sampled_from(SPINDLES), TIMES, VALUES[field])
    steps: list[st.SearchStrategy[Step]] = [
        st.builds(Write, st.lists(points, min_size=1, max_size=5)),
        st.builds(Write, st.lists(points, min_size=10, max_size=30)),
        st.builds(lambda a, b: Delete(min(a, b), max(a, b)), TIMES, TIMES),
        st.sampled_from([Move(), Forget(), Backfill(), Backfill()]),
    ]
    return st.lists(st.one_of(steps), min_size=3, max_size=8)


FIELDS_AND_STEPS = st.sampled_from(list(VALUES)).flatmap(
    lambda field: st.tuples(st.just(field), make_steps(field))
)
EDGES = st.lists(st.integers(-4, 6), min_size=2, max_size=6, unique=True).map(sorted)


def make_windows(origin: int, edges: Sequence[int], step: int | None) -> Windows:
    """Return windows between hours from an origin, or of one width in nanoseconds."""
    start, stop = (origin + edge * HOUR for edge in (edges[0], edges[-1]))
    if step is None:
        return Windows(tuple(origin + edge * HOUR for edge in edges))
    return Windows(tuple(range(start, stop + step, step)), step)


async def write(
    store: SqliteSeriesStore, model: Model, field: str, points: Sequence[tuple[str, str, int, Value]]
) -> None:
    for database in ("d", "other"):
        batch = []
        for name, spindle, at, value in points:
            if name == database:
                batch.append(Point("state", ((MACHINE, "M"), ("spindle", spindle)), {field: value}, at))
                model.setdefault((name, spindle), {})[at] = value
        assert not any(await store.write(database, batch))


async def take(store: SqliteSeriesStore, model: Model, field: str, step: Step, origin: int) -> None:
    """Apply a step to a store, and to the model of what is in it."""
    match step:
        case Write(points):
            await write(
                store, model, field, [(name, spindle, origin + at, v) for name, spindle, at, v in points]
            )
        case Delete(start, stop):
            await store.delete("d", Deletion(origin + start, origin + stop))
            for (database, _), samples in model.items():
                for at in [at for at in samples if origin + start <= at < origin + stop and database == "d"]:
                    del samples[at]
        case Move():
            await store.move_machines("other", {"M": "d"})
            for spindle in SPINDLES:
                moved = model.pop(("other", spindle), {})
                model["d", spindle] = moved | model.get(("d", spindle), {})
        case Forget():
            await store._file.write(
                lambda db: db.execute(
                    f"UPDATE series SET is_behind = 1, rolled_until = {FIRST_HOUR};"
                    " DELETE FROM rollups; DELETE FROM changes"
                )
            )
        case Backfill():
            await store.backfill()


def aggregate(samples: Sequence[tuple[int, Any]], function: AggregateFunction, q: float) -> Any:
    """Return the value of a window by definition; None if it has none."""
    values: list[Any] = [value for _, value in samples]
    if not values or (type(values[0]) is str and function in NUMERIC):
        return None
    numbers = values if type(values[0]) is str else [Fraction(value) for value in values]
    match function:
        case "count":
            return len(values)
        case "first" | "last":
            edge = (min if function == "first" else max)(at for at, _ in samples)
            return max(value for at, value in samples if at == edge)
        case "mean":
            return float(sum(numbers) / len(values))
        case "stddev":
            if len(values) < 2:
                return None
            mean = sum(numbers) / len(values)
            return math.sqrt(sum((number - mean) ** 2 for number in numbers) / (len(values) - 1))
        case "quantile":
            value = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
            return int(value) if type(value) is bool else value
        case "sum":
            return sum(values)
        case _:
            value = (min if function == "min" else max)(values)
            return int(value) if type(value) is bool else value


def assert_equal(function: AggregateFunction, values: Sequence[Any], actual: Any, expected: Any) -> None:
    if type(expected) is float:
        scale = max(abs(float(value)) for value in values)
        assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale if function != "stddev" else 1e-7)
    else:
        assert actual == expected
    wanted = int if type(expected) in (int, Unsigned) else type(expected)
    assert type(actual) is wanted


async def check(
    store: SqliteSeriesStore, model: Model, field: str, windows: Windows, start: int, stop: int, q: float
) -> None:
    """Compare what the store answers with what its samples say."""
    series = store.database("d")
    by_spindle = {
        spindle: {at: v for at, v in model.get(("d", spindle), {}).items() if start <= at < stop}
        for spindle in SPINDLES
    }
    query = SeriesQuery("state", [field], ["M"], start, stop)
    for period in (None, HOUR):
        changes = await series.changes(query, 1000, period)
        assert changes.get("M", {}).get(field, {}) == {
            (("spindle", spindle),): drop_repeats(
                (Sample(*sample) for sample in sorted(samples.items())), period
            )
            for spindle, samples in by_spindle.items()
            if samples
        }
    counts = await series.counts(SourceQuery([Source("state", field)], ["M"], start, stop))
    assert counts.get("M", 0) == sum(map(len, by_spindle.values()))
    if field != "s":
        await check_areas(series, query, windows, by_spindle)
    for by, groups in (
        (("spindle",), {(("spindle", s),): list(v.items()) for s, v in by_spindle.items()}),
        ((), {(): [sample for v in by_spindle.values() for sample in v.items()]}),
    ):
        for function in FUNCTIONS:
            cells = await series.windows(query, windows, Aggregation(function, q, by))
            for tags, samples in groups.items():
                check_cells(cells.get("M", {}).get(field, {}).get(tags, []), samples, windows, function, q)


async def check_areas(
    series: SeriesDatabase, query: SeriesQuery, windows: Windows, by_spindle: dict[str, dict[int, Value]]
) -> None:
    for rule in (AreaRule(), AreaRule("linear", HOUR // 2)):
        by_tags = (await series.areas(query, windows, rule)).get("M", {}).get(query.fields[0], {})
        for spindle, by_time in by_spindle.items():
            samples = [Sample(*sample) for sample in sorted(by_time.items())]
            scale = max((abs(float(value)) for value in by_time.values()), default=0.0)
            cells = by_tags.pop((("spindle", spindle),), [])
            assert are_close(cells, add_up(samples, windows.edges, rule), 1e-7 + 1e-9 * scale * 3600)
    assert not by_tags


def check_cells(
    cells: Sequence[Cell],
    samples: Sequence[tuple[int, Value]],
    windows: Windows,
    function: AggregateFunction,
    q: float,
) -> None:
    assert cells == sorted(cells)
    actual = dict(cells)
    for i, (edge, next_edge) in enumerate(pairwise(windows.edges)):
        inside = [(at, value) for at, value in samples if edge <= at < next_edge]
        expected = aggregate(inside, function, q)
        if expected is not None:
            assert_equal(function, [value for _, value in inside], actual.pop(i), expected)
    assert not actual


@randomized(100)
@given(
    FIELDS_AND_STEPS,
    ORIGINS,
    EDGES,
    st.sampled_from([None, None, HOUR, 2 * HOUR, 3 * HOUR, HOUR // 2]),
    st.none() | st.tuples(TIMES, TIMES),
    st.floats(0, 1),
)
def test_answers_are_those_of_the_samples_after_late_points_deletions_and_moves(
    tmp_path_factory: pytest.TempPathFactory,
    field_and_steps: tuple[str, list[Step]],
    origin: int,
    edges: list[int],
    width: int | None,
    cut: tuple[int, int] | None,
    q: float,
) -> None:
    field, steps = field_and_steps
    windows = make_windows(origin, edges, width)
    start, stop = windows.edges[0], windows.edges[-1]
    if cut is not None:
        start, stop = max(start, origin + min(cut)), min(stop, origin + max(cut))
        if width is None and start < stop and len(edges) % 2:  # the whole range as one window
            windows = Windows((start, stop), stop - start)

    async def run() -> None:
        store = SqliteSeriesStore(tmp_path_factory.mktemp("derived") / "series.db")
        model: Model = {}
        for step in steps:
            await take(store, model, field, step, origin)
            await check(store, model, field, windows, start, max(start, stop), q)
        await store.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(series_backfill, "MAX_SAMPLES", 3)
        asyncio.run(run())
