"""Long reads of the embedded time-series store wait for each other, and other reads do not wait for them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stores.backends.sqlite.series import READERS
from stores.contracts.errors import Unavailable
from stores.contracts.series_queries import SeriesQuery
from stores.opening import open_series

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

    monkeypatch.setattr(type(database._series), "points", hold)  # type: ignore[attr-defined]  # of the wrapper
    reads = [asyncio.create_task(database.points(QUERY, 10)) for _ in range(6)]
    assert await database.latest(QUERY) == {}
    assert started == READERS // 2
    await asyncio.wait(reads, return_when=asyncio.FIRST_EXCEPTION)  # the first two have a deadline
    released.set()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(results[0], Unavailable)
    assert results[2:] == [{}] * 4
    await store.close()
