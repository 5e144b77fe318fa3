"""The embedded time series at the size of a plant: `python -m bench.series [--points N]`.

200 machines over 30 days. How fast points come in and what they take on disk; what dashboards ask of the
store, alone and while a writer sends 5,000 points a second; and, through the whole gateway in this process,
100 machines with three fields each, columns against objects, and a peak among a million points.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.machine import machine
from resolvers.context import Context, Viewer
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.engine.scalars import to_json
from schema.engine.structure_limits import StructureLimits
from schema.server.process_tuning import freeze_startup_objects
from schema.types.root import schema
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Point, Value
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Windows
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.entities.machine_events import SOURCES, STATUS
from stores.opening import open_documents, open_icon_files, open_series
from stores.wrappers.counting import CallCounter
from stores.wrappers.series import WrappedSeriesStore

MACHINES, DAYS, BATCH, ROUNDS = 200, 30, 5000, 20
DAY = 86_400 * SECOND
DATABASE = "machines"  # of machines that no organization has registered
NAMES = [f"M{n:03}" for n in range(MACHINES)]
NOW = time.time_ns() // SECOND * SECOND


def points(count: int) -> Iterator[Point]:
    """Points in the order of time: six of ten states, a quarter production, the rest events."""
    draw = random.Random(1)
    for n in range(count):
        at = NOW - DAYS * DAY + n * DAYS * DAY // count
        kind, name = draw.random(), draw.choice(NAMES)
        fields: dict[str, Value]
        if kind < 0.6:
            fields = {"power": draw.random() < 0.9, "execution": draw.choice(("ACTIVE", "READY", "STOPPED"))}
            yield Point("state", ((MACHINE, name),), fields, at)
        elif kind < 0.85:
            fields = {"pieces_produced": n, "cycle_time": draw.random() * 60}
            yield Point("production", ((MACHINE, name),), fields, at)
        else:
            tags = (("event_class", f"C{n % 5}"), ("event_id", f"e{n % 5}"), (MACHINE, name))
            yield Point("events", tags, {"event_value": "raised"}, at)


async def fill(store: WritableSeriesStore, count: int) -> float:
    """Points a second; making them is not counted."""
    spent = 0.0
    numbered_points = points(count)
    with Progress() as progress:
        bar = progress.add_task("writing points", total=count)
        while batch := list(islice(numbered_points, BATCH)):
            began = time.perf_counter()
            await store.write(DATABASE, batch)
            spent += time.perf_counter() - began
            progress.advance(bar, len(batch))
    return count / spent


async def write_on(store: WritableSeriesStore, rate: int, done: asyncio.Event) -> None:
    """`rate` points a second until it is over, in ten writes a second."""
    numbered_points = points(10**9)
    while not done.is_set():
        began = time.perf_counter()
        at = time.time_ns()
        batch = [
            Point(p.measurement, p.tags, p.fields, at + n)
            for n, p in enumerate(islice(numbered_points, rate // 10))
        ]
        await store.write(DATABASE, batch)
        await asyncio.sleep(max(0.1 - (time.perf_counter() - began), 0))


def questions(store: WritableSeriesStore) -> dict[str, Callable[[], Awaitable[Any]]]:
    series = store.database(DATABASE)
    step = 300 * SECOND
    edges = tuple(range(NOW - DAY, NOW + 1, step))
    windows = Windows(edges, step)
    mean = Aggregation("mean")
    return {
        "latest status, 1 machine": lambda: series.latest(SeriesQuery("state", STATUS, NAMES[:1])),
        "latest status, 200 machines": lambda: series.latest(SeriesQuery("state", STATUS, NAMES)),
        "last 20 events, 1 machine": lambda: series.last(
            [SourceQuery(SOURCES, NAMES[:1], NOW - DAY, END_OF_TIME)], 20
        ),
        "last 20 events, all together": lambda: series.last(
            [SourceQuery(SOURCES, None, NOW - DAY, END_OF_TIME)], 20
        ),
        "last 20 events, each of 200": lambda: series.last_by_machine(
            SourceQuery(SOURCES, NAMES, NOW - DAY, END_OF_TIME), 20
        ),
        "events of 24 h, counted": lambda: series.counts(SourceQuery(SOURCES, None, NOW - DAY, END_OF_TIME)),
        "events of 24 h, by machine": lambda: series.counts(
            SourceQuery(SOURCES, NAMES, NOW - DAY, END_OF_TIME)
        ),
        "events of all time, counted": lambda: series.counts(
            SourceQuery(SOURCES, None, -END_OF_TIME, END_OF_TIME)
        ),
        "connected within a day": lambda: series.machines_with(
            SourceQuery([Source("state", "power", values=(True,))], None, NOW - DAY, END_OF_TIME)
        ),
        "5 min means of 24 h, 1 machine": lambda: series.windows(
            SeriesQuery("production", ["pieces_produced"], NAMES[:1], windows.edges[0], windows.edges[-1]),
            windows,
            mean,
        ),
        "5 min means of 24 h, 200 machines": lambda: series.windows(
            SeriesQuery("production", ["pieces_produced"], NAMES, windows.edges[0], windows.edges[-1]),
            windows,
            mean,
        ),
    }


async def median(ask: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


class MeasuredGateway:
    """Operations in this process, their CPU time and their store queries."""

    def __init__(self, folder: Path, store: WritableSeriesStore) -> None:
        self.documents = open_documents(None, data=folder)
        self.store, self.folder = store, folder
        self.compiled = Executor(schema, StructureLimits(tokens=20_000, aliases=300, root_fields=100))
        self.plain = Executor(
            schema, StructureLimits(tokens=20_000, aliases=300, root_fields=100), compiled=False
        )

    async def run(self, query: str, executor: Executor) -> tuple[Any, float, list[str]]:
        """The data, the least CPU time of four runs in milliseconds, and the store queries of one."""
        least, calls, data = float("inf"), [], None
        for _ in range(4):
            counter = CallCounter()
            viewer = Viewer(self.documents, SeriesAccess(WrappedSeriesStore(self.store, counter)))
            began = time.process_time()
            icons = Icons(open_icon_files(self.folder))
            context = Context(viewer, icons, SecretCipher.store_plain_text())
            answer = await executor.run(query, None, None, context)
            to_json({"data": answer.data})
            least = min(least, (time.process_time() - began) * 1e3)
            assert not answer.errors, answer.errors[:1]
            calls, data = counter.calls, answer.data
        return data, least, calls


MEAN = 'range: {last: "PT24H"}, every: {duration: "PT1M"}, aggregate: MEAN) { timesMs numbers }'
MEANS = " ".join(
    f'{name}: series(measurement: "{measurement}", field: "{name}", {MEAN}'
    for measurement, name in (
        ("state", "power"),
        ("production", "pieces_produced"),
        ("production", "cycle_time"),
    )
)
LAST_HOURS = 'range: {last: "PT2H"}'


async def dashboards(folder: Path, store: WritableSeriesStore, console: Console) -> None:
    freeze_startup_objects()  # as a serving process does
    gateway = MeasuredGateway(folder, store)
    parts = [f'm{n}: machine(machineId: "{name}") {{ {MEANS} }}' for n, name in enumerate(NAMES[:100])]
    _, spent, calls = await gateway.run(f"{{ {' '.join(parts)} }}", gateway.compiled)
    console.print(
        f"100 machines x 3 fields x 24 h in minutes: {len(calls)} store queries, {spent:.0f} ms CPU"
    )

    await put(store, "signal", {NOW - n * SECOND // 20: 1.0 for n in range(100_000)})
    ask = f'series(measurement: "signal", field: "v", {LAST_HOURS}) {{ %s }}'
    ask = f'{{ machine(machineId: "S") {{ {ask} }} }}'
    _, reading, _ = await gateway.run(ask % "coverage", gateway.compiled)
    _, columns, _ = await gateway.run(ask % "timesMs numbers", gateway.compiled)
    _, plain, _ = await gateway.run(ask % "timesMs values", gateway.compiled)
    _, dates, _ = await gateway.run(ask % "times numbers", gateway.compiled)
    console.print(
        f"100,000 points: `timesMs numbers` takes {columns / plain:.2f} times the CPU of the untyped"
        f" `values`, `times numbers` {dates / plain:.2f} times"
    )
    for executor, by in ((gateway.compiled, "compiled"), (gateway.plain, "by graphql-core")):
        _, objects, _ = await gateway.run(ask % "points { time value }", executor)
        console.print(
            f"100,000 points: columns {columns:.0f} ms CPU, objects {objects:.0f} ms {by},"
            f" {objects / columns:.1f} times; reading them from the store is {reading:.0f} ms of each"
        )

    million = {NOW - n * SECOND // 200: 1.0 for n in range(1_000_000)}
    million[NOW - 765_432 * SECOND // 200] = 99.0
    await put(store, "peak", million)
    ask = f'series(measurement: "peak", field: "v", {LAST_HOURS}, maxPoints: 1000) {{ values }}'
    data, spent, _ = await gateway.run(f'{{ machine(machineId: "S") {{ {ask} }} }}', gateway.compiled)
    values = data["machine"]["series"]["values"]
    verdict = "stored" if 99.0 in values else "LOST"
    console.print(
        f"a peak among a million points: {len(values)} values, the peak is {verdict}, {spent:.0f} ms CPU"
    )
    await gateway.documents.close()


async def put(store: WritableSeriesStore, measurement: str, values: dict[int, float]) -> None:
    numbered_points = iter(values.items())
    while batch := list(islice(numbered_points, BATCH)):
        points = [Point(measurement, ((MACHINE, "S"),), {"v": value}, at) for at, value in batch]
        await store.write(DATABASE, points)


async def main(count: int) -> None:
    console = Console(soft_wrap=True)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_series(None, data=folder, deadline=60.0)
        assert isinstance(store, WritableSeriesStore)
        rate = await fill(store, count)
        console.print(f"{count:,} points: {rate:,.0f} a second, {_megabytes(folder):.0f} MB")
        table = Table("p50, ms", "alone", "beside a writer of 5,000 points a second")
        alone = {label: await median(ask) for label, ask in questions(store).items()}
        done = asyncio.Event()
        writer = asyncio.create_task(write_on(store, 5000, done))
        for label, ask in questions(store).items():
            table.add_row(label, f"{alone[label]:.2f}", f"{await median(ask):.2f}")
        done.set()
        await writer
        console.print(table)
        await dashboards(folder, store, console)
        await store.close()


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.glob("series.db*")) / 1e6


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--points", type=int, default=5_000_000)
    asyncio.run(main(arguments.parse_args().points))
