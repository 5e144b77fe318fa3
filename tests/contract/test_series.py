"""The contract of the time-series stores: the same points give the same answers on all three."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from stores.contracts.errors import LimitExceeded, Unavailable
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Occurrence, Point, Sample, Value
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery
from stores.entities.machine_events import SOURCES, EventConditions, list_sources_of
from tests.contract.points import HOSTILE, MINUTE, T, minutes, point
from tests.contract.series_stores import Written, over, read_last, read_points, read_windows


async def test_what_was_never_written_is_empty(written: Written) -> None:
    series = written.series
    windows = minutes(T, T + MINUTE)
    for _ in range(2):
        assert await series.latest(SeriesQuery("state", ["power"], ["M1"])) == {}
        assert await read_points(series, SeriesQuery("state", ["power"], ["M1"], 0, T), 10) == {}
        assert (
            await read_windows(
                series,
                over(windows, "state", ["power"], ["M1"]),
                windows,
                Aggregation("mean"),
            )
            == {}
        )
        assert await read_last(series, SourceQuery(SOURCES, None, 0, T), 5) == []
        assert await series.last([SourceQuery(SOURCES, ["M1"], 0, T)], 5) == [[]]
        assert await series.last_by_machine(SourceQuery(SOURCES, ["M1"], 0, T), 5) == {}
        assert await series.counts(SourceQuery(SOURCES, None, 0, T)) == {None: 0}
        assert await series.counts(SourceQuery(SOURCES, ["M1"], 0, T)) == {}
        assert await series.machines_with(SourceQuery([Source("state", "power")], None, 0, T)) == set()
        await written.put(point(T, measurement="other", x=1))


async def test_the_catalogue_names_every_field_and_its_kind(written: Written) -> None:
    await written.put(point(T, a=1, b=1.0, c="", d=True), point(T, measurement="two words", a="x", tag_t="y"))
    catalogue = await written.series.catalogue()
    assert catalogue["state"] == {"a": "integer", "b": "float", "c": "string", "d": "boolean"}
    assert catalogue["two words"] == {"a": "string"}


async def test_the_latest_value_is_that_of_each_field(written: Written) -> None:
    await written.put(point(T, power=True, mode="A"), point(T + 7, execution=""), point(T + 1, power=False))
    await written.put(point(T - 5, "M2", power=True), point(T, None, power=True), point(T, "M3", power=True))
    latest = await written.series.latest(
        SeriesQuery("state", ["power", "mode", "execution", "none"], ["M1", "M2", "M9"])
    )
    assert latest == {
        "M1": {"power": Sample(T + 1, False), "mode": Sample(T, "A"), "execution": Sample(T + 7, "")},
        "M2": {"power": Sample(T - 5, True)},
    }
    assert type(latest["M1"]["power"].value) is bool
    assert await written.series.latest(SeriesQuery("state", ["power"], ["M1"], stop=T + 1)) == {
        "M1": {"power": Sample(T, True)}
    }


async def test_points_of_a_time_are_merged_and_the_later_write_wins(written: Written) -> None:
    await written.put(point(T, a=1, b="x"))
    await written.put(point(T, a=2, c=0.5), point(T - 9, a=7))
    samples = await read_points(
        written.series, SeriesQuery("state", ["a", "b", "c"], ["M1"], T - 10, T + 1), 10
    )
    assert samples == {
        "M1": {"a": [Sample(T - 9, 7), Sample(T, 2)], "b": [Sample(T, "x")], "c": [Sample(T, 0.5)]}
    }
    assert await written.series.counts(SourceQuery([Source("state", "a")], None, T - 10, T + 1)) == {None: 2}


async def test_points_are_of_a_half_open_range_and_within_a_limit(written: Written) -> None:
    await written.put(*(point(T + n, f"M{n % 2}", a=n) for n in range(10)))
    await written.put(point(T + 4, "M0", a=-4, tag_line="second"))
    samples = await read_points(written.series, SeriesQuery("state", ["a"], ["M0", "M1"], T + 3, T + 7), 5)
    assert samples == {
        "M0": {"a": [Sample(T + 4, -4), Sample(T + 4, 4), Sample(T + 6, 6)]},
        "M1": {"a": [Sample(T + 3, 3), Sample(T + 5, 5)]},
    }
    with pytest.raises(LimitExceeded):
        await read_points(written.series, SeriesQuery("state", ["a"], ["M0", "M1"], T + 3, T + 7), 4)


async def test_a_database_that_does_not_exist_is_empty_or_on_a_server_an_error(written: Written) -> None:
    missing = written.store.database("no-such")
    if isinstance(written.store, WritableSeriesStore):
        assert await missing.catalogue() == {}
        assert await missing.counts(SourceQuery(SOURCES)) == {None: 0}
        return
    calls: list[Awaitable[Any]] = [
        missing.catalogue(),
        missing.latest(SeriesQuery("state", ["power"], ["M1"])),
        missing.counts(SourceQuery(SOURCES)),
        missing.machines_with(SourceQuery([Source("state", "power")])),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="no database 'no-such'"):
            await call


async def test_the_last_values_are_in_the_order_of_time_source_and_machine(written: Written) -> None:
    await written.put(point(T, execution="ACTIVE", mode="AUTO"), point(T, None, execution="X"))
    await written.put(point(T + 1, "M2", "production", pieces_produced=2**60 + 1, op_code=""))
    await written.put(
        point(T + 2, "M1", "events", event_value="hot", tag_event_id="e1", tag_event_class="ALARM")
    )
    await written.put(point(T - 1, "M2", mode="MANUAL"), point(T, "M1", power=True))
    everything = [
        Occurrence(T + 2, "M1", 5, "hot", ("e1", "ALARM")),
        Occurrence(T + 1, "M2", 2, "", ()),
        Occurrence(T + 1, "M2", 4, 2**60 + 1, ()),
        Occurrence(T, None, 0, "X", ()),
        Occurrence(T, "M1", 0, "ACTIVE", ()),
        Occurrence(T, "M1", 1, "AUTO", ()),
        Occurrence(T - 1, "M2", 1, "MANUAL", ()),
    ]
    series = written.series
    assert await read_last(series, SourceQuery(SOURCES, None, T - 1, END_OF_TIME), 20) == everything
    assert await read_last(series, SourceQuery(SOURCES, None, T - 1, END_OF_TIME), 4) == everything[:4]
    assert await read_last(series, SourceQuery(SOURCES, None, T, T + 2), 20) == everything[1:6]
    of_m1, of_m2 = (
        [occurrence for occurrence in everything if occurrence.machine == name] for name in ("M1", "M2")
    )
    assert await series.last_by_machine(SourceQuery(SOURCES, ["M2", "M1", "M9"], T - 1, END_OF_TIME), 2) == {
        "M1": of_m1[:2],
        "M2": of_m2[:2],
    }
    narrowed = list_sources_of(EventConditions(("ALARM", "mode")))
    assert [
        occurrence.value
        for occurrence in await read_last(series, SourceQuery(narrowed, None, 0, END_OF_TIME), 9)
    ] == [
        "hot",
        "AUTO",
        "MANUAL",
    ]


async def test_counts_are_of_all_sources_by_machine_or_together(written: Written) -> None:
    await written.put(*(point(T + n * MINUTE, f"M{n % 3}", execution="A", mode="B") for n in range(300)))
    await written.put(point(T, None, mode="B"), point(T, "M1", "production", op_code="1", pieces_produced=4))
    await written.put(point(T, "M1", "events", event_value="x", tag_event_class="ALARM"))
    series = written.series
    assert await series.counts(SourceQuery(SOURCES, None, -END_OF_TIME, END_OF_TIME)) == {None: 604}
    assert await series.counts(SourceQuery(SOURCES, None, T + 61 * MINUTE, T + 250 * MINUTE)) == {None: 378}
    assert await series.counts(SourceQuery(SOURCES, ["M0", "M1", "M9"], T, END_OF_TIME)) == {
        "M0": 200,
        "M1": 203,
    }
    assert await series.counts(
        SourceQuery(list_sources_of(EventConditions(("ALARM",))), ["M1"], T, T + 1)
    ) == {"M1": 1}


async def test_machines_with_a_value_are_those_of_a_range(written: Written) -> None:
    await written.put(point(T, power=True), point(T + 1, power=False), point(T, None, power=True))
    await written.put(point(T - 1, "M2", power=True), point(T, "M3", power=False), point(T, "M4", n=1))
    series = written.series
    power = Source("state", "power", values=(True,))
    assert await series.machines_with(SourceQuery([power], None, T, END_OF_TIME)) == {"M1", None}
    assert await series.machines_with(SourceQuery([power], None, T - 1, T)) == {"M2"}
    assert await series.machines_with(SourceQuery([power], ["M2", "M3"])) == {"M2"}
    anything = SourceQuery([Source("state", "power"), Source("state", "n")], None, T, END_OF_TIME)
    assert await series.machines_with(anything) == {"M1", "M3", "M4", None}
    await written.put(point(T, "M1", n=1))  # beside a field of another kind
    assert await series.machines_with(anything) == {"M1", "M3", "M4", None}
    for source in (replace(power, values=("true",)), replace(power, values=()), replace(power, field="n")):
        assert await series.machines_with(SourceQuery([source], None, T - 9, END_OF_TIME)) == set()


async def test_machines_are_those_with_any_sample_in_a_range(written: Written) -> None:
    series = written.series
    assert await series.machines(T, T + 1) == set()
    await written.put(
        point(T, "M1", power=True, n=1),
        point(T, "M1", "production", pieces=1, tag_owner="o'1"),
        point(T, "M2", "energy", kw=1.5, tag_owner="o'1"),
        point(T - 1, "M3", text="x", tag_owner="o2"),
        point(T, None, power=True, tag_owner="o'1"),
        Point("cpu", (("host", "edge"),), {"idle": 1.0}, T),
    )
    assert await series.machines(T, T + 1) == {"M1", "M2"}
    assert await series.machines(T - 1, T) == {"M3"}
    assert await series.machines(-END_OF_TIME, END_OF_TIME) == {"M1", "M2", "M3"}
    assert await series.machines(T, END_OF_TIME, (("owner", ("o'1", "o2")),)) == {"M1", "M2"}
    assert await series.machines(T - 1, T + 1, (("owner", ("o2",)),)) == {"M3"}
    assert await series.machines(T, T + 1, (("no such tag", ("o2",)),)) == set()


@pytest.mark.parametrize("at", [T, T + 1, 4_000_000_000 * SECOND + 123_456_789, 1])
async def test_times_keep_their_nanoseconds(written: Written, at: int) -> None:
    await written.put(point(at, a=1.5))
    assert await written.series.latest(SeriesQuery("state", ["a"], ["M1"])) == {"M1": {"a": Sample(at, 1.5)}}
    assert await read_points(written.series, SeriesQuery("state", ["a"], ["M1"], at, at + 1), 5) == {
        "M1": {"a": [Sample(at, 1.5)]}
    }
    assert await read_points(written.series, SeriesQuery("state", ["a"], ["M1"], at + 1, at + 9), 5) == {}


@pytest.mark.parametrize(
    "value", [0.1, -1e300, 5e-324, 3.0, 2**63 - 1, -(2**63), "", 'q"\\\n', "ü😀", True, False]
)
async def test_values_are_what_was_written(written: Written, value: Value) -> None:
    await written.put(point(T, a=value))
    points = await read_points(written.series, SeriesQuery("state", ["a"], ["M1"], T, T + 1), 5)
    [sample] = points["M1"]["a"]
    assert sample == Sample(T, value)
    assert type(sample.value) is type(value)
    [last] = await read_last(written.series, SourceQuery([Source("state", "a")], None, T, T + 1), 5)
    assert (last.value, type(last.value)) == (value, type(value))


async def test_samples_are_selected_by_thousands_of_values_of_a_tag(written: Written) -> None:
    for n, value in enumerate(HOSTILE):
        await written.put(point(T + n, a=n, tag_batch=value))
    await written.put(point(T + 99, a=99, tag_batch="none of them"))
    values = (*(f"B{n}" for n in range(1_100)), *HOSTILE, *HOSTILE)
    source = Source("state", "a", ("batch",), (("batch", values),))
    assert await written.series.counts(SourceQuery([source], None, T, T + 100)) == {None: len(HOSTILE)}


async def test_names_with_special_characters_are_only_names(written: Written) -> None:
    """Quotes and pieces of query languages find what has that name, or nothing."""
    await written.put(point(T, "M1", a=0))
    for n, name in enumerate(HOSTILE):
        named = f"m{name}".replace('"', "''")  # line protocol knows no quote in the name of a field
        await written.put(point(T, name, a=n), Point(named, ((MACHINE, "M1"),), {named: n}, T))
    series = written.series
    latest = await series.latest(SeriesQuery("state", ["a"], HOSTILE))
    assert {name: by_field["a"].value for name, by_field in latest.items()} == {
        name: n for n, name in enumerate(HOSTILE)
    }
    for n, name in enumerate(HOSTILE):
        assert await series.counts(SourceQuery([Source("state", "a")], [name], 0, END_OF_TIME)) == {name: 1}
        named = f"m{name}".replace('"', "''")
        assert await series.latest(SeriesQuery(named, [named], ["M1"])) == {"M1": {named: Sample(T, n)}}
        assert await series.latest(SeriesQuery(name, [name], ["M1"])) == {}
        where = Source("state", "a", (MACHINE,), ((MACHINE, (name,)),))
        assert [
            occurrence.tags
            for occurrence in await read_last(series, SourceQuery([where], None, 0, END_OF_TIME), 5)
        ] == [(name,)]
    for name in ("M1' --", 'M1" or true', "M1\n", "", " M1", "m1"):
        assert await series.latest(SeriesQuery("state", ["a"], [name])) == {}


async def test_any_number_of_machines_may_be_requested(written: Written) -> None:
    names = [f"M{n}" for n in range(2500)]
    await written.put(*(point(T, name, power=True, mode="A") for name in names))
    latest = await written.series.latest(SeriesQuery("state", ["power"], names))
    assert len(latest) == 2500
    assert len(await written.series.counts(SourceQuery([Source("state", "mode")], names, T, T + 1))) == 2500
    query = SourceQuery([Source("state", "mode")], names, T, T + 1)
    assert len(await written.series.last_by_machine(query, 1)) == 2500
    last = await read_last(written.series, query, 2400)
    assert [occurrence.machine for occurrence in last] == sorted(names)[:2400]


async def test_one_database_cannot_see_another(written: Written) -> None:
    await written.put(point(T, a=1))
    other = await written.make_other()
    assert await other.latest(SeriesQuery("state", ["a"], ["M1"])) == {}
    assert await other.catalogue() == {}


async def test_a_ping_is_answered(written: Written) -> None:
    await written.store.ping()
