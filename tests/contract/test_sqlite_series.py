"""What only the embedded time-series store promises of its file, its one writer and its readers."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import ANY

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.backends.sqlite import series_writer
from stores.backends.sqlite.series import READERS, SqliteSeriesStore
from stores.backends.sqlite.series_writer import SqlitePointWriter
from stores.contracts.errors import Unavailable
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Point, Value
from stores.contracts.series_queries import SeriesQuery, Source, SourceQuery
from stores.wrappers.deadline import Deadline
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.contract.series_stores import read_points
from tests.randomized import randomized

HOUR = 3600 * SECOND
SOURCE = [Source("state", "a")]
WRITER = """
import asyncio, sys
from pathlib import Path
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.samples import Point
async def main():
    store = SqliteSeriesStore(Path(sys.argv[1]))
    for batch in range(10**6):
        times = range(batch * 1000, (batch + 1) * 1000)
        points = [Point("state", (("machine_id", f"M{t % 7}"),), {"a": batch}, t) for t in times]
        await store.write("d", points)
        print(batch, flush=True)
asyncio.run(main())
"""


def point(at: int, machine: str = "M1", **fields: Value) -> Point:
    return Point("state", ((MACHINE, machine),), fields or {"a": 1}, at)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged = -1
        until = time.monotonic() + 1.5
        for line in writer.stdout:
            acknowledged = int(line)
            if time.monotonic() > until:
                break
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        writer.wait()
        writer.stdout.close()
        stored = asyncio.run(_count(path))
        assert stored % 1000 == 0
        assert stored >= (acknowledged + 1) * 1000
        path.unlink()


async def _count(path: Path) -> int:
    store = SqliteSeriesStore(path)
    counts = await store.database("d").counts(SourceQuery(SOURCE, None, -END_OF_TIME, END_OF_TIME))
    await store.close()
    return counts[None]


@pytest.mark.slow
async def test_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [point(1)])
    writing = asyncio.create_task(store.write("d", [point(n, f"M{n % 50}") for n in range(200_000)]))
    reads = 0
    while not writing.done():
        await store.database("d").latest(SeriesQuery("state", ["a"], ["M1"]))
        reads += 1
    assert reads > 5
    assert await writing == [None] * 200_000
    await store.close()


async def test_a_point_that_changes_a_kind_is_rejected_and_the_others_are_stored(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    refused = await store.write("d", [point(1, a=1), point(2, a="x", b=1), point(3, a=3), point(4, a=True)])
    assert [error is None for error in refused] == [True, False, True, False]
    assert "already exists as type integer" in str(refused[1])
    samples = await read_points(store.database("d"), SeriesQuery("state", ["a", "b"], ["M1"], 0, 9), 9)
    assert [sample.value for sample in samples["M1"]["a"]] == [1, 3]
    assert "b" not in samples["M1"]
    await store.close()


async def test_old_points_go_and_the_counts_with_them(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [point(n * HOUR // 4, f"M{n % 3}") for n in range(100)])
    await store.write("e", [point(1)])
    assert await store.retain(10 * HOUR + 1) == 42
    series = store.database("d")
    assert await series.counts(SourceQuery(SOURCE, None, -END_OF_TIME, END_OF_TIME)) == {None: 59}
    assert await series.counts(SourceQuery(SOURCE, None, 0, 10 * HOUR + 1)) == {None: 0}
    assert await store.retain(10 * HOUR + 1) == 0
    await store.close()


@randomized(40)
@given(
    st.lists(st.lists(st.integers(-5 * HOUR, 5 * HOUR), min_size=1, max_size=30), min_size=1, max_size=4),
    st.integers(-5 * HOUR, 5 * HOUR),
    st.integers(-5 * HOUR, 5 * HOUR),
    st.integers(-5 * HOUR, 5 * HOUR),
)
def test_the_tally_is_what_a_count_would_be(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], start: int, stop: int, cut: int
) -> None:
    async def check() -> None:
        store = SqliteSeriesStore(tmp_path_factory.mktemp("tally") / "series.db")
        for batch in batches:
            await store.write("d", [point(at) for at in batch])
        await store.retain(cut)
        stored = {at for batch in batches for at in batch if at >= cut}
        counts = await store.database("d").counts(SourceQuery(SOURCE, None, start, stop))
        assert counts == {None: sum(start <= at < stop for at in stored)}
        await store.close()

    asyncio.run(check())


@pytest.mark.slow
def test_readers_that_open_a_new_file_together_all_read(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as readers:
        for n in range(100):
            stores = [SqliteSeriesStore(tmp_path / f"{n}.db") for _ in range(4)]
            together = threading.Barrier(4)

            def read(store: SqliteSeriesStore, together: threading.Barrier = together) -> None:
                together.wait()
                asyncio.run(store.ping())

            list(readers.map(read, stores))
            for store in stores:
                asyncio.run(store.close())


async def test_a_file_that_is_no_store_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "series.db").write_bytes(b"no database" * 1000)
    store = SqliteSeriesStore(tmp_path / "series.db")
    with pytest.raises(Unavailable):
        await store.ping()
    with pytest.raises(Unavailable):
        await store.write("d", [point(1)])
    await store.close()


async def test_a_read_that_takes_too_long_is_cancelled(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [point(1)])
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    for _ in range(READERS + 1):  # a reader that went on would be missing afterwards
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.read(lambda db: db.execute(endless).get)
    assert await store.database("d").latest(SeriesQuery("state", ["a"], ["M1"]))
    await store.close()


async def test_a_rejected_point_does_not_determine_the_kinds_of_its_other_fields(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    await store.write("d", [point(1, old=1.0)])
    [rejected] = await store.write("d", [point(2, fresh="text", old="bad")])
    assert rejected is not None
    assert await store.write("d", [point(3, fresh=2.5), point(4, fresh="text")]) == [None, ANY]
    await store.close()


async def test_a_write_that_is_rolled_back_leaves_nothing_in_the_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next write would use the number of a series that does not exist."""
    store = SqliteSeriesStore(tmp_path / "series.db")
    write = SqlitePointWriter.write

    def write_and_fail(writer: SqlitePointWriter, database: str, points: Sequence[Point]) -> list[str | None]:
        write(writer, database, points)
        raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(SqlitePointWriter, "write", write_and_fail)
        with pytest.raises(Unavailable):
            await store.write("d", [point(1, a="text")])
    assert await store.write("d", [point(1, a=1)]) == [None]
    assert await store.database("d").counts(SourceQuery(SOURCE)) == {None: 1}
    await store.close()


