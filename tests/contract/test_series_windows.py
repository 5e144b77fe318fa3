"""The contract of the time-series stores: what the values of windows come to."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stores.contracts.samples import SECOND, Sample, Unsigned, Value
from stores.contracts.series_queries import (
    AggregateFunction,
    Aggregation,
    SeriesQuery,
    Source,
    SourceQuery,
    Windows,
)
from tests.contract.points import MINUTE, T, minutes, point
from tests.contract.series_stores import Written, over, read_last, read_points, read_windows

VALUES: dict[str, list[Any]] = {
    "i": [5, 1, 9, 3, 3],
    "f": [0.5, -2.0, 4.25, 1.0, 1.0],
    "b": [True, False, True, True, False],
    "s": ["b", "a", "", "c", "a"],
}
EXPECTED: dict[AggregateFunction, dict[str, Value | None]] = {
    "mean": {"i": 4.2, "f": 0.95, "b": 0.6},
    "min": {"i": 1, "f": -2.0, "b": 0},
    "max": {"i": 9, "f": 4.25, "b": 1},
    "sum": {"i": 21, "f": 4.75, "b": 3},
    "count": {"i": 5, "f": 5, "b": 5, "s": 5},
    "first": {"i": 5, "f": 0.5, "b": True, "s": "b"},
    "last": {"i": 3, "f": 1.0, "b": False, "s": "a"},
    "stddev": {"i": 3.03315017762062, "f": 2.2248595461286986, "b": 0.5477225575051661},
}


@pytest.mark.parametrize("function", list(EXPECTED))
async def test_a_window_has_the_aggregate_of_its_values(
    written: Written, function: AggregateFunction
) -> None:
    rows = [{name: values[n] for name, values in VALUES.items()} for n in range(5)]
    await written.put(*(point(T + n * SECOND, **row) for n, row in enumerate(rows)))
    await written.put(point(T + 2 * MINUTE, i=8), point(T - 1, i=100), point(T + 3 * MINUTE, i=100))
    windows = minutes(T, T + 3 * MINUTE)
    cells = (
        await read_windows(
            written.series,
            over(windows, "state", list("ifbs"), ["M1"]),
            windows,
            Aggregation(function),
        )
    )["M1"]
    for name, expected in EXPECTED[function].items():
        number, value = cells[name][0]
        assert number == 0
        assert value == pytest.approx(expected) if isinstance(expected, float) else value == expected
        assert type(value) is type(expected)
    assert set(cells) == set(EXPECTED[function])
    alone = {"count": 1, "stddev": None, "mean": 8.0}.get(function, 8)
    assert cells["i"][1:] == ([] if alone is None else [(2, alone)])


@pytest.mark.parametrize(
    ("q", "expected"), [(0.0, 1.0), (0.2, 1.0), (0.21, 3.0), (0.5, 3.0), (0.9, 9.0), (1.0, 9.0)]
)
async def test_a_quantile_is_the_nearest_rank(written: Written, q: float, expected: float) -> None:
    for n in range(5):
        await written.put(point(T + n, i=VALUES["i"][n], f=VALUES["f"][n], b=VALUES["b"][n]))
    cells = await read_windows(
        written.series,
        over(minutes(T, T + MINUTE), "state", ["i", "b"], ["M1", "M2"]),
        minutes(T, T + MINUTE),
        Aggregation("quantile", q),
    )
    assert cells["M1"]["i"] == [(0, expected)]
    assert cells["M1"]["b"] == [(0, 0.0 if q <= 0.4 else 1.0)]
    assert type(cells["M1"]["i"][0][1]) is int


async def test_sums_of_integers_are_exact_beyond_64_bits(written: Written) -> None:
    most = 2**63 - 1
    await written.put(*(point(T + n, a=most, c=-most) for n in range(3)))
    cells = await read_windows(
        written.series,
        over(minutes(T, T + MINUTE), "state", ["a", "c"], ["M1"]),
        minutes(T, T + MINUTE),
        Aggregation("sum"),
    )
    assert cells == {"M1": {"a": [(0, 3 * most)], "c": [(0, -3 * most)]}}


async def test_unsigned_integers_of_64_bits_are_exact(written: Written) -> None:
    most = 2**64 - 1
    values = [5, most, 2**63, 0]
    await written.put(*(point(T + n, a=Unsigned(value)) for n, value in enumerate(values)))
    series, windows = written.series, minutes(T, T + MINUTE)
    query = over(windows, "state", ["a"], ["M1"])
    assert await series.latest(query) == {"M1": {"a": Sample(T + 3, 0)}}
    points = await read_points(series, query, 9)
    assert points == {"M1": {"a": [Sample(T + n, value) for n, value in enumerate(values)]}}
    assert [type(sample.value) for sample in points["M1"]["a"]] == [int] * 4
    expected: dict[AggregateFunction, Value] = {
        "min": 0, "max": most, "sum": sum(values), "count": 4, "first": 5, "last": 0,
    }  # fmt: skip
    for function, value in expected.items():
        cells = await read_windows(series, query, windows, Aggregation(function))
        assert cells == {"M1": {"a": [(0, value)]}}
        assert type(cells["M1"]["a"][0][1]) is int
    [(_, mean)] = (await read_windows(series, query, windows, Aggregation("mean")))["M1"]["a"]
    assert mean == pytest.approx(sum(values) / 4)
    for q, value in ((0.75, 2**63), (1.0, most)):
        cells = await read_windows(series, query, windows, Aggregation("quantile", q))
        assert cells == {"M1": {"a": [(0, value)]}}
        assert type(cells["M1"]["a"][0][1]) is int
    last = await read_last(series, SourceQuery([Source("state", "a")]), 2)
    assert [occurrence.value for occurrence in last] == [0, 2**63]


async def test_several_series_of_a_machine_count_together(written: Written) -> None:
    await written.put(
        point(T, a=1, tag_line="x"), point(T, a=5, tag_line="y"), point(T + 1, a=3, tag_line="x")
    )
    windows = minutes(T, T + MINUTE)
    for function, expected in (("sum", 9), ("count", 3), ("first", 5), ("last", 3)):
        cells = await read_windows(
            written.series,
            over(windows, "state", ["a"], ["M1"]),
            windows,
            Aggregation(function),  # type: ignore[arg-type]  # a parameter of the test
        )
        assert cells == {"M1": {"a": [(0, expected)]}}
    assert await written.series.latest(SeriesQuery("state", ["a"], ["M1"], stop=T + 1)) == {
        "M1": {"a": Sample(T, 5)}
    }


def days(zone: str, first: datetime, count: int) -> Windows:
    starts = [(first + timedelta(days=n)).replace(tzinfo=ZoneInfo(zone)) for n in range(count + 1)]
    edges = tuple(int(start.timestamp()) * SECOND for start in starts)
    return Windows(edges, None, "day", zone)


@pytest.mark.parametrize("first", [datetime(2026, 3, 27), datetime(2026, 10, 23)])
async def test_days_of_23_and_25_hours_are_whole(written: Written, first: datetime) -> None:
    windows = days("Europe/Berlin", first, 4)
    hours = range(windows.edges[0], windows.edges[-1], 3600 * SECOND)
    await written.put(*(point(at, a=1) for at in hours))
    cells = await read_windows(
        written.series,
        over(windows, "state", ["a"], ["M1"]),
        windows,
        Aggregation("count"),
    )
    lengths = [(b - a) // (3600 * SECOND) for a, b in zip(windows.edges, windows.edges[1:], strict=False)]
    assert sorted(set(lengths)) in ([23, 24], [24, 25])
    assert cells["M1"]["a"] == list(enumerate(lengths))


async def test_a_range_cuts_its_first_and_last_window(written: Written) -> None:
    await written.put(*(point(T + n * SECOND, a=1) for n in range(180)))
    windows = minutes(T, T + 3 * MINUTE)
    query = SeriesQuery("state", ["a"], ["M1"], T + 30 * SECOND, T + 130 * SECOND)
    cells = await read_windows(written.series, query, windows, Aggregation("count"))
    assert cells["M1"]["a"] == [(0, 30), (1, 60), (2, 10)]


async def test_means_and_deviations_of_many_values_are_stable(written: Written) -> None:
    values: Sequence[float] = [1e9 + math.sin(n) for n in range(1000)]
    await written.put(*(point(T + n * SECOND // 100, a=value) for n, value in enumerate(values)))
    mean = math.fsum(values) / 1000
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / 999)
    windows = minutes(T, T + MINUTE)
    [(_, value)] = (
        await read_windows(
            written.series,
            over(windows, "state", ["a"], ["M1"]),
            windows,
            Aggregation("stddev"),
        )
    )["M1"]["a"]
    assert value == pytest.approx(deviation, rel=1e-6)
    [(_, value)] = (
        await read_windows(
            written.series,
            over(windows, "state", ["a"], ["M1"]),
            windows,
            Aggregation("mean"),
        )
    )["M1"]["a"]
    assert value == pytest.approx(mean, rel=1e-14)
