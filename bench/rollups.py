"""What the embedded time series derive from points, beside DuckDB: `make bench-series`.

200 machines over 30 days. How fast points come in, beside a file as versions without rollups wrote it, batch
by batch; hourly means and daily maxima of all machines, beside DuckDB over the same columns, turn by turn;
states of heartbeats every five and every ten seconds; and a month of states of the demo plant through the
application.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import httpx
import pyarrow as pa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.machine import machine
from bench.series import BATCH, DATABASE, DAY, DAYS, NAMES, NOW, points
from compat_rest.commands.demo import load_demo
from schema.server.app import create_app
from schema.server.process_tuning import freeze_startup_objects
from schema.server.settings import Settings
from stores.backends.sqlite import series_schema
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.backends.sqlite.series_writer import SqlitePointWriter, to_stored
from stores.contracts.samples import MACHINE, SECOND, Point, Value
from stores.contracts.series_queries import Aggregation, SeriesQuery, Windows

ROUNDS = 15
COMPARED = 1_000_000  # points that are written to both files
HOUR = 3600 * SECOND
START = NOW - DAYS * DAY
HEARTBEAT_MACHINES, HEARTBEAT_DAYS = 20, 7


class EarlierStore(SqliteSeriesStore):
    """A file without rollups and changes, in which triggers count the samples of each hour."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file._format = replace(series_schema.FORMAT, checkpoint_pages=4000)
        self._is_prepared = False

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        if not self._is_prepared:
            tally = series_schema.SCHEMA[series_schema.SCHEMA.index("CREATE TABLE tally") :]
            await self._file.write(lambda db: db.execute(tally))
            self._is_prepared = True
        with patch.object(SqlitePointWriter, "write", _write_as_before):
            return await super().write(database, points)


def _write_as_before(writer: Any, database: str, points: Sequence[Point]) -> list[str | None]:
    results: list[str | None] = []
    rows: list[tuple[int, int, Value]] = []
    for point in points:
        conflict = writer._find_conflict(database, point)
        results.append(conflict)
        if conflict is None:
            rows += [
                (writer._find_number(database, point, field), point.time, to_stored(value))
                for field, value in point.fields.items()
            ]
    sql = "INSERT INTO samples VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
    writer._db.executemany(sql, rows)
    return results


async def fill(store: SqliteSeriesStore, earlier: SqliteSeriesStore, count: int) -> float:
    """Write points to `store`, and as many as are compared to `earlier`, in turns.

    Return the rate of `store` over that of `earlier`.
    """
    spent = {store: 0.0, earlier: 0.0}
    numbered_points = points(count)
    for n in track(range(0, count, BATCH), "writing points"):
        batch = list(islice(numbered_points, BATCH))
        if n >= COMPARED:
            await store.write(DATABASE, batch)
            continue
        for target in (store, earlier) if n // BATCH % 2 else (earlier, store):
            began = time.perf_counter()
            await target.write(DATABASE, batch)
            spent[target] += time.perf_counter() - began
    return spent[earlier] / spent[store]


def load_duckdb(count: int) -> duckdb.DuckDBPyConnection:
    """A table of the cycle times of the same points: machine, time and value."""
    rows = [(p.tags, p.time, p.fields["cycle_time"]) for p in points(count) if "cycle_time" in p.fields]
    cycles = pa.table(  # noqa: F841 - DuckDB finds it by its name
        {
            "machine": pa.array([dict(tags)[MACHINE] for tags, _, _ in rows]),
            "time": pa.array([at for _, at, _ in rows], pa.int64()),
            "value": pa.array([value for _, _, value in rows], pa.float64()),
        }
    )
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("CREATE TABLE cycles AS SELECT * FROM cycles")
    return connection


async def compare(
    ask: Callable[[], Awaitable[Any]], ask_duckdb: Callable[[], Any]
) -> tuple[float, float, float]:
    """The median milliseconds of both, measured in turns, and their ratio."""
    taken: tuple[list[float], list[float]] = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        middle = time.perf_counter()
        await asyncio.to_thread(ask_duckdb)
        taken[0].append((middle - began) * 1e3)
        taken[1].append((time.perf_counter() - middle) * 1e3)
    ours, theirs = map(statistics.median, taken)
    return ours, theirs, ours / theirs