async def test_the_caches_of_the_writer_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_writer, "MAX_CACHED_BYTES", 100 * 900)
    store = SqliteSeriesStore(tmp_path / "series.db")
    for n in range(0, 1000, 50):
        names = [f"{n + i}" for i in range(50)]
        await store.write("d", [point(1, name, **{f"f{name}": 1}) for name in names])
        assert len(store._cache.numbers) <= 100
        assert len(store._cache.kinds) <= 100
    assert len(await store.database("d").catalogue()) == 1
    await store.close()


async def test_writes_behind_a_foreign_lock_end_at_their_deadline_and_are_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    store = SqliteSeriesStore(path)
    await store.write("d", [point(1)])
    bounded = WrappedWritableSeriesStore(store, Deadline("time-series store", 0.2))
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    calls = [bounded.write("d", [point(n)]) for n in range(2, 8)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure) for failure in failures} == {Unavailable}
    assert {failure.extensions["outcome"] for failure in failures if isinstance(failure, Unavailable)} == {
        "NOT_APPLIED"
    }
    assert await store.database("d").counts(SourceQuery(SOURCE)) == {None: 1}  # reads go on
    other.execute("ROLLBACK")
    other.close()
    assert await bounded.write("d", [point(9)]) == [None]
    assert await store.database("d").counts(SourceQuery(SOURCE)) == {None: 2}
    await store.close()
