"""Tags of points, on every time-series store."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from stores.contracts.samples import MACHINE, SECOND, Neighbours, Point, Sample
from stores.contracts.series_queries import AggregateFunction, Aggregation, SeriesQuery, Source, SourceQuery
from stores.wrappers.tagged import TaggedSeriesDatabase
from tests.contract.points import MINUTE, T, minutes, point
from tests.contract.series_stores import Written, over, read_last, read_points, read_windows


async def test_each_tag_set_is_a_series_with_neighbours_of_its_own(written: Written) -> None:
    one, both = (("spindle", "1"),), (("line", "a,b"), ("spindle", "2"))
    for spindle, tags in (("1", {}), ("2", {"tag_line": "a,b"})):
        for n in range(4):
            await written.put(point(T + 10 * n + int(spindle), tag_spindle=spindle, a=n, **tags))
    await written.put(point(T + 25, a=9), point(T, tag_spindle="1", b="text"), point(T, "M2", a=1))
    query = SeriesQuery("state", ["a", "b"], ["M1"], T + 5, T + 15)
    assert await written.series.points(query, 2) == {
        "M1": {"a": {one: [Sample(T + 11, 1)], both: [Sample(T + 12, 1)]}}
    }
    assert await written.series.neighbours(query) == {
        "M1": {
            "a": {
                one: Neighbours(Sample(T + 1, 0), Sample(T + 21, 2)),
                both: Neighbours(Sample(T + 2, 0), Sample(T + 22, 2)),
                (): Neighbours(None, Sample(T + 25, 9)),
            },
            "b": {one: Neighbours(Sample(T, "text"), None)},
        }
    }
    selected = replace(query, where=(("spindle", ("2", "3")),))
    assert await written.series.points(selected, 1) == {"M1": {"a": {both: [Sample(T + 12, 1)]}}}
    assert await written.series.neighbours(selected) == {
        "M1": {"a": {both: Neighbours(Sample(T + 2, 0), Sample(T + 22, 2))}}
    }
    assert await written.series.neighbours(replace(query, machines=["M9"])) == {}
    hidden = TaggedSeriesDatabase(written.series, ("spindle", "2"))
    assert await hidden.points(query, 1) == {"M1": {"a": {(("line", "a,b"),): [Sample(T + 12, 1)]}}}
    assert list((await hidden.neighbours(query))["M1"]["a"]) == [(("line", "a,b"),)]


@pytest.mark.parametrize("function", get_args(AggregateFunction))
async def test_windows_are_aggregated_by_tags(written: Written, function: AggregateFunction) -> None:
    """The groups of a machine have what each would have if it were a machine of its own."""
    expected: dict[tuple[tuple[str, str], ...], Any] = {}
    points = []
    for n, tags in enumerate(({"spindle": "1"}, {"spindle": "2"}, {})):
        key = tuple(tags.items())
        for line in "xy":
            for second in range(7):
                row: dict[str, Any] = {
                    "a": (n + 1) * second - len(line),
                    "f": 0.5 * second,
                    "b": second % 2 == n % 2,
                }
                at = T + 17 * second * SECOND + n + (line == "y")
                row |= {f"tag_{name}": value for name, value in tags.items()} | {"tag_line": line}
                points += [point(at, **row), point(at, f"only{n}", **row)]
        expected[key] = f"only{n}"
    await written.put(*points, point(T, "M1", "state", s="text"))
    windows = minutes(T, T + 3 * MINUTE)
    q = 0.5 if function == "quantile" else None
    machines = ["M1", "only0", "only1", "only2"]
    query = over(windows, "state", ["a", "f", "b", "s"], machines)
    alone = await read_windows(written.series, query, windows, Aggregation(function, q))
    grouped = await written.series.windows(query, windows, Aggregation(function, q, ("spindle",)))
    for field in "afb":
        assert grouped["M1"][field] == {key: alone[name][field] for key, name in expected.items()}
        assert len(grouped["M1"][field]) == 3
    by_both = await written.series.windows(query, windows, Aggregation(function, q, ("spindle", "line")))
    assert (("line", "x"), ("spindle", "1")) in by_both["M1"]["a"]
    assert len(by_both["M1"]["a"]) == 6
    # What is not a tag separates nothing: a field, a column of the server's, an unknown name.
    for name in ("f", "_value", "time", "table", 'no"thing'):
        together = await written.series.windows(query, windows, Aggregation(function, q, (name,)))
        assert together == {
            machine: {field: {(): cells} for field, cells in by_field.items()}
            for machine, by_field in alone.items()
        }


async def test_only_the_points_with_one_value_of_a_tag_are_seen(written: Written) -> None:
    for n, owner in enumerate(("own", 'for"eign', None)):
        tags = {MACHINE: "M1"} if owner is None else {MACHINE: "M1", "owner": owner}
        await written.put(Point("state", tuple(sorted(tags.items())), {"a": n, "power": n == 1}, T + n))
    await written.put(point(T, "M2", a=9), Point("other", ((MACHINE, "M1"),), {"a": 5}, T))
    windows = minutes(T, T + MINUTE)
    for n, owner in enumerate(("own", 'for"eign', "nobody")):
        series = TaggedSeriesDatabase(written.series, ("owner", owner))
        is_there = owner != "nobody"
        sample = Sample(T + n, n)
        query = SeriesQuery("state", ["a"], ["M1", "M2"])
        assert await series.latest(query) == ({"M1": {"a": sample}} if is_there else {})
        assert await read_points(series, query, 1) == ({"M1": {"a": [sample]}} if is_there else {})
        grouped = await series.windows(
            over(windows, "state", ["a"], ["M1"]), windows, Aggregation("sum", by=("owner",))
        )
        assert grouped == ({"M1": {"a": {(): [(0, n)]}}} if is_there else {})
        cells = await read_windows(series, over(windows, "state", ["a"], ["M1"]), windows, Aggregation("sum"))
        assert cells == ({"M1": {"a": [(0, n)]}} if is_there else {})
        sources = SourceQuery([Source("state", "a"), Source("other", "a")], ["M1", "M2"])
        assert [event.value for event in await read_last(series, sources, 5)] == [n] * is_there
        assert await series.counts(sources) == ({"M1": 1} if is_there else {})
        power = SourceQuery([Source("state", "power", values=(True,))])
        assert await series.machines_with(power) == ({"M1"} if n == 1 else set())
