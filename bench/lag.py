"""How long one request holds the event loop: `python -m bench.lag [NAME]`, and a part of `make bench-check`.

The queries of the docs and the abuse inputs are sent one after the other to an application in this process,
over the embedded stores and over the servers of the tests. The event loop is that of the server. What counts
is the CPU time of the loop's thread between two turns of a probe, which a busy machine does not lengthen.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr
from rich.console import Console
from starlette.types import ASGIApp, Message

from bench import abuse_inputs
from bench.graph import fill
from compat_rest.app import create_app
from compat_rest.commands.demo import load_demo
from schema.server.opening import make_series_layout, open_documents, open_point_writer, open_series
from schema.server.priority_loop import PriorityLoop
from schema.server.process_tuning import tune_interpreter
from schema.server.settings import Settings
from schema.server.store_settings import DocumentSettings, SeriesSettings
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.entities.machine_events import STATISTICS
from tests.contract.series_stores import make_bucket
from tests.docs.markdown import list_documents, read_blocks
from tests.servers import influxdb2, influxdb3, mongodb

DEMO_DAYS, DEVICES, APPLICATIONS = 2, 5_000, 10
MAX_HOLD_MS = 50.0
PART_BYTES = 256 * 1024  # of a body at a time
DAY, BATCH = 86_400 * SECOND, 10_000
SHORTEST = 1_000  # bytes of an answer with a long series
OWN_DATABASES = {name: name for name in ("big", "long")}  # their machines have the same ids


class LagProbe:
    """The longest time in milliseconds of CPU that the event loop went without giving others a turn.

    `clock` is that of the loop's thread or, if other threads may hold up the loop, that of the process.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self.longest_ms = 0.0

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        probing = asyncio.create_task(self._probe())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            await asyncio.sleep(0)
            probing.cancel()

    async def _probe(self) -> None:
        while True:
            began = self._clock()
            await asyncio.sleep(0)
            self.longest_ms = max(self.longest_ms, (self._clock() - began) * 1e3)


async def ask(app: ASGIApp, body: bytes, path: str = "/graphql", method: str = "POST") -> tuple[int, int]:
    """The status of a response and its length. Nothing of it is decoded, which would take time too."""
    status = length = sent = 0

    async def receive() -> Message:
        """A part of the body, as a server passes it on; others have their turns before it is there."""
        nonlocal sent
        await asyncio.sleep(0)
        if sent > len(body):
            await asyncio.Event().wait()
        part = body[sent : sent + PART_BYTES]
        sent += PART_BYTES
        return {"type": "http.request", "body": part, "more_body": sent < len(body)}

    async def send(message: Message) -> None:
        nonlocal status, length
        status = message.get("status", status)
        length += len(message.get("body", b""))

    path, _, query = path.partition("?")
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return status, length


def list_docs_queries() -> dict[str, str]:
    """The queries of the docs that take no variables and change nothing, by where they are."""
    blocks = [block for path in list_documents() for block in read_blocks(path)]
    return {
        str(block): block.text
        for block in blocks
        if block.language == "graphql"
        and not {"sdl", "error"} & set(block.options)
        and block.text.lstrip().startswith(("{", "query {"))
    }


class Probed(NamedTuple):
    """A request whose hold is measured. `clock` counts the CPU time that holds up the loop, in seconds."""

    body: bytes
    path: str = "/graphql"
    method: str = "POST"
    clock: Callable[[], float] = time.thread_time


def list_requests() -> dict[str, Probed]:
    """All requests by their names. Threads parse points, and may hold the interpreter's lock."""
    queries = {**list_docs_queries(), **abuse_inputs.DOCUMENTS}
    queries |= {"a big answer": abuse_inputs.BIG_ANSWER, "a heavy query": abuse_inputs.HEAVY}
    queries |= {"a long series": abuse_inputs.LONG_SERIES, **abuse_inputs.SERIES}
    bodies = {name: json.dumps({"query": query}).encode() for name, query in queries.items()}
    bodies |= {f"{n:,} values": abuse_inputs.select_tags(n) for n in (19_000, 300_000)}
    bodies |= {f"{n:,} event classes": abuse_inputs.make_event_classes(n) for n in (700, 10_000)}
    bodies |= {"340,000 lists": abuse_inputs.MANY_LISTS}
    points = {
        "a line of 30 MB": abuse_inputs.LONG_LINE,
        "a line of 200,000 fields": abuse_inputs.MANY_FIELDS,
        "40,000 new series": abuse_inputs.NEW_SERIES,
        "400,000 points": abuse_inputs.MANY_POINTS,
    }
    write = "/api/v2/write?bucket=machines&precision=ms"
    old = "/api/applications/long/applications/app0/devices"
    return {
        **{name: Probed(body) for name, body in bodies.items()},
        **{name: Probed(body, write, clock=time.process_time) for name, body in points.items()},
        "5,000 devices of an old route": Probed(b"", old, "GET"),
    }


