"""A panel of 30 days and its viewers: `python -m bench.viewers [--points N] [--panels NAME ...]`.

100 machines, 30 days, through the whole gateway over HTTP; the clients are another process.
What the panel costs when it is opened and when it is refreshed, and what 100 viewers cost who open it at
once, all in relation to the first one: store calls, CPU time of the gateway, and time.
"""

import argparse
import asyncio
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import uvicorn
from bson import ObjectId
from rich.console import Console
from rich.table import Table

from bench.machine import machine
from schema.server.app import create_app
from schema.server.process_tuning import freeze_startup_objects
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents, open_series
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedWritableSeriesStore

MACHINES, DAYS, VIEWERS, ROUNDS, BATCH = 100, 30, 100, 5, 5000
MACHINES_OF = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
  devices(first: 100) { nodes { machineId %s } } } }"""
SERIES = """series(measurement: "production", field: "temperature", range: {last: "P30D"},
  every: {duration: "PT1H"}, aggregate: %s) { timesMs numbers }"""
# Hourly means are made of rollups; quantiles are computed from all samples, and states and OEE from changes.
PANELS = {
    "MEAN": MACHINES_OF % SERIES % "MEAN",
    "QUANTILE": MACHINES_OF % SERIES % "QUANTILE, quantile: 0.9",
    "STATES": MACHINES_OF
    % 'states(range: {last: "P30D"}, every: {unit: DAY}) { windows { start states { value share } } }',
    "OEE": MACHINES_OF
    % """performance(range: {last: "P30D"}, every: {unit: DAY}, idealCycleTime: "PT10M",
      pieces: {measurement: "production", field: "pieces"}) { windows { start availability performance } }""",
}
STATES = ("ACTIVE", "STOPPED", "ACTIVE", "READY", "ACTIVE", "INTERRUPTED")
PLANT, OTHER = "plant", "other"  # the latter has machines without points


async def fill(documents: DocumentStore, series: WritableSeriesStore, count: int) -> None:
    """Two organizations with 100 machines each, and the points of one of them.

    Every fifth point reports a state, which changes with every second report, and a counter of pieces.
    """
    names = [f"M{n:03}" for n in range(MACHINES)]
    for organization in (PLANT, OTHER):
        database = documents.database(organization)
        value = {"applicationSettings": {"cnc": {"name": "CNC"}}}
        entry = {"_id": ObjectId(), "key": "applications", "value": value}
        await database.upsert(Organization.collection_of(), [entry])
        devices = [{"_id": ObjectId(), "machineId": name} for name in names]
        await database.upsert(Device.collection_of("cnc"), devices)
    now, span = time.time_ns(), DAYS * 86_400 * SECOND
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        points = [
            Point(
                "production",
                ((MACHINE, names[n % MACHINES]),),
                {"temperature": n % 977 / 10} | ({"pieces": n // 500} if n // MACHINES % 5 == 0 else {}),
                now - span + span * n // count,
            )
            for n in numbers
        ]
        points += [
            Point("state", point.tags, {"execution": STATES[n // 1000 % len(STATES)]}, point.time)
            for n, point in zip(numbers, points, strict=True)
            if n // MACHINES % 5 == 0
        ]
        await series.write(f"organization/{PLANT}", points)


class Cost(NamedTuple):
    """What requests have cost: calls to the stores, and milliseconds of CPU and of time."""

    calls: int
    cpu: float
    elapsed: float


class Server:
    """The gateway in this process, with an empty cache, and what it asks of its stores."""

    def __init__(self, port: int, calls: list[CallCounter]) -> None:
        self._port, self._calls = port, calls

    async def measure(self, viewers: int, panel: str) -> Cost:
        """Let viewers open the panel at once, from another process."""
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.viewers", "--client", str(self._port), str(viewers), panel,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert client.stdin is not None
        assert client.stdout is not None
        await client.stdout.readline()  # it is connected
        for counter in self._calls:
            counter.calls.clear()
        cpu, began = time.process_time(), time.perf_counter()
        client.stdin.write(b"\n")
        await client.stdout.readline()  # it has all answers
        cost = Cost(
            sum(len(counter.calls) for counter in self._calls),
            (time.process_time() - cpu) * 1e3,
            (time.perf_counter() - began) * 1e3,
        )
        assert await client.wait() == 0
        return cost


@asynccontextmanager
async def serve(folder: Path) -> AsyncIterator[Server]:
    """A gateway that has compiled the query of the panel, but has read nothing of the plant."""
    document_calls, series_calls = CallCounter(), CallCounter()
    series = open_series(None, data=folder, deadline=60.0)
    assert isinstance(series, WritableSeriesStore)
    documents = WrappedDocumentStore(open_documents(None, data=folder), document_calls)
    app = create_app(
        Settings.model_validate({"data": folder}),
        documents=documents,
        series=WrappedWritableSeriesStore(series, series_calls),
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
        for _ in range(3):
            for query in PANELS.values():
                await http.post("/graphql", json={"query": query, "variables": {"o": OTHER}})
    yield Server(port, [document_calls, series_calls])
    server.should_exit = True
    await serving


def view(port: int, viewers: int, panel: str) -> None:
    """What the clients' process does: connect, wait for a line, open the panel, and say that all is there."""
    body = json.dumps({"query": PANELS[panel], "variables": {"o": PLANT}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(viewers)]
    print("connected", flush=True)
    sys.stdin.readline()
    for connection in connections:
        connection.sendall(request)
    with ThreadPoolExecutor(viewers) as threads:
        responses = list(threads.map(_receive, connections))
    print("answered", flush=True)
    for response in responses:
        nodes = json.loads(response.partition(b"\r\n\r\n")[2])["data"]["application"]["devices"]["nodes"]
        assert len(nodes) == MACHINES
        [answer] = (value for key, value in nodes[0].items() if key != "machineId")
        assert len(answer["numbers"]) >= 24 * DAYS if "numbers" in answer else len(answer["windows"]) >= DAYS


def _receive(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 20), b""))


