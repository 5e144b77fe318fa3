"""The areas under the samples of windows, on every time-series store, against sums of fractions."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise
from random import Random
from typing import Any

import pytest

from stores.contracts.areas import Area, AreaCell, AreaRule, Signal
from stores.contracts.samples import SECOND, Sample, Unsigned
from stores.contracts.series_queries import SeriesQuery, Windows
from stores.wrappers.tagged import TaggedSeriesDatabase
from tests.contract.points import MINUTE, T, minutes, point
from tests.contract.series_stores import Written, over

HALF_HOUR = 30 * MINUTE
# Windows of one width, and of several, as a calendar makes them across a clock change
WINDOWS = [
    minutes(T, T + 10 * MINUTE),
    Windows((T, T + 2 * MINUTE, T + 4 * MINUTE, T + 5 * MINUTE, T + 7 * MINUTE, T + 10 * MINUTE)),
]


def add_up(samples: Sequence[Sample], edges: Sequence[int], rule: AreaRule) -> list[AreaCell]:
    """Return the areas of samples, computed with fractions."""
    areas: list[AreaCell] = []
    for window, members in groupby(samples, lambda sample: bisect_right(edges, sample.time) - 1):
        inside = list(members)
        area, covered = Fraction(0), 0
        for earlier, later in pairwise(inside):
            if rule.max_gap is not None and later.time - earlier.time > rule.max_gap:
                continue
            before, after = Fraction(float(earlier.value)), Fraction(float(later.value))
            height = before if rule.signal == "step" else (before + after) / 2
            area += height * Fraction(later.time - earlier.time, SECOND)
            covered += later.time - earlier.time
        first, last = inside[0], inside[-1]
        values = float(first.value), float(last.value)
        areas.append((window, Area(first.time, values[0], last.time, values[1], float(area), covered)))
    return areas


def are_close(cells: Sequence[AreaCell], expected: Sequence[AreaCell], tolerance: float = 1e-9) -> bool:
    exact, exact_expected = (
        [(window, area._replace(area=0.0)) for window, area in both] for both in (cells, expected)
    )
    sums, expected_sums = ([area.area for _, area in both] for both in (cells, expected))
    return exact == exact_expected and sums == pytest.approx(expected_sums, rel=1e-12, abs=tolerance)


# Long because every kind of values is written once and then read in every way.
@pytest.mark.parametrize("signal", ["step", "linear"])
async def test_areas_are_those_of_each_tag_set_in_each_window(written: Written, signal: Signal) -> None:
    random = Random(signal)
    make: dict[str, Any] = {
        "f": lambda: random.uniform(-5, 5),
        "i": lambda: random.randint(-(10**6), 10**6),
        "u": lambda: Unsigned(random.choice((7, 2**64 - 1))),
        "b": lambda: random.random() < 0.5,
    }
    samples: dict[tuple[Any, ...], dict[str, list[Sample]]] = {}
    points = []
    for tags in ({}, {"spindle": "1"}, {"spindle": "2", "axis": "x y"}):
        of_tags = samples.setdefault(tuple(sorted(tags.items())), {name: [] for name in make})
        time = T - MINUTE
        while time < T + 11 * MINUTE:
            time += random.choice((1, 17 * SECOND, 40 * SECOND, 90 * SECOND, 4 * MINUTE)) + random.randrange(
                9
            )
            values: dict[str, Any] = {name: draw() for name, draw in make.items() if random.random() < 0.9}
            for name, value in values.items():
                of_tags[name].append(Sample(time, value))
            if values:
                named = {f"tag_{name}": value for name, value in tags.items()}
                points.append(point(time, **values, **named))
    await written.put(*points, point(T, "M2", f=1.0), point(T, s="text"))
    for windows in WINDOWS:
        for max_gap in (None, MINUTE if signal == "step" else 5):
            rule, query = AreaRule(signal, max_gap), over(windows, "state", [*make, "s"], ["M1", "M3"])
            for start, stop in ((query.start, query.stop), (T + 90 * SECOND, T + 5 * MINUTE + 1)):
                areas = await written.series.areas(replace(query, start=start, stop=stop), windows, rule)
                assert set(areas) == {"M1"}
                assert set(areas["M1"]) == set(make)
                for key, by_field in samples.items():
                    for name, written_samples in by_field.items():
                        inside = [sample for sample in written_samples if start <= sample.time < stop]
                        expected = add_up(inside, windows.edges, rule)
                        assert are_close(areas["M1"][name].get(key, []), expected)


async def test_areas_before_1970_and_of_many_years(written: Written) -> None:
    day, rule = 24 * 60 * MINUTE, AreaRule()
    for windows in (
        Windows((-2 * MINUTE, -MINUTE, 0, MINUTE), MINUTE),
        Windows(tuple(T + n * 40 * day for n in range(10)), 40 * day),
    ):
        times = [(edge + next_edge) // 2 + n for edge, next_edge in pairwise(windows.edges) for n in (0, 7)]
        await written.put(*(point(time, a=n) for n, time in enumerate(times)))
        areas = await written.series.areas(over(windows, "state", ["a"], ["M1"]), windows, rule)
        samples = [Sample(time, n) for n, time in enumerate(times)]
        assert are_close(areas["M1"]["a"][()], add_up(samples, windows.edges, rule))


async def test_areas_of_what_is_not_there_are_empty(written: Written) -> None:
    windows = minutes(T, T + MINUTE)
    rule = AreaRule()
    assert await written.series.areas(over(windows, "state", ["a"], ["M1"]), windows, rule) == {}
    await written.put(
        point(T, a=1, tag_owner="me"), point(T, "M2", a=2), point(T + SECOND, a=3, tag_owner="me")
    )
    for query in (
        over(windows, "state", ["b"], ["M1"]),
        over(windows, "other", ["a"], ["M1"]),
        over(windows, "state", ["a"], []),
        over(windows, "state", ["a"], ["M3"]),
        SeriesQuery("state", ["a"], ["M1"], T, T),
        replace(over(windows, "state", ["a"], ["M1"]), where=(("owner", ("you",)),)),
        replace(over(windows, "state", ["a"], ["M1"]), where=(("nobody", ("me",)),)),
    ):
        assert await written.series.areas(query, windows, rule) == {}
    query = over(windows, "state", ["a"], ["M1", "M2"])
    mine = 0, Area(T, 1.0, T + SECOND, 3.0, 1.0, SECOND)
    assert await written.series.areas(query, windows, rule) == {
        "M1": {"a": {(("owner", "me"),): [mine]}},
        "M2": {"a": {(): [(0, Area(T, 2.0, T, 2.0, 0.0, 0))]}},
    }
    hidden = TaggedSeriesDatabase(written.series, ("owner", "me"))
    assert await hidden.areas(query, windows, rule) == {"M1": {"a": {(): [mine]}}}
