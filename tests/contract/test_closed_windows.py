"""The cache of closed windows: what it asks of each store, and that it answers what the store would."""

from dataclasses import replace

import pytest

from stores.contracts.areas import AreaRule
from stores.contracts.counters import CounterRule
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Windows
from stores.wrappers.closed_windows import CacheRules
from stores.wrappers.tagged import TaggedSeriesDatabase
from tests.contract.closed_panels import (
    DAY,
    HOUR,
    MACHINES,
    MEAN,
    SETTLED,
    START,
    Clock,
    ask,
    cache,
    sample,
)
from tests.contract.points import count_samples
from tests.contract.series_stores import Written


async def fill(written: Written) -> None:
    """Write samples of 30 hours, two in each hour."""
    await written.put(*(sample(machine, START + n * HOUR // 2) for n in range(60) for machine in MACHINES))


async def test_a_range_that_moves_reads_what_is_open_and_what_it_cuts(written: Written) -> None:
    await fill(written)
    clock = Clock(START + 30 * HOUR + 10 * SECOND)
    store, reads = cache(written.store, clock)
    series = store.database(written.series.database)
    for refresh in range(3):
        start, stop = clock.now - DAY, clock.now
        reads.clear()
        query, windows = ask(start, stop)
        assert await series.windows(query, windows, MEAN) == await written.series.windows(
            query, windows, MEAN
        )
        open_from, whole_from = windows.edges[-3], windows.edges[1]
        if refresh:
            assert sorted(reads.windows) == [(MACHINES, start, whole_from), (MACHINES, open_from, stop)]
        clock.now += 10 * SECOND


async def test_a_range_that_grows_reads_each_window_once(written: Written) -> None:
    await fill(written)
    clock = Clock(START + 26 * HOUR)
    store, reads = cache(written.store, clock, CacheRules(SETTLED / SECOND, ttl_s=DAY / SECOND))
    series = store.database(written.series.database)
    closed: list[tuple[int, int]] = []
    for _ in range(4):
        reads.clear()
        query, windows = ask(START, clock.now)
        assert await series.windows(query, windows, MEAN) == await written.series.windows(
            query, windows, MEAN
        )
        closed += [(start, stop) for _, start, stop in reads.windows if stop <= clock.now - SETTLED]
        assert len(reads.windows) <= 2
        clock.now += HOUR
    assert closed == [
        (START, START + 25 * HOUR),
        *((START + n * HOUR, START + (n + 1) * HOUR) for n in (25, 26, 27)),
    ]
    reads.clear()
    await series.windows(*ask(START + 7 * HOUR, START + 20 * HOUR, MACHINES[:2]), MEAN)  # another range
    assert reads.windows == []


async def test_what_values_depend_on_is_not_mixed_up(written: Written) -> None:
    await fill(written)
    await written.put(
        sample("M1", START + HOUR // 4, 9.5, spindle="2"), sample("M1", START, 3.5, spindle="1")
    )
    store, reads = cache(written.store, Clock(START + 2 * DAY))
    raw, cached = written.series, store.database(written.series.database)
    query, hours = ask(START, START + DAY)
    questions: list[tuple[SeriesQuery, Windows, Aggregation]] = [
        (query, hours, MEAN),
        (query, hours, Aggregation("max")),
        (query, hours, Aggregation("mean", by=("spindle",))),
        (query, hours, Aggregation("quantile", 0.1)),
        (query, hours, Aggregation("quantile", 0.9)),
        (SeriesQuery("state", ["x"], ["M1"], START, START + DAY, (("spindle", ("2",)),)), hours, MEAN),
        (SeriesQuery("other", ["x"], MACHINES, START, START + DAY), hours, MEAN),
        (SeriesQuery("state", ["y"], MACHINES, START, START + DAY), hours, MEAN),
        (*ask(START, START + DAY, step=2 * HOUR), MEAN),
        (_move(query), _shift(hours), MEAN),
    ]
    for _ in range(2):
        reads.clear()
        for question in questions:
            assert await cached.windows(*question) == await raw.windows(*question)
    assert reads.windows == []
    other = store.database((await written.make_other()).database)
    assert await other.windows(query, hours, MEAN) == {}
    narrowed = TaggedSeriesDatabase(cached, ("spindle", "1"))
    assert (await narrowed.windows(query, hours, MEAN))["M1"]["x"] == {(): [(0, 3.5)]}


async def test_samples_are_presumed_only_of_windows_that_are_not_cached(written: Written) -> None:
    await fill(written)
    store, _ = cache(written.store, Clock(START + 30 * HOUR))
    series, median = store.database(written.series.database), Aggregation("quantile", 0.5)
    query, windows = ask(START, START + DAY)
    of_hour = len(MACHINES) * 720  # with one in five seconds
    assert series.presume_window_samples(query, windows, median) == 24 * of_hour
    await series.windows(*ask(START, START + 20 * HOUR), median)
    assert series.presume_window_samples(query, windows, median) == 4 * of_hour
    await series.windows(*ask(START, START + DAY, ("M1",)), median)
    assert series.presume_window_samples(query, windows, median) == 4 * of_hour * 2 // 3
    narrowed = TaggedSeriesDatabase(series, ("spindle", "1"))
    assert narrowed.presume_window_samples(query, windows, median) == 24 * of_hour


async def test_areas_of_closed_windows_are_read_once(written: Written) -> None:
    await fill(written)
    await written.put(sample("M1", START + HOUR // 3, 9.5, spindle="2"))
    clock = Clock(START + 30 * HOUR)
    store, reads = cache(written.store, clock)
    cached = store.database(written.series.database)
    query, windows = ask(START - HOUR // 2, clock.now, step=6 * HOUR)
    rules = [AreaRule(), AreaRule("linear"), AreaRule("step", HOUR // 2)]
    for _ in range(2):
        reads.clear()
        for rule in rules:
            areas = await cached.areas(query, windows, rule)
            assert areas == await written.series.areas(query, windows, rule)
            assert len(areas["M1"]["x"]) == 2
        await cached.windows(query, windows, MEAN)
    cut, whole = (windows.edges[0], windows.edges[1]), windows.edges[-2]
    assert len(reads.windows) == 2 * (len(rules) + 1)
    assert {(start, stop) for _, start, stop in reads.windows} == {
        (query.start, cut[1]),
        (whole, query.stop),
    }
    assert store.get_cached_bytes()["closed_windows"] > 3 * 3 * 4 * 300


async def test_areas_of_many_samples_are_read_in_slices(written: Written) -> None:
    """Of some machines each or, where one may have too many samples, of some of its windows."""
    await written.put(
        *(sample(name, START + n * 20 * DAY, float(n)) for name in MACHINES for n in range(20)),
    )
    store, reads = cache(written.store, Clock(START + 500 * DAY))
    cached, rule = store.database(written.series.database), AreaRule()
    month = ask(START, START + 30 * DAY, [*MACHINES, *map(str, range(37))], step=DAY)
    first = START // (30 * DAY) * 30 * DAY
    year = ask(first, first + 360 * DAY, MACHINES[:1], step=30 * DAY)
    whole = ask(START, START + 360 * DAY)[0], Windows((START - DAY, START + 360 * DAY), 361 * DAY)
    for question, count, uncached in ((month, 40, 0), (year, 12, 0), (whole, 3, 3)):
        for expected in (count, uncached):
            reads.clear()
            assert await cached.areas(*question, rule) == await written.series.areas(*question, rule)
            assert len(reads.windows) == expected
    assert max(len(machines) for machines, _, _ in reads.windows) == 1


async def test_changes_of_many_machines_are_read_in_slices(written: Written) -> None:
    await written.put(*(sample(name, START + n * DAY, "AB"[n % 2]) for name in MACHINES for n in range(5)))
    store, reads = cache(written.store, Clock(START + 40 * DAY))
    machines = [*map(str, range(37)), *MACHINES]
    query = SeriesQuery("state", ["x", "y", "z"], machines, START, START + 30 * DAY)
    for count in (3, 0):
        reads.clear()
        changes = await store.database(written.series.database).changes(query, 15)
        assert changes == await written.series.changes(query, 15)
        assert len(changes) == 3
        assert len(reads.windows) == count


async def test_the_first_samples_of_days_do_not_count_as_changes(written: Written) -> None:
    """Alarms of many events, which are reported again and again without a change."""
    await written.put(
        *(sample("M1", START + n * DAY, "OFF", event=str(event)) for n in range(9) for event in range(5))
    )
    series = cache(written.store, Clock(START + 40 * DAY))[0].database(written.series.database)
    query, _ = ask(START, START + 30 * DAY, ["M1"])
    for _ in range(2):
        assert count_samples(await series.changes(query, 5)) == 5
    with pytest.raises(LimitExceeded, match="changes"):
        await series.changes(query, 4)


def _move(query: SeriesQuery) -> SeriesQuery:
    return replace(query, start=query.start + HOUR // 3, stop=query.stop + HOUR // 3)


def _shift(hours: Windows) -> Windows:
    return Windows(tuple(edge + HOUR // 3 for edge in hours.edges), HOUR)


async def test_counters_read_what_is_open_and_what_the_range_cuts(written: Written) -> None:
    values = [*range(0, 300, 10), *range(5, 155, 5)]  # a reset, in the middle of an hour
    await written.put(
        *(
            sample(m, START + n * HOUR // 2, value, spindle=m)
            for n, value in enumerate(values)
            for m in MACHINES
        ),
        *(sample("M1", START + n * HOUR // 2 + 1, 3 * n, spindle="2") for n in range(60)),
    )
    clock, rule = Clock(START + 30 * HOUR + 10 * SECOND), CounterRule(20 * 60 * SECOND)
    store, reads = cache(written.store, clock)
    series = store.database(written.series.database)
    for refresh in range(3):
        reads.clear()
        query, windows = ask(clock.now - DAY, clock.now)
        cells = await series.counters(query, windows, rule, 1_000_000)
        assert cells == await written.series.counters(query, windows, rule, 1_000_000)
        assert set(cells["M1"]["x"]) == {(("spindle", "M1"),), (("spindle", "2"),)}
        if refresh:
            open_from, whole_from = windows.edges[-3], windows.edges[1]
            assert sorted(reads.windows) == [
                (MACHINES, clock.now - DAY, whole_from),
                (MACHINES, open_from, clock.now),
            ]
        clock.now += 10 * SECOND


async def test_changes_read_what_is_open_and_what_the_range_cuts(written: Written) -> None:
    """A month of states that is refreshed reads days only that are cut by the range or not closed."""
    for n in range(140):
        at, state = START + n * 5 * HOUR, "AABBBAC"[n % 7]
        await written.put(
            *(sample(machine, at, state, spindle=str(n % 3)) for machine in MACHINES),
            Point("state", ((MACHINE, "M1"),), {"y": n // 9, "z": n % 5 * 1.5}, at),
        )
    clock = Clock(START + 29 * DAY + 2 * HOUR)
    store, reads = cache(written.store, clock)
    series = store.database(written.series.database)
    for refresh in range(3):
        reads.clear()
        query = SeriesQuery("state", ["x", "y", "z"], MACHINES, clock.now - 28 * DAY, clock.now)
        changes = await series.changes(query, 1_000)
        assert changes == await written.series.changes(query, 1_000)
        whole_from, open_from = START + 2 * DAY, START + 29 * DAY
        closed_reads = [] if refresh else [(MACHINES, whole_from, open_from)]
        assert sorted(reads.windows) == [
            (MACHINES, query.start, whole_from),
            *closed_reads,
            (MACHINES, open_from, query.stop),
        ]
        clock.now += 10 * SECOND
    count = count_samples(changes)
    assert await series.changes(query, count) == changes
    with pytest.raises(LimitExceeded, match="changes"):
        await series.changes(query, count - 1)
    assert store.get_cached_bytes()["closed_windows"] > 11 * 28 * 300
    reads.clear()
    recent = replace(query, start=clock.now - DAY - HOUR, machines=MACHINES[:2])  # no whole day
    assert await series.changes(recent, 100) == await written.series.changes(recent, 100)
    assert reads.windows == [(MACHINES[:2], recent.start, recent.stop)]


async def test_windows_of_a_server_are_read_again_after_a_time(written: Written) -> None:
    await fill(written)
    clock = Clock(START + 2 * DAY)
    store, reads = cache(written.store, clock, CacheRules(SETTLED / SECOND, ttl_s=3600))
    series = store.database(written.series.database)
    question = ask(START, START + DAY)
    before = await series.windows(*question, MEAN)
    await written.put(sample("M2", START + 5 * HOUR + 1, 100.0))
    clock.now += 3599 * SECOND
    reads.clear()
    if not isinstance(written.store, WritableSeriesStore):  # which has no log of what is rewritten
        assert await series.windows(*question, MEAN) == before
        assert reads.windows == []
        clock.now += 2 * SECOND
    after = await series.windows(*question, MEAN)
    assert after == await written.series.windows(*question, MEAN) != before
    assert len(reads.windows) == 1