async def main(count: int, panels: Sequence[str]) -> None:
    console = Console(soft_wrap=True)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents, series = open_documents(None, data=folder), open_series(None, data=folder, deadline=60.0)
        assert isinstance(series, WritableSeriesStore)
        await fill(documents, series, count)
        await documents.close()
        await series.close()
        freeze_startup_objects()  # as a serving process does
        for panel in panels:
            console.print(await compare(folder, panel))


async def compare(folder: Path, panel: str) -> Table:
    """The costs of a panel."""
    one: list[Cost] = []
    again: list[Cost] = []
    many: list[Cost] = []
    for _ in range(ROUNDS):
        async with serve(folder) as server:
            one.append(await server.measure(1, panel))
            again.append(await server.measure(1, panel))
        async with serve(folder) as server:
            many.append(await server.measure(VIEWERS, panel))
    table = Table("", "store calls", "CPU", "time", title=f"{panel}, medians of {ROUNDS} rounds")
    first = _median(one)
    table.add_row("opened", f"{first[0]:.0f}", f"{first[1]:.0f} ms", f"{first[2]:.0f} ms")
    for label, costs in (("refreshed", again), (f"opened by {VIEWERS} at once", many)):
        ratios = [cost / base for cost, base in zip(_median(costs), first, strict=True)]
        table.add_row(label, *(f"{ratio:.2f} times" for ratio in ratios))
    return table


def _median(costs: list[Cost]) -> list[float]:
    return [statistics.median(column) for column in zip(*costs, strict=True)]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--points", type=int, default=2_000_000)
    arguments.add_argument("--panels", nargs="*", default=list(PANELS), choices=PANELS)
    arguments.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.client:
        port, viewers, panel = options.client
        view(int(port), int(viewers), panel)
    else:
        asyncio.run(main(options.points, options.panels))
