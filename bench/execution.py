"""The gateway against other GraphQL servers, side by side over the same data: `make bench`.

Stock Strawberry, Ariadne, and Mercurius with graphql-jit, each as its users would write it (`bench/peers/`),
and the gateway, each a process of its own over one server of MongoDB's protocol and one of InfluxDB 3 (the
tests'). Every answer is compared with the others' first. The figure is CPU time of the server process per
request, at 16 requests at a time; rounds are interleaved. The gateway requires a credential and has its
limits, and no answer is compressed, as the peers cannot. The gateway over its embedded stores and the old
routes, against a bare handler, are beside them.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from bench.machine import machine
from bench.plant import BARE, DATABASE, QUERIES, REST, fill, states
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.contract.series_stores import send
from tests.servers import InfluxDB3, influxdb3, mongodb

__all__ = ["DATABASE", "QUERIES", "REST", "Peer", "fill", "free_port", "gateway", "run_peer", "states"]
ROOT = Path(__file__).parent.parent
CONCURRENT_REQUESTS = 16
GATEWAY, EMBEDDED, MERCURIUS, HANDLER = "gateway", "gateway, embedded", "Mercurius + JIT", "bare handler"
SLOW = ("Strawberry", "Ariadne")  # they get a quarter of the requests
CONFIG = "log: {level: warning}\nlimits: {cost_per_minute: 1000000000, tenant_cost_per_minute: 1000000000}\n"


@dataclass
class Peer:
    """A server process, and the CPU milliseconds and latencies of its requests by query."""

    name: str
    url: str
    process: psutil.Popen
    headers: dict[str, str] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    latency: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of the answer to each query
    failed: int = 0  # answers of another length, such as errors

    async def ask(self, client: httpx.AsyncClient, query: str, number: int = 0) -> bytes:
        """The answer to a query, or to a GET request if it is a path.

        The gateway executes equal queries at one time once, and the peers do not. They differ in the variable
        `number`, which no operation declares and every server ignores.
        """
        headers = {"Accept-Encoding": "identity", **self.headers}
        if query.startswith("/"):
            response = await client.get(self.url + query, headers=headers)
        else:
            body = {"query": query, "variables": {"number": number}}
            response = await client.post(f"{self.url}/graphql", json=body, headers=headers)
        response.raise_for_status()
        return response.content

    async def measure(self, client: httpx.AsyncClient, label: str, query: str, requests: int) -> None:
        """One round: so many requests, some at a time."""
        waiting = iter(range(requests))

        async def answer_one_after_another() -> None:
            for number in waiting:
                began = time.perf_counter()
                size = len(await self.ask(client, query, number))
                self.failed += size != self.sizes.setdefault(label, size)
                self.latency.setdefault(label, []).append((time.perf_counter() - began) * 1e3)

        before = self._read_cpu_seconds()
        await asyncio.gather(*(answer_one_after_another() for _ in range(CONCURRENT_REQUESTS)))
        spent = self._read_cpu_seconds() - before
        self.cpu.setdefault(label, []).append(spent / requests * 1e3)

    def _read_cpu_seconds(self) -> float:
        """The CPU time of all threads of the process, those that have ended included."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # the kernel's clock of another process


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


def gateway(
    name: str, folder: Path, environment: dict[str, str], config: str = CONFIG
) -> contextlib.AbstractContextManager[Peer]:
    port = free_port()
    command = [sys.executable, "-m", "compat_rest.main", "serve", "--port", str(port)]
    (folder / "config.yaml").write_text(config)
    command += ["--data", str(folder), "--config", str(folder / "config.yaml")]
    return run_peer(name, command, port, {"INFLUXDB_DATABASE": DATABASE, **environment})


def others(urls: list[str]) -> Iterator[contextlib.AbstractContextManager[Peer]]:
    modules = dict(zip((*SLOW, HANDLER), ("stock_strawberry", "ariadne_server", "bare"), strict=True))
    for name, module in modules.items():
        port = free_port()
        yield run_peer(name, [sys.executable, "-m", f"bench.peers.{module}", str(port), *urls], port)
    port = free_port()
    yield run_peer(MERCURIUS, ["node", str(ROOT / "bench/peers/mercurius/server.js"), str(port), *urls], port)


async def prepare(mongo_url: str, influx: InfluxDB3, folder: Path) -> dict[str, dict[str, str]]:
    """Fill the stores, and create a key for each gateway. Returns the headers of requests by peer."""
    headers = {}
    for name, url in ((GATEWAY, f"{mongo_url}/default"), (EMBEDDED, None)):
        store = open_documents(url, data=folder)
        await fill(store)
        spec = KeySpec("bench", (DATABASE,), Role.VIEWER)
        _, key = await create_api_key(store.database(store.default), spec, created_by="bench")
        headers[name] = {"Authorization": f"Bearer {key}"}
        await store.close()
    await send(influx, DATABASE, states())
    embedded_series = open_series(None, data=folder)
    assert isinstance(embedded_series, WritableSeriesStore)
    await embedded_series.write(DATABASE, states())
    await embedded_series.close()
    return headers


