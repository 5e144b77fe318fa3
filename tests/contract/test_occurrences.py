"""Pages of the last values of several sources, and the values that a source selects, on every store."""

from dataclasses import replace
from random import Random

import pytest

from stores.contracts.occurrences import make_occurrence_order
from stores.contracts.samples import END_OF_TIME, Occurrence, Unsigned, Value
from stores.contracts.series_queries import OccurrencePosition, Source, SourceQuery
from tests.contract.points import T, point
from tests.contract.series_stores import Written, read_last

SOURCES = (
    Source("state", "execution"),
    Source("events", "event_value", ("event_id", "event_class")),
    Source("production", "pieces"),
)
ALL = SourceQuery(SOURCES, None, T, END_OF_TIME)


async def put_equal_times(written: Written) -> None:
    """Points of few times, some with a tag that no source lists, and some without a machine."""
    for time in (T, T + 1, T + 2):
        await written.put(
            point(time, "M1", execution="A", tag_spindle="1"),
            point(time, "M1", execution="A", tag_spindle="2"),
            point(time, "M1", execution="B", tag_spindle="3"),
            point(time, "M2", execution="C"),
            point(time, None, execution="D"),
            point(time, "M2", "production", pieces=time - T),
            *(
                point(time, "M1", "events", event_value=name, tag_event_id=name, tag_event_class="ALARM")
                for name in ("e2", "e1", "e3")
            ),
            point(time, "M1", "events", event_value="none"),
        )


async def walk(written: Written, query: SourceQuery, size: int) -> list[Occurrence]:
    """All occurrences, page by page."""
    occurrences: list[Occurrence] = []
    while page := await read_last(written.series, query, size):
        assert len(page) <= size
        occurrences += page
        order = make_occurrence_order(page[-1])
        passed = sum(make_occurrence_order(occurrence) == order for occurrence in occurrences)
        query = replace(query, after=_behind(page[-1], passed))
    return occurrences


def _behind(occurrence: Occurrence, passed: int | None) -> OccurrencePosition:
    return OccurrencePosition(occurrence.time, occurrence.source, occurrence.machine, occurrence.tags, passed)


async def test_pages_pass_every_value_once_also_if_times_are_equal(written: Written) -> None:
    await put_equal_times(written)
    everything = await read_last(written.series, ALL, 100)
    assert len(everything) == 30
    assert everything == sorted(everything, key=make_occurrence_order)
    of_time = [(occurrence.machine, occurrence.value, occurrence.tags) for occurrence in everything[:10]]
    assert of_time == [
        (None, "D", ()),
        ("M1", "A", ()),
        ("M1", "A", ()),
        ("M1", "B", ()),
        ("M2", "C", ()),
        ("M1", "none", (None, None)),
        ("M1", "e1", ("e1", "ALARM")),
        ("M1", "e2", ("e2", "ALARM")),
        ("M1", "e3", ("e3", "ALARM")),
        ("M2", 2, ()),
    ]
    for size in (1, 3, 7):
        assert await walk(written, ALL, size) == everything
    of_machines = [occurrence for occurrence in everything if occurrence.machine in ("M1", "M2")]
    assert await walk(written, replace(ALL, machines=["M2", "M1", "M9"]), 4) == of_machines


async def test_a_value_that_comes_in_late_repeats_none_and_hides_none(written: Written) -> None:
    """A page begins behind the last value of the one before, not behind a number of values."""
    await put_equal_times(written)
    first = await read_last(written.series, ALL, 3)
    assert [occurrence.value for occurrence in first] == ["D", "A", "A"]
    second = replace(ALL, after=_behind(first[2], 2))
    rest = await read_last(written.series, second, 100)
    assert [occurrence.value for occurrence in rest[:2]] == ["B", "C"]
    await written.put(point(T + 2, "M0", execution="late"), point(T + 3, "M1", execution="later"))
    assert await read_last(written.series, second, 100) == rest


