"""The gateway against other GraphQL servers, side by side over the same data: `make bench`.

Stock Strawberry, Ariadne, and Mercurius with graphql-jit, each as its users would write it (`bench/peers/`),
and the gateway, each a process of its own over one server of MongoDB's protocol and one of InfluxDB 3 (the
tests'). Every answer is compared with the others' first. The figure is CPU time of the server process per
request, at 16 requests at a time; rounds are interleaved. The gateway over its embedded stores and the REST
list, against a bare handler, are beside them.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from bson import ObjectId
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.machine import machine
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents, open_series
from tests.contract.series_stores import send
from tests.servers import influxdb3, mongodb

CONFIG = Organization.collection_of()
TEMPLATES = ConnectorTemplate.collection_of()

ROOT = Path(__file__).parent.parent
DATABASE, CONCURRENT_REQUESTS = "bench", 16
APPLICATIONS = {"app0": 1000, "app1": 100, "app2": 10}
SCALARS = "documentId machineId name createdAt updatedAt"
EVENTS, CONNECTORS, STATUS = (
    "eventBindings { sourceId label class }",
    "connectors { name driver }",
    "status { power execution }",
)
REST = "/api/organizations/bench/applications/app0/devices"


def devices(application: str, selection: str) -> str:
    return (
        f'{{ application(organizationId: "{DATABASE}", applicationId: "{application}")'
        f" {{ devices(first: 1000) {{ nodes {{ {selection} }} }} }} }}"
    )


QUERIES = {
    "Q1 organization, 3 applications, counts": (
        f'{{ organization(organizationId: "{DATABASE}") {{ name applications {{ name deviceCount }} }} }}',
        256,  # the system counts CPU time in hundredths of a second
    ),
    "Q2 100 devices, events": (devices("app1", f"{SCALARS} {EVENTS}"), 128),
    "Q2 with connectors, status": (devices("app1", f"{SCALARS} {EVENTS} {CONNECTORS} {STATUS}"), 64),
    "Q2 5 scalars only": (devices("app1", SCALARS), 128),
    "Q3 1,000 devices, events, connectors, status": (
        devices("app0", f"{SCALARS} {EVENTS} {CONNECTORS} {STATUS}"),
        16,
    ),
    "Q3 without status": (devices("app0", f"{SCALARS} {EVENTS} {CONNECTORS}"), 16),
    "Q4 1,000 devices, 5 scalars": (devices("app0", SCALARS), 32),
}


async def fill(store: DocumentStore) -> None:
    documents = store.database(DATABASE)
    settings = {name: {"name": name, "status": "active"} for name in APPLICATIONS}
    entries: list[dict[str, Any]] = [
        {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}},
        {"_id": ObjectId(), "key": "organization", "value": {"name": DATABASE}},
    ]
    await documents.upsert(CONFIG, entries)
    templates = [{"_id": ObjectId(), "name": name, "driver": "fanuc"} for name in ("Fanuc", "Haas")]
    await documents.upsert(TEMPLATES, templates)
    now = datetime(2026, 1, 2, 3, 4, 5, 678000)
    for name, count in APPLICATIONS.items():
        line = {"_id": ObjectId(), "name": f"{name} line", "driver": "opcua"}
        await documents.upsert(Connector.collection_of(name), [line])
        devices = [
            {
                "_id": ObjectId(),
                "machineId": f"{name}-M{n}",
                "name": f"Machine {n}",
                "organizationId": DATABASE,
                "applicationId": name,
                "connectors": ["Fanuc", f"{name} line"],
                "events": [{"id": f"e{k}", "label": f"Event {k}", "class": "MODE"} for k in range(3)],
                "properties": {"ip": "192.0.2.1", "port": 8193, "serial": f"{n:08}", "site": "Hall 7"},
                "createdAt": now,
                "updatedAt": now,
            }
            for n in range(count)
        ]
        await documents.upsert(Device.collection_of(name), devices)


def states() -> list[Point]:
    at = time.time_ns()
    return [
        Point("state", ((MACHINE, f"{name}-M{n}"),), {"power": n % 3 > 0, "execution": "ACTIVE"}, at)
        for name, count in APPLICATIONS.items()
        for n in range(count)
    ]


@dataclass
class Peer:
    """A server process, and the CPU milliseconds and latencies of its requests by query."""

    name: str
    url: str
    process: psutil.Popen
    cpu: dict[str, list[float]] = field(default_factory=dict)
    latency: dict[str, list[float]] = field(default_factory=dict)

    async def ask(self, client: httpx.AsyncClient, query: str) -> bytes:
        if query.startswith("/"):
            response = await client.get(self.url + query)
        else:
            response = await client.post(f"{self.url}/graphql", json={"query": query})
        response.raise_for_status()
        return response.content

    async def measure(self, client: httpx.AsyncClient, label: str, query: str, requests: int) -> None:
        """One round: so many requests, some at a time."""
        waiting = iter(range(requests))

        async def answer_one_after_another() -> None:
            for number in waiting:
                # The gateway answers equal queries at one time once, and the peers do not: these differ.
                named = query if query.startswith("/") else f"query N{number % CONCURRENT_REQUESTS} {query}"
                began = time.perf_counter()
                await self.ask(client, named)
                self.latency.setdefault(label, []).append((time.perf_counter() - began) * 1e3)

        before = self.process.cpu_times()
        await asyncio.gather(*(answer_one_after_another() for _ in range(CONCURRENT_REQUESTS)))
        after = self.process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        self.cpu.setdefault(label, []).append(spent / requests * 1e3)


@contextlib.contextmanager
def run_peer(
    name: str, command: list[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[Peer]:
    process = psutil.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{name} did not start: {' '.join(command)}")
        yield Peer(name, f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gateway(name: str, folder: Path, environment: dict[str, str]) -> contextlib.AbstractContextManager[Peer]:
    port = free_port()
    command = [sys.executable, "-m", "compat_rest.main", "serve", "--port", str(port)]
    (folder / "config.yaml").write_text("log: {level: warning}\n")
    command += ["--data", str(folder), "--config", str(folder / "config.yaml")]
    return run_peer(name, command, port, {"INFLUXDB_DATABASE": DATABASE, **environment})


def others(urls: list[str]) -> Iterator[contextlib.AbstractContextManager[Peer]]:
    for name, module in (
        ("Strawberry", "stock_strawberry"),
        ("Ariadne", "ariadne_server"),
        ("bare handler", "bare"),
    ):
        port = free_port()
        yield run_peer(name, [sys.executable, "-m", f"bench.peers.{module}", str(port), *urls], port)
    server = ROOT / "bench/peers/mercurius/server.js"
    if shutil.which("node") and (server.parent / "node_modules").exists():
        port = free_port()
        yield run_peer("Mercurius + JIT", ["node", str(server), str(port), *urls], port)


# Long because it is one run, step by step.
async def main(rounds: int) -> None:
    console = Console(width=160)
    with contextlib.ExitStack() as stack:
        mongo = stack.enter_context(mongodb())
        influx = stack.enter_context(influxdb3(databases=[DATABASE], own=True))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        for url in (f"{mongo.url}/default", None):
            store = open_documents(url, data=folders[1])
            await fill(store)
            await store.close()
        await send(influx, DATABASE, states())
        embedded_series = open_series(None, data=folders[1])
        assert isinstance(embedded_series, WritableSeriesStore)
        await embedded_series.write(DATABASE, states())
        await embedded_series.close()

        environment = {"MONGODB_URI": f"{mongo.url}/default", "INFLUXDB_HOST": influx.url}
        started = [gateway("gateway", folders[0], environment), *others([mongo.url, influx.url])]
        peers = [stack.enter_context(peer) for peer in started]
        embedded = stack.enter_context(gateway("gateway, embedded", folders[1], {}))
        tasks = [
            *(
                (p, label, *query)
                for label, query in QUERIES.items()
                for p in peers
                if p.name != "bare handler"
            )
        ]
        tasks += [(embedded, label, *query) for label, query in QUERIES.items()]
        tasks += [(p, "REST 1,000 devices", REST, 16) for p in peers if p.name in ("gateway", "bare handler")]
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            await compare(client, tasks)
            with Progress() as progress:
                bar = progress.add_task("measuring", total=(rounds + 1) * len(tasks))
                for round_ in range(rounds + 1):
                    for peer, label, query, requests in tasks:
                        # Before the first round, each query is compiled.
                        number = requests if round_ else max(requests, 4 * CONCURRENT_REQUESTS)
                        await peer.measure(client, label, query, number)
                        if round_ == 0:  # what is compiled and cached is so after the first round
                            peer.cpu[label].clear()
                            peer.latency[label].clear()
                        progress.advance(bar)
        console.print(f"{machine()}; {rounds} rounds, {CONCURRENT_REQUESTS} requests at a time")
        console.print(table("CPU ms a request (latency p50, ms)", [*peers, embedded]))


async def compare(client: httpx.AsyncClient, tasks: list[tuple[Peer, str, str, int]]) -> None:
    """Every server's answer is the same, but for the ids of the embedded store's own documents."""
    expected: dict[str, bytes] = {}
    for peer, label, query, _ in tasks:
        for _ in range(3):
            content = await peer.ask(client, query)
        if peer.name != "gateway, embedded":
            body = httpx.Response(200, content=content).json()
            assert "errors" not in body, (peer.name, body)
            if expected.setdefault(label, body) != body:
                raise RuntimeError(
                    f"{peer.name} answers otherwise: {label}\n{str(body)[:400]}\n{str(expected[label])[:400]}"
                )


def table(title: str, peers: list[Peer]) -> Table:
    comparison = Table(
        "operation", *(peer.name for peer in peers), "gateway to Mercurius or bare", title=title
    )
    by_name = {peer.name: peer for peer in peers}
    for label in [*QUERIES, "REST 1,000 devices"]:
        cells = []
        for peer in peers:
            if peer.cpu.get(label):
                latency = statistics.median(peer.latency[label])
                cells.append(f"{statistics.median(peer.cpu[label]):.2f} ({latency:.0f})")
            else:
                cells.append("")
        reference = by_name.get("bare handler" if label.startswith("REST") else "Mercurius + JIT")
        ratio = ""
        if reference is not None:
            ours, theirs = (statistics.median(p.cpu[label]) for p in (by_name["gateway"], reference))
            ratio = f"{ours / theirs:.2f}"
        comparison.add_row(label, *cells, ratio)
    return comparison


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(arguments.parse_args().rounds))