@contextlib.asynccontextmanager
async def open_embedded(folder: Path) -> AsyncIterator[Settings]:
    yield Settings(data=folder)


@contextlib.asynccontextmanager
async def open_influxdb3(folder: Path) -> AsyncIterator[Settings]:
    """MongoDB and InfluxDB 3. Raises `ServerUnavailable`."""
    names = (SeriesSettings().database, STATISTICS, *OWN_DATABASES)
    with mongodb() as documents, influxdb3(databases=names, own=True) as series:
        yield Settings(
            data=folder,
            documents=DocumentSettings(url=SecretStr(f"{documents.url}/lag")),
            series=SeriesSettings(url=SecretStr(series.url), databases=OWN_DATABASES),
        )


@contextlib.asynccontextmanager
async def open_influxdb2(folder: Path) -> AsyncIterator[Settings]:
    """MongoDB and InfluxDB 2. Raises `ServerUnavailable`."""
    with mongodb() as documents, influxdb2(own=True) as series:
        for name in (SeriesSettings().database, STATISTICS, *OWN_DATABASES):
            await make_bucket(series, name)
        yield Settings(
            data=folder,
            documents=DocumentSettings(url=SecretStr(f"{documents.url}/lag")),
            series=SeriesSettings(
                url=SecretStr(f"influxdb2+{series.url}"),
                token=SecretStr(series.token),
                org=series.org,
                databases=OWN_DATABASES,
            ),
        )


STORES = {"embedded": open_embedded, "InfluxDB 3": open_influxdb3, "InfluxDB 2": open_influxdb2}


def make_samples() -> Iterator[Point]:
    """Samples of a day: levels of two lanes, an execution that is another each second time, and alarms."""
    tags, now = ((MACHINE, "M000000"),), time.time_ns()
    alarm = ("event_class", "ALARM"), ("event_id", "a")
    for n in range(abuse_inputs.SAMPLES):
        at = now - (abuse_inputs.SAMPLES - n) * (DAY // abuse_inputs.SAMPLES)
        yield Point("long", (("lane", "ab"[n % 2]), *tags), {"level": n / 7}, at)
        yield Point("state", tags, {"execution": ("ACTIVE", "READY")[n // 2 % 2]}, at)
        if n % 2:
            yield Point("events", (*alarm, *tags), {"event_value": ("NONE", "HOT")[n // 2 % 2]}, at)


async def prepare(settings: Settings) -> None:
    """The demo plant, and the organizations `big` and `long`."""
    await load_demo(settings, DEMO_DAYS)
    documents = open_documents(settings)
    await fill(documents, "big", DEVICES, APPLICATIONS)
    await fill(documents, "long", DEVICES, 1)
    await documents.close()


async def write_samples(settings: Settings) -> None:
    """Write the samples of a machine of `long`."""
    series = open_series(settings)
    writer = open_point_writer(settings, series)
    database = make_series_layout(settings.series, series).find_location("long").database
    samples = make_samples()
    while batch := list(islice(samples, BATCH)):
        assert not any(await writer.write(database, batch))
    await writer.close()
    await series.close()


async def measure(settings: Settings) -> dict[str, tuple[float, int, int]]:
    """By name of each request: the longest hold in milliseconds, the status and the length of the answer."""
    await prepare(settings)
    await write_samples(settings)
    app = create_app(settings)
    results: dict[str, tuple[float, int, int]] = {}
    async with app.router.lifespan_context(app):
        await ask(app, b'{"query": "{ __typename }"}')
        tune_interpreter()
        for name, (body, path, method, clock) in list_requests().items():
            holds = []
            for _ in range(2):  # graphql-core, then a plan
                probe = LagProbe(clock)
                async with probe.watch():
                    # The turn of a request is known to its task, which is not that of the probe.
                    status, length = await asyncio.create_task(ask(app, body, path, method))
                holds.append(probe.longest_ms)
                # InfluxDB 2 is too slow for some of them.
                is_answered = length > SHORTEST or name not in abuse_inputs.SERIES
                assert is_answered or not settings.series.is_embedded, (name, length)
            # On a busy machine, the clock of the process also counts what runs beside the waiting loop.
            longest = max(holds) if clock is time.thread_time else min(holds)
            results[name] = longest, status, length
    return results


async def main(stores: Sequence[str]) -> None:
    console = Console(soft_wrap=True)
    for name in stores or STORES:
        with tempfile.TemporaryDirectory() as folder:
            async with STORES[name](Path(folder)) as settings:
                for request, (hold, status, length) in (await measure(settings)).items():
                    line = f"{hold:8.1f} ms  {status}  {length:>10,} bytes  {name}: {request}"
                    console.print(line, markup=False)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=PriorityLoop) as runner:
        runner.run(main(sys.argv[1:]))