async def test_a_position_need_not_be_that_of_a_value(written: Written) -> None:
    await put_equal_times(written)
    everything = await read_last(written.series, ALL, 100)
    positions = {
        _behind(everything[1], None): 4,  # behind all that are equal to it
        _behind(everything[1], 0): 1,
        OccurrencePosition(T + 2, 1, None, (), 0): 5,  # where the values of a source begin
        OccurrencePosition(T + 2, 0, "M11", (), 0): 4,
        OccurrencePosition(T + 2, 9, "M1", (), 0): 10,
        OccurrencePosition(T + 9, 0, "M1", (), 0): 0,
        OccurrencePosition(T, 9, "M1", (), 0): 30,
    }
    for position, start in positions.items():
        page = await read_last(written.series, replace(ALL, after=position), 100)
        assert page == everything[start:], position


async def test_several_pages_are_one_call(written: Written) -> None:
    await put_equal_times(written)
    machines: list[list[str]] = [["M1"], ["M2"], ["M1", "M2"], []]
    pages = await written.series.last([replace(ALL, machines=names) for names in machines], 3)
    assert [[occurrence.machine for occurrence in page] for page in pages] == [
        ["M1", "M1", "M1"],
        ["M2", "M2", "M2"],
        ["M1", "M1", "M1"],
        [],
    ]


@pytest.mark.parametrize(
    ("stored", "values", "number"),
    [
        (["a", "b", "a", "", "5", "true"], ("a", ""), 3),
        ([5, 6, 5], (5, "5", 5.0, True), 2),
        ([1, 0, 2], (True,), 0),
        ([-(2**63), 2**63 - 1, 0], (2**63 - 1, 2**63, -(2**63), 2**70), 2),
        ([Unsigned(2**64 - 1), Unsigned(5), Unsigned(2**63)], (2**64 - 1, 5, -1, 2**64), 2),
        ([0.5, 5.0, 1e300, 0.1], (5.0, 0.1, 5, "0.5"), 2),
        ([True, False, True], (True, 1, "true"), 2),
        (["x\n\"'${a}", "\\", "ü"], ("x\n\"'${a}", "ü", "\\"), 3),
        (["a"], (), 0),
    ],
)
async def test_a_source_selects_values_of_its_kind(
    written: Written, stored: list[Value], values: tuple[Value, ...], number: int
) -> None:
    # Beside a source of another kind, as the events of machines are.
    await written.put(*(point(T + n, a=value) for n, value in enumerate(stored)), point(T, "M2", b="b"))
    sources = (Source("state", "a", values=values), Source("state", "b", values=("b",)))
    query = SourceQuery(sources, ["M1", "M2"], T, END_OF_TIME)
    occurrences = await read_last(written.series, query, 100)
    selected = [occurrence.value for occurrence in occurrences if occurrence.machine == "M1"]
    assert len(selected) == number
    assert all(value in stored and value in values for value in selected)
    counts = {"M2": 1} | ({"M1": number} if number else {})
    assert await written.series.counts(query) == counts
    assert await written.series.machines_with(query) == set(counts)
    by_machine = await written.series.last_by_machine(query, 1)
    assert {machine: len(page) for machine, page in by_machine.items()} == dict.fromkeys(counts, 1)


async def test_random_pages_are_those_of_all_values_in_memory(written: Written) -> None:
    random = Random(7)
    points = [
        point(T + random.randrange(20), f"M{random.randrange(4)}", execution=random.choice("AB"), tag_x=x)
        for x in "123456"
        for _ in range(30)
    ]
    await written.put(*points)
    everything = await read_last(written.series, ALL, 1000)
    for _ in range(12):
        machines = random.sample(["M0", "M1", "M2", "M3"], random.randrange(1, 5))
        values = random.choice([None, ("A",), ("A", "B")])
        start, stop = T + random.randrange(10), T + random.randrange(10, 21)
        query = SourceQuery((replace(SOURCES[0], values=values),), machines, start, stop)
        expected = [
            occurrence
            for occurrence in everything
            if occurrence.machine in machines
            and start <= occurrence.time < stop
            and (values is None or occurrence.value in values)
        ]
        assert await walk(written, query, random.randrange(3, 40)) == expected
        counts = await written.series.counts(query)
        assert sum(counts.values()) == len(expected)
