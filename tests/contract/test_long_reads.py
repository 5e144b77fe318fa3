"""Long reads of the embedded time-series store wait for each other, and other reads do not wait for them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stores.backends.sqlite.series import READERS
from stores.contracts.errors import Unavailable
from stores.contracts.series_queries import Aggregation, SeriesQuery
from stores.opening import open_series
from tests.contract.closed_panels import DAY, MEAN, START, ask

QUERY = SeriesQuery("state", ("power",), ("m",), 0, 1)


async def test_long_reads_leave_readers_to_others_and_do_not_time_out_while_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_series(None, data=tmp_path, deadline=0.3)
    database = store.database("d")
    started, released = 0, asyncio.Event()

    async def hold(*args: Any) -> dict[str, Any]:
        nonlocal started
        started += 1
        await released.wait()
        return {}

    sqlite = type(database._series)  # type: ignore[attr-defined]  # of the wrapper
    monkeypatch.setattr(sqlite, "points", hold)
    reads = [asyncio.create_task(database.points(QUERY, 10)) for _ in range(6)]
    assert await database.latest(QUERY) == {}
    assert started == READERS // 2
    await asyncio.wait(reads, return_when=asyncio.FIRST_EXCEPTION)  # the first two have a deadline
    released.set()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(results[0], Unavailable)
    assert results[2:] == [{}] * 4
    await store.close()


async def test_windows_of_many_samples_that_are_not_rolled_up_are_long_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_series(None, data=tmp_path, deadline=30)
    database = store.database("d")
    started, released = [], asyncio.Event()

    async def hold(self: Any, query: SeriesQuery, windows: Any, aggregation: Aggregation) -> dict[str, Any]:
        started.append(aggregation.function)
        await released.wait()
        return {}

    monkeypatch.setattr(type(database._series), "windows", hold)  # type: ignore[attr-defined]  # of the wrapper
    query, hours = ask(START, START + 30 * DAY)
    reads = [
        asyncio.create_task(database.windows(query, hours, aggregation))
        for aggregation in (*[Aggregation("quantile", 0.5)] * 4, MEAN, MEAN, MEAN)
    ]
    await asyncio.sleep(0)
    assert started == ["quantile"] * (READERS // 2) + ["mean"] * 3
    released.set()
    assert await asyncio.gather(*reads) == [{}] * 7
    await store.close()
