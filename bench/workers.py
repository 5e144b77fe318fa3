"""One worker process and two, over the same stores, with controls: `python -m bench.workers`.

CPU time of all processes of the gateway for each request. Two workers differ from one process by more than
the gateway's own work: each has half of the requests at once, and both share the cores' caches with each
other, the clients and the stores. The controls measure these parts. Connections stay open, and the rounds of
all loads are interleaved.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from bench.execution import Peer, gateway
from bench.machine import machine
from bench.plant import DATABASE, QUERIES, fill, states
from stores.opening import open_documents
from tests.contract.series_stores import send
from tests.servers import influxdb3, mongodb

ROUNDS, CONCURRENT, NAMES = 5, 16, 64
TIMES = 2  # as many requests as `bench.execution` sends in a round
LABELS = ("Q1 organization, 3 applications, counts", "Q2 100 devices, events")
# A process that keeps a core and its caches busy.
BUSY = "x = bytearray(1 << 23)\nwhile True:\n  for i in range(0, len(x), 64): x[i] = x[i] + 1 & 255"


@dataclass
class Load:
    """Clients of one or two gateways, each with one open connection. `is_beside` runs a busy process."""

    name: str
    peers: list[Peer]
    concurrent: int
    is_beside: bool = False
    of_one_worker: bool = False
    clients: list[tuple[str, aiohttp.ClientSession]] = field(default_factory=list)
    rounds: list[list[float]] = field(default_factory=list)  # the CPU ms of each process for each request

    async def connect(self, stack: contextlib.AsyncExitStack) -> None:
        """Open the connections. Those of two workers are dealt in turn: of one worker is every second."""
        number = self.concurrent * (2 if self.of_one_worker else 1) // len(self.peers)
        for peer in self.peers * number:
            connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=600)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            self.clients.append((peer.url, session))
            await self._request(peer.url, session, "{ __typename }")
        if self.of_one_worker:
            self.clients = self.clients[::2]

    async def measure(self, query: str, requests: int) -> list[float]:
        """The CPU milliseconds of each process for each request."""
        waiting = iter(range(requests))

        async def request_one_after_another(url: str, session: aiohttp.ClientSession) -> None:
            for number in waiting:  # equal queries at one time would be executed once
                await self._request(url, session, f"query N{number % NAMES} {query}")

        with _busy_process() if self.is_beside else contextlib.nullcontext():
            before = self._list_cpu_seconds()
            await asyncio.gather(*(request_one_after_another(*client) for client in self.clients))
            after = self._list_cpu_seconds()
        return [(now - then) / requests * 1e3 for then, now in zip(before, after, strict=True)]

    async def _request(self, url: str, session: aiohttp.ClientSession, query: str) -> None:
        async with session.post(f"{url}/graphql", json={"query": query}) as response:
            await response.read()
            response.raise_for_status()

    def _list_cpu_seconds(self) -> list[float]:
        """The CPU time of each gateway's first process, and of each of its workers."""
        processes = [process for peer in self.peers for process in (peer.process, *peer.process.children())]
        return [times.user + times.system for times in (process.cpu_times() for process in processes)]


@contextlib.contextmanager
def _busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def make_loads(first: Peer, second: Peer, workers: Peer) -> list[Load]:
    half = CONCURRENT // 2
    return [
        Load(f"one process, {CONCURRENT} at once", [first], CONCURRENT),
        Load(f"one process, {half} at once", [first], half),
        Load(f"one process, {half} at once, beside a busy process", [first], half, is_beside=True),
        Load(f"two gateways of one process, {half} at once each", [first, second], CONCURRENT),
        Load(f"two workers, {CONCURRENT} at once", [workers], CONCURRENT),
        Load(f"one of the two workers, {half} at once", [workers], half, of_one_worker=True),
    ]


def make_table(label: str, loads: list[Load]) -> Table:
    table = Table("load", "CPU ms", "ratio to the first", "CPU of each process, ms", title=label)
    base = [sum(processes) for processes in loads[0].rounds]
    for load in loads:
        totals = [sum(processes) for processes in load.rounds]
        ratio = statistics.median(total / first for total, first in zip(totals, base, strict=True))
        processes = (statistics.median(values) for values in zip(*load.rounds, strict=True))
        cells = ", ".join(f"{value:.3f}" for value in processes)
        table.add_row(load.name, f"{statistics.median(totals):.2f}", f"{ratio:.2f}", cells)
    _, alone, _, gateways, workers, one_worker = (statistics.median(map(sum, load.rounds)) for load in loads)
    table.caption = (
        f"two workers to two gateways {workers / gateways:.2f};"
        f" a worker to a process, alone {one_worker / alone:.2f}"
    )
    return table


async def main() -> None:
    async with contextlib.AsyncExitStack() as stack:
        mongo = stack.enter_context(mongodb())
        influx = stack.enter_context(influxdb3(databases=[DATABASE], own=True))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        store = open_documents(f"{mongo.url}/default", data=folders[0])
        await fill(store)
        await store.close()
        await send(influx, DATABASE, states())
        environment = {"MONGODB_URI": f"{mongo.url}/default", "INFLUXDB_HOST": influx.url}
        peers = [
            stack.enter_context(
                gateway(folder.name, folder, {**environment, "SYNC_GATEWAY_SERVER__WORKERS": number})
            )
            for number, folder in zip("112", folders, strict=True)
        ]
        while len(peers[2].process.children()) < 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.1)
        loads = make_loads(*peers)
        for load in loads:
            await load.connect(stack)
        console = Console(width=140)
        console.print(f"{machine()}; {psutil.cpu_count()} cores; {ROUNDS} rounds")
        for label in LABELS:
            query, requests = QUERIES[label]
            for load in loads:
                load.rounds.clear()
                await load.measure(query, requests)  # what is compiled and cached is so after this
            for _ in range(ROUNDS):
                for load in loads:
                    load.rounds.append(await load.measure(query, requests * TIMES))
            console.print(make_table(label, loads))


if __name__ == "__main__":
    asyncio.run(main())
