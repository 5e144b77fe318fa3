"""One worker process and two, over the same stores: `python -m bench.workers`.

CPU time of all processes of the gateway for each request, at 16 requests at a time over as many connections,
and how the workers share them. Rounds are interleaved.
"""

import asyncio
import contextlib
import statistics
import tempfile
from pathlib import Path

import httpx
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
LABELS = ("Q1 organization, 3 applications, counts", "Q2 100 devices, events")


def list_cpu_seconds(peer: Peer) -> list[float]:
    """The CPU time of the first process, and of each of its workers."""
    processes = [peer.process, *peer.process.children()]
    return [times.user + times.system for times in (process.cpu_times() for process in processes)]


async def measure(peer: Peer, query: str, requests: int) -> list[float]:
    """The CPU milliseconds of each process for each request."""
    waiting = iter(range(requests))

    async def ask_one_after_another() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            for number in waiting:  # equal queries at one time would be executed once
                await peer.ask(client, f"query N{number % NAMES} {query}")

    before = list_cpu_seconds(peer)
    await asyncio.gather(*(ask_one_after_another() for _ in range(CONCURRENT)))
    return [(now - then) / requests * 1e3 for then, now in zip(before, list_cpu_seconds(peer), strict=True)]


# Long because it is one run, step by step.
async def main() -> None:
    with contextlib.ExitStack() as stack:
        mongo = stack.enter_context(mongodb())
        influx = stack.enter_context(influxdb3(databases=[DATABASE], own=True))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        store = open_documents(f"{mongo.url}/default", data=folders[0])
        await fill(store)
        await store.close()
        await send(influx, DATABASE, states())
        peers = [
            stack.enter_context(
                gateway(
                    f"{number} workers",
                    folder,
                    {
                        "MONGODB_URI": f"{mongo.url}/default",
                        "INFLUXDB_HOST": influx.url,
                        "SYNC_GATEWAY_SERVER__WORKERS": str(number),
                    },
                )
            )
            for number, folder in zip((1, 2), folders, strict=True)
        ]
        while len(peers[1].process.children()) < 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.1)
        table = Table(
            "operation",
            "one, CPU ms",
            "two, CPU ms",
            "ratio",
            "of which the first process",
            "share of a worker",
        )
        for label in LABELS:
            query, requests = QUERIES[label]
            figures: list[list[list[float]]] = [[], []]
            for round_ in range(ROUNDS + 1):
                for peer, measured in zip(peers, figures, strict=True):
                    milliseconds = await measure(peer, query, requests)
                    if round_:  # what is compiled and cached is so after the first round
                        measured.append(milliseconds)
            one, two = ([sum(processes) for processes in measured] for measured in figures)
            first = statistics.median(processes[0] for processes in figures[1])
            shares = [processes[1] / sum(processes[1:]) for processes in figures[1]]
            table.add_row(
                label,
                f"{statistics.median(one):.2f}",
                f"{statistics.median(two):.2f}",
                f"{statistics.median(b / a for a, b in zip(one, two, strict=True)):.2f}",
                f"{first:.3f}",
                f"{min(shares):.2f} to {max(shares):.2f}",
            )
    console = Console(width=140)
    console.print(f"{machine()}; {psutil.cpu_count()} cores; {ROUNDS} rounds")
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
