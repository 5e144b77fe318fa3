"""Equal questions for closed windows that are being answered are answered once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.errors import Unavailable
from tests.contract.closed_panels import (
    DAY,
    HOUR,
    MEAN,
    START,
    Clock,
    ask,
    cache,
    fill_and_cache,
    sample,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSeriesStore]:
    store = SqliteSeriesStore(tmp_path / "series.db")
    yield store
    await store.close()


async def test_equal_questions_are_one_read(store: SqliteSeriesStore) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)
    results = await asyncio.gather(*(series.windows(*question, MEAN) for _ in range(100)))
    assert all(result == results[0] for result in results)
    assert sorted(reads.calls) == ["list_rewrites", "windows state x"]


@pytest.mark.parametrize("operation", ["list_rewrites", "windows"])
async def test_who_asks_after_a_change_does_not_get_an_answer_from_before(
    store: SqliteSeriesStore, operation: str
) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)
    if operation == "list_rewrites":
        await series.windows(*question, MEAN)
    began, proceed = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        del reads.after[operation]
        began.set()
        await proceed.wait()

    reads.after[operation] = hold
    first = asyncio.create_task(series.windows(*question, MEAN))
    await began.wait()
    await store.write("d", [sample("M1", START + 5 * HOUR + 5, 77.0)])
    second = asyncio.create_task(series.windows(*question, MEAN))
    await asyncio.sleep(0.01)
    proceed.set()
    assert await second == await store.database("d").windows(*question, MEAN)
    await first
    assert await series.windows(*question, MEAN) == await second


async def test_a_caller_that_leaves_does_not_take_the_read_along(store: SqliteSeriesStore) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)
    began, proceed, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        began.set()
        try:
            await proceed.wait()
        finally:
            ended.set()

    reads.after["windows"] = hold
    first, second, third = (asyncio.create_task(series.windows(*question, MEAN)) for _ in range(3))
    await began.wait()
    first.cancel()
    await asyncio.wait((first,))
    assert first.cancelled()
    assert not ended.is_set()
    proceed.set()
    assert await second == await third
    assert len(reads.windows) == 1

    again, reads = cache(store, Clock(START + 2 * DAY))
    began, proceed, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    reads.after["windows"] = hold
    callers = [asyncio.create_task(again.database("d").windows(*question, MEAN)) for _ in range(3)]
    await began.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    await ended.wait()  # the work ends with the last one who waits for it
    reads.after.clear()
    assert await again.database("d").windows(*question, MEAN) == await second


async def test_an_error_is_not_cached(store: SqliteSeriesStore) -> None:
    series, reads = await fill_and_cache(store)
    question = ask(START, START + 30 * HOUR)

    async def fail() -> None:
        raise Unavailable("The store does not answer.")

    reads.after["windows"] = fail
    failures = await asyncio.gather(
        *(series.windows(*question, MEAN) for _ in range(3)), return_exceptions=True
    )
    assert [type(failure) for failure in failures] == [Unavailable] * 3
    assert len(reads.windows) == 1
    reads.after.clear()
    assert await series.windows(*question, MEAN)
