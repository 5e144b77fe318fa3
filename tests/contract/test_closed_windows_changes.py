"""Changes to the past make the cache of closed windows forget, and its memory is bounded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.deletions import Deletion
from stores.contracts.samples import SECOND, Sample
from stores.contracts.series_queries import Aggregation
from stores.wrappers.closed_windows import CacheRules
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
    fill_and_cache,
    sample,
)
from tests.randomized import randomized


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSeriesStore]:
    store = SqliteSeriesStore(tmp_path / "series.db")
    yield store
    await store.close()


async def test_every_change_to_the_past_is_seen_at_once(store: SqliteSeriesStore, tmp_path: Path) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)
    other_process = SqliteSeriesStore(tmp_path / "series.db")
    at = START + 20 * HOUR
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.write("d", [sample("M1", at, 50.0)]),
        lambda: other_process.write("d", [sample("M2", at, 60.0)]),
        lambda: store.delete("d", Deletion(at, at + 1, "state", (("machine_id", ("M1",)),))),
        lambda: store.retain(START + 2 * HOUR, START + 2 * HOUR),
        lambda: other_process.retain(START + 3 * HOUR, START + 3 * HOUR),
        lambda: store.move_machines("d", {"M3": "e"}),
        lambda: other_process.move_machines("e", {"M3": "d"}),
    ]
    raw = store.database("d")
    answer = await series.windows(*question, MEAN)
    assert await series.changes(question[0], 999) == await raw.changes(question[0], 999)
    for change in changes:
        await change()
        reads.clear()
        before, answer = answer, await series.windows(*question, MEAN)
        assert answer == await raw.windows(*question, MEAN) != before
        assert reads.windows
        assert await series.changes(question[0], 999) == await raw.changes(question[0], 999)
    await other_process.close()


async def test_a_late_point_costs_the_windows_of_its_machine(store: SqliteSeriesStore) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)
    await series.windows(*question, MEAN)
    await store.write("d", [sample("M1", START + 20 * HOUR + 5)])
    await store.write("other", [sample("M2", START + 20 * HOUR + 5)])
    reads.clear()
    await series.windows(*question, MEAN)
    assert reads.windows == [(("M1",), START + 20 * HOUR, START + 30 * HOUR)]
    await store.write("d", [sample("M1", START + 40 * HOUR)])  # late, but nothing is cached of that time
    reads.clear()
    await series.windows(*question, MEAN)
    assert reads.windows == []


async def test_a_late_change_is_one_on_the_next_day_too(store: SqliteSeriesStore) -> None:
    """A state that was repeated at midnight becomes a change there, without reading that day again."""
    assert not any(await store.write("d", [sample("M1", START + n * 6 * HOUR, "ACTIVE") for n in range(13)]))
    cached, reads = cache(store, Clock(START + 4 * DAY))
    series = cached.database("d")
    query, _ = ask(START, START + 3 * DAY, ["M1"])
    assert await series.changes(query, 1) == {"M1": {"x": {(): [Sample(START, "ACTIVE")]}}}
    late = Sample(START + DAY - 1, "STOPPED")
    await store.write("d", [sample("M1", *late)])
    reads.clear()
    expected = [Sample(START, "ACTIVE"), late, Sample(START + DAY, "ACTIVE")]
    assert await series.changes(query, 3) == {"M1": {"x": {(): expected}}}
    assert await series.changes(replace(query, start=START + DAY), 1) == {"M1": {"x": {(): expected[2:]}}}
    assert reads.windows == [(("M1",), START, START + DAY)]


async def test_a_change_during_a_read_is_not_lost(store: SqliteSeriesStore) -> None:
    """The read may have begun before the change; what it returns must not stay in the cache."""
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)

    async def write_meanwhile() -> None:
        reads.after.clear()
        await store.write("d", [sample("M1", START + 5 * HOUR + 5, 77.0)])
        await series.windows(*ask(START, START + HOUR, ["M2"]), MEAN)  # this takes note of the change

    reads.after["windows"] = write_meanwhile
    await series.windows(*question, MEAN)
    assert await series.windows(*question, MEAN) == await store.database("d").windows(*question, MEAN)


async def test_a_clock_that_was_ahead_leaves_nothing(store: SqliteSeriesStore) -> None:
    clock = Clock(START + 2 * DAY)
    cached, _ = cache(store, clock)
    series = cached.database("d")
    await series.windows(*ask(START, START + DAY), MEAN)
    assert cached.get_cache_sizes()["closed_windows"] == 3
    clock.now = START + HOUR
    await series.windows(*ask(START, START + DAY), MEAN)
    assert cached.get_cache_sizes()["closed_windows"] == 0


async def test_the_memory_of_the_cache_is_bounded(store: SqliteSeriesStore) -> None:
    await fill_and_cache(store)
    clock, limit = Clock(START + 2 * DAY), 12_000
    cached, reads = cache(store, clock, CacheRules(SETTLED / SECOND, max_bytes=limit))
    series = cached.database("d")
    for n in range(30):
        question = ask(START + n * HOUR, START + (n + 1) * HOUR, [f"M{n}"])
        for function in ("mean", "last"):
            await series.windows(*question, Aggregation(function))
            assert 0 < cached.get_cached_bytes()["closed_windows"] <= limit
    assert 3 < cached.get_cache_sizes()["closed_windows"] < 20
    reads.clear()
    await series.windows(*question, MEAN)  # the latest ones stay
    assert reads.windows == []
    none, reads = cache(store, clock, CacheRules(SETTLED / SECOND, max_bytes=0))
    assert await none.database("d").windows(*question, MEAN) == await series.windows(*question, MEAN)
    assert none.get_cache_sizes()["closed_windows"] == 0


async def test_windows_that_a_moving_range_leaves_behind_are_forgotten(store: SqliteSeriesStore) -> None:
    clock = Clock(START + 2 * DAY)
    cached, _ = cache(store, clock)
    sizes = []
    for _ in range(60):
        await cached.database("d").windows(*ask(clock.now - DAY, clock.now, ["M1"]), MEAN)
        sizes.append(cached.get_cached_bytes()["closed_windows"])
        clock.now += HOUR + SECOND
    assert max(sizes[3:]) <= min(sizes[3:]) * 1.1


STEPS = st.sampled_from((HOUR, 2 * HOUR, 7 * HOUR))
FUNCTIONS = st.sampled_from(("mean", "last", "count", "max", "changes"))
TIMES = st.integers(0, 40 * 60).map(lambda tenth: START + tenth * HOUR // 10)
WRITES = st.lists(st.tuples(st.sampled_from(MACHINES), TIMES), max_size=5)
QUESTIONS = st.tuples(TIMES, TIMES, STEPS, FUNCTIONS, st.sets(st.sampled_from(MACHINES), min_size=1))


@randomized(25)
@given(st.lists(st.one_of(WRITES, QUESTIONS, st.integers(1, 10)), min_size=3, max_size=20))
def test_whatever_is_written_and_asked_the_answers_are_those_of_the_store(
    tmp_path_factory: pytest.TempPathFactory, actions: Sequence[Any]
) -> None:
    async def check() -> None:
        store, clock = SqliteSeriesStore(tmp_path_factory.mktemp("closed") / "series.db"), Clock(START + HOUR)
        cached, _ = cache(store, clock)
        value = 0
        for action in actions:
            if isinstance(action, int):
                clock.now += action * 6 * HOUR
            elif isinstance(action, list):
                value = (value + 1) % 3
                await store.write("d", [sample(machine, time, value) for machine, time in action])
            elif action[0] != action[1]:
                start, stop, step, function, machines = action
                query, windows = ask(min(start, stop), max(start, stop), sorted(machines), step)
                results = [
                    await series.changes(query, 999)
                    if function == "changes"
                    else await series.windows(query, windows, Aggregation(function))
                    for series in (store.database("d"), cached.database("d"))
                ]
                assert results[0] == results[1]
        await store.close()

    asyncio.run(check())