class Task(NamedTuple):
    """A query of one peer, and how many requests it gets in a round."""

    peer: Peer
    label: str
    query: str
    requests: int


def list_tasks(peers: list[Peer]) -> list[Task]:
    """What is measured in a round: the same query of one peer after the other."""
    tasks = []
    for label, (query, requests) in QUERIES.items():
        for peer in peers:
            if peer.name != HANDLER:
                tasks.append(Task(peer, label, query, requests // 4 if peer.name in SLOW else requests))
    for label, (query, requests) in BARE.items():
        tasks += [Task(peer, label, query, requests) for peer in peers if peer.name in (GATEWAY, HANDLER)]
    return tasks


async def main(rounds: int) -> None:
    console = Console(width=160)
    with contextlib.ExitStack() as stack:
        mongo = stack.enter_context(mongodb())
        influx = stack.enter_context(influxdb3(databases=[DATABASE], own=True))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        headers = await prepare(mongo.url, influx, folders[1])
        environment = {"MONGODB_URI": f"{mongo.url}/default", "INFLUXDB_HOST": influx.url}
        started = [gateway(GATEWAY, folders[0], environment), *others([mongo.url, influx.url])]
        started.append(gateway(EMBEDDED, folders[1], {}))
        peers = [stack.enter_context(peer) for peer in started]
        for peer in peers:
            peer.headers = headers.get(peer.name, {})
        tasks = list_tasks(peers)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            console.print("comparing the answers")
            await compare(client, tasks)
            await measure(client, tasks, rounds)
    console.print(f"{machine()}; {rounds} rounds, {CONCURRENT_REQUESTS} requests at a time")
    console.print(make_table(peers), make_ratios(peers))
    console.print("failed:", *(f"{peer.name} {peer.failed}" for peer in peers if peer.failed))


async def measure(client: httpx.AsyncClient, tasks: list[Task], rounds: int) -> None:
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("measuring", total=(rounds + 1) * len(tasks))
        for round_ in range(rounds + 1):
            for peer, label, query, requests in tasks:
                # Before the first round, what is sent often is compiled and cached.
                number = requests if round_ or peer.name in SLOW else max(requests, 4 * CONCURRENT_REQUESTS)
                await peer.measure(client, label, query, number)
                if round_ == 0:
                    peer.cpu[label].clear()
                    peer.latency[label].clear()
                progress.update(bar, advance=1, description=f"round {round_} of {rounds}")


async def compare(client: httpx.AsyncClient, tasks: list[Task]) -> None:
    """Every server's answer is the same, but for the ids of the embedded store's own documents."""
    expected: dict[str, object] = {}
    for peer, label, query, _ in tasks:
        for _ in range(3):
            content = await peer.ask(client, query)
        peer.sizes[label] = len(content)
        if peer.name != EMBEDDED:
            body = httpx.Response(200, content=content).json()
            assert "errors" not in body, (peer.name, body)
            if expected.setdefault(label, body) != body:
                raise RuntimeError(
                    f"{peer.name} answers otherwise: {label}\n{str(body)[:400]}\n{str(expected[label])[:400]}"
                )


def make_table(peers: list[Peer]) -> Table:
    table = Table("operation", *(peer.name for peer in peers), title="CPU ms a request (latency p50, ms)")
    for label in [*QUERIES, *BARE]:
        cells = []
        for peer in peers:
            measured = label in peer.cpu
            latency = statistics.median(peer.latency[label]) if measured else 0
            cells.append(f"{statistics.median(peer.cpu[label]):.2f} ({latency:.0f})" if measured else "")
        table.add_row(label, *cells)
    return table


def make_ratios(peers: list[Peer]) -> Table:
    """The CPU time of each peer, that of Mercurius (or, for what it does not answer, of the handler) = 1."""
    by_name = {peer.name: peer for peer in peers}
    table = Table("operation", *by_name, title="CPU time, medians of the ratios in each round")
    for label in [*QUERIES, *BARE]:
        reference = by_name[HANDLER if label in BARE else MERCURIUS].cpu[label]
        cells = []
        for peer in peers:
            ratios = [cpu / unit for cpu, unit in zip(peer.cpu.get(label, ()), reference, strict=False)]
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "")
        table.add_row(label, *cells)
    return table


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(arguments.parse_args().rounds))