async def measure_windows(store: SqliteSeriesStore, count: int, console: Console) -> None:
    duck = load_duckdb(count)
    series = store.database(DATABASE)
    table = Table("median, ms", "embedded", "DuckDB", "ratio")
    for name, step, function in (
        ("hourly means of 30 days, 200 machines", HOUR, "mean"),
        ("daily maxima of 30 days, 200 machines", DAY, "max"),
    ):
        first = START // step * step
        windows = Windows(tuple(range(first, NOW + step, step)), step)
        query = SeriesQuery("production", ["cycle_time"], NAMES, START, NOW)
        aggregation = Aggregation("mean" if function == "mean" else "max")
        of_duckdb = "avg" if function == "mean" else "max"
        sql = f"""SELECT machine, (time - {first}) // {step} AS n, {of_duckdb}(value) FROM cycles
            WHERE time >= {START} AND time < {NOW} GROUP BY ALL"""

        def ask_duckdb(sql: str = sql) -> list[Any]:
            rows: list[Any] = duck.execute(sql).fetchall()
            return rows

        async def ask(query: Any = query, windows: Any = windows, how: Any = aggregation) -> Any:
            return await series.windows(query, windows, how)

        cells = sum(len(by_field["cycle_time"][()]) for by_field in (await ask()).values())
        assert cells == len(ask_duckdb())
        ours, theirs, ratio = await compare(ask, ask_duckdb)
        table.add_row(name, f"{ours:.0f}", f"{theirs:.0f}", f"{ratio:.2f}")
    console.print(table)


def heartbeats(interval_s: int) -> Iterator[Point]:
    """Reports of a state that changes every ten minutes or so: the same changes, whatever the interval."""
    stop = NOW // (10 * SECOND) * 10 * SECOND
    start = stop - HEARTBEAT_DAYS * DAY
    for name in NAMES[:HEARTBEAT_MACHINES]:
        draw = random.Random(name)
        execution, until = "ACTIVE", start
        for at in range(start, stop, interval_s * SECOND):
            if at >= until:
                execution = draw.choice(("ACTIVE", "READY", "STOPPED"))
                until = at + draw.randrange(60) * 20 * SECOND
            fields: dict[str, Value] = {"power": True, "execution": execution, "mode": "AUTOMATIC"}
            yield Point("state", ((MACHINE, name),), fields, at)


HEARTBEAT_STATES = " ".join(
    f'm{n}: machine(machineId: "{name}") {{ states(range: {{last: "P7D"}}) {{ durations {{ value }} }} }}'
    for n, name in enumerate(NAMES[:HEARTBEAT_MACHINES])
)
DEMO_STATES = """organizations { nodes { devices(first: 100) { nodes { machineId
    states(range: {last: "P30D"}) { durations { value seconds share entries } } } } } }"""


async def measure_states(folder: Path, query: str, cached_bytes: int = 0) -> tuple[float, float]:
    """The median milliseconds of a query to the application in this process, and those of CPU time.

    All changes are read each time, unless those of closed days are cached.
    """
    app = create_app(Settings.model_validate({"data": folder, "series": {"closed_bytes": cached_bytes}}))
    taken, spent = [], []
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:3000") as client,
    ):
        for _ in range(ROUNDS):
            began, began_cpu = time.perf_counter(), time.process_time()
            response = await client.post("/graphql", json={"query": f"{{ {query} }}"})
            taken.append((time.perf_counter() - began) * 1e3)
            spent.append((time.process_time() - began_cpu) * 1e3)
            assert "errors" not in response.json(), response.text[:500]
    return statistics.median(taken), statistics.median(spent)


async def measure_heartbeats(folder: Path, console: Console) -> None:
    took = {}
    for interval_s in (5, 10):
        data = folder / str(interval_s)
        store = SqliteSeriesStore(data / "series.db")
        numbered_points = heartbeats(interval_s)
        while batch := list(islice(numbered_points, BATCH)):
            await store.write(DATABASE, batch)
        await store.close()
        took[interval_s] = await measure_states(data, HEARTBEAT_STATES)
    console.print(
        f"states of 20 machines, 7 days of heartbeats every 5 s: {took[5][1]:.0f} ms of CPU,"
        f" {took[5][1] / took[10][1]:.2f} of those every 10 s"
    )


async def measure_demo(folder: Path, console: Console) -> None:
    settings = Settings.model_validate({"data": folder / "demo"})
    await load_demo(settings, DAYS)
    took, spent = await measure_states(settings.data, DEMO_STATES)
    console.print(
        f"states of a month of all machines of the demo plant: {took:.0f} ms, {spent:.0f} ms of CPU"
    )
    _, refreshed = await measure_states(settings.data, DEMO_STATES, settings.series.closed_bytes)
    console.print(
        f"refreshed, with the changes of closed days in the cache: {refreshed / spent:.2f} of the CPU"
    )


async def main(count: int) -> None:
    console = Console(soft_wrap=True)
    console.print(machine())
    freeze_startup_objects()  # as a serving process does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await measure_demo(folder, console)
        await measure_heartbeats(folder, console)
        store, earlier = SqliteSeriesStore(folder / "series.db"), EarlierStore(folder / "earlier.db")
        ratio = await fill(store, earlier, count)
        console.print(f"{count:,} points come in at {ratio:.2f} of the rate without rollups and changes")
        await earlier.close()
        await measure_windows(store, count, console)
        await store.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--points", type=int, default=5_000_000)
    asyncio.run(main(arguments.parse_args().points))
