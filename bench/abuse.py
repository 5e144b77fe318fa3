"""Ordinary dashboards beside an abuse mix: `make bench-abuse`.

A gateway process over its embedded stores. Twenty dashboard requests a second are sent alone, and then beside
nesting, fragments, slow clients, gzip, big answers that nobody reads, 200 heavy queries and 40 long series at
once. The p99 of the dashboards may at most double, none may fail, and afterwards the memory has to be what it
was. First the gateway is open, so that nobody has a budget; then the abuse has a key of its own, and with it
the default budgets.
"""

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import orjson
from rich.console import Console

from bench.abuse_inputs import BIG_ANSWER, DOCUMENTS, GZIP_BODY, HEAVY, RAW_SERIES
from bench.execution import DATABASE, Peer, gateway
from bench.lag import prepare
from bench.machine import machine
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.settings import Settings
from stores.opening import open_documents

DASHBOARD = """{ organization(organizationId: "ferro-works") { applications { devices(first: 50) {
  nodes { machineId name connected status { power execution mode } connectors { name } } } } } }"""
CONFIG = "log: {level: error}\n"
ORDINARY, ABUSING = ("big", "ferro-works"), ("big", "ferro-works", "long")
REQUESTS_PER_SECOND = 20
CACHED_DOCUMENTS = 400  # more than the cache of documents holds of RAW_SERIES
RELEASED_AFTER_S = 12  # when what the abuse leaves is given back to the system: looked for every five seconds
HEAVY_AT_ONCE, RAW_AT_ONCE, SLOW_CLIENTS, READERS = 200, 40, 60, 40
MAX_P99_FACTOR, MAX_MEMORY_FACTOR, MAX_HEALTH_MS = 2.0, 1.2, 100.0
Abuse = Callable[[], Awaitable[object]]


class Timings:
    """The times of requests in milliseconds, and how many failed."""

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self.failures: Counter[str] = Counter()

    @property
    def p99_ms(self) -> float:
        return sorted(self.times_ms)[int(len(self.times_ms) * 0.99)]

    async def measure(self, request: Awaitable[httpx.Response]) -> None:
        began = time.perf_counter()
        try:
            response = await request
        except httpx.HTTPError as error:
            self.failures[type(error).__name__] += 1
            return
        self.times_ms.append((time.perf_counter() - began) * 1e3)
        if response.status_code != 200 or b'"errors"' in response.content[:100]:
            self.failures[str(response.status_code)] += 1

    def __str__(self) -> str:
        failures = ", ".join(f"{count} {what}" for what, count in self.failures.items()) or "none failed"
        return f"{len(self.times_ms)} requests, p99 {self.p99_ms:.1f} ms, {failures}"


class Mix:
    """The abuse of one server, over plain sockets, so that it costs the machine little."""

    def __init__(self, url: str, key: str | None) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = host, int(port)
        self._credential = [] if key is None else [f"X-API-Key: {key}"]
        self.statuses: Counter[str] = Counter()

    async def run(self) -> None:
        """Abuse the server until cancelled."""
        documents = itertools.cycle(DOCUMENTS.values())
        numbers = itertools.count()  # so that no two of these queries are equal
        write = f"/api/v2/write?bucket={DATABASE}", "Content-Encoding: gzip", GZIP_BODY
        kinds: list[tuple[int, Abuse]] = [
            (4, lambda: self._send(*_query(next(documents)))),
            (HEAVY_AT_ONCE, lambda: self._send(*_query(HEAVY))),
            (RAW_AT_ONCE, lambda: self._send(*_query(f"{RAW_SERIES} # {next(numbers)}"))),
            (2, lambda: self._send(*write)),
            (SLOW_CLIENTS, self._dribble),
            (READERS, self._read_nothing),
        ]
        await asyncio.gather(*(self._repeat(abuse) for number, abuse in kinds for _ in range(number)))

    async def _repeat(self, abuse: Abuse) -> None:
        while True:
            try:
                async with asyncio.timeout(60):
                    await abuse()
            except OSError as error:  # a TimeoutError is one
                self.statuses[type(error).__name__] += 1
            await asyncio.sleep(0.1)

    async def _send(self, path: str, header: str, body: bytes) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(self._render(path, header, body))
            status = (await reader.readline()).split()
            self.statuses[status[1].decode() if status else "closed"] += 1
            while await reader.read(1 << 20):
                pass
        finally:
            writer.close()

    async def _dribble(self) -> None:
        """Send a header byte by byte until the server ends it."""
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            answer = asyncio.create_task(reader.read(100))
            while not answer.done():
                writer.write(b"a")
                await asyncio.wait([answer], timeout=1)
        finally:
            writer.close()

    async def _read_nothing(self) -> None:
        """Request a big answer, and read none of it."""
        _, writer = await asyncio.open_connection(*self._address, limit=1024)
        try:
            writer.write(self._render(*_query(BIG_ANSWER)))
            await asyncio.sleep(40)
        finally:
            writer.close()

    def _render(self, path: str, header: str, body: bytes) -> bytes:
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", header, *self._credential]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _query(document: str) -> tuple[str, str, bytes]:
    return "/graphql", "Content-Type: application/json", orjson.dumps({"query": document})


def abuse(url: str, key: str | None, seconds: float) -> None:
    """Abuse a server for so long, and print what it answered."""

    async def run() -> None:
        mix = Mix(url, key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await mix.run()
        print(f"what the abuse got: {dict(mix.statuses)}", flush=True)

    asyncio.run(run())


async def send_dashboards(peer: Peer, seconds: float) -> tuple[Timings, Timings]:
    """The timings of the dashboards, and of health checks beside them."""
    dashboards, health = Timings(), Timings()
    async with httpx.AsyncClient(
        base_url=peer.url, headers=peer.headers, trust_env=False, timeout=60
    ) as client:
        running = set()
        began = time.perf_counter()
        for number in range(int(seconds * REQUESTS_PER_SECOND)):
            await asyncio.sleep(began + number / REQUESTS_PER_SECOND - time.perf_counter())
            request = client.post("/graphql", json={"query": DASHBOARD})
            running.add(asyncio.create_task(dashboards.measure(request)))
            if number % 5 == 0:
                running.add(asyncio.create_task(health.measure(client.get("/health/live"))))
        await asyncio.gather(*running)
    return dashboards, health


async def main(seconds: float) -> int:
    console = Console(soft_wrap=True)
    console.print(machine())
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await prepare(Settings(data=folder))
        with gateway("gateway", folder, {}, CONFIG) as peer:
            console.print("[bold]The gateway is open[/bold]")
            failures += await compare(peer, None, seconds, console)
        ordinary, abusing = [await create_key(folder, grant) for grant in (ORDINARY, ABUSING)]
        with gateway("gateway", folder, {}, CONFIG) as peer:
            console.print("[bold]The abuse has a key of its own[/bold]")
            peer.headers["X-API-Key"] = ordinary
            failures += await compare(peer, abusing, seconds, console)
    return int(failures > 0)


async def create_key(folder: Path, organizations: tuple[str, ...]) -> str:
    documents = open_documents(None, data=folder, deadline=60)
    spec = KeySpec("bench", organizations, Role.VIEWER)
    _, key = await create_api_key(documents.database(documents.default), spec, created_by="bench")
    await documents.close()
    return key


async def warm_up(peer: Peer) -> None:
    """Large answers, and as many documents as are cached, after which the memory is what it stays."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for _ in range(3):
            await asyncio.gather(*(peer.ask(client, query) for query in (HEAVY, BIG_ANSWER, RAW_SERIES)))
        for first in range(0, CACHED_DOCUMENTS, RAW_AT_ONCE):
            numbers = range(first, first + RAW_AT_ONCE)
            await asyncio.gather(*(peer.ask(client, f"{RAW_SERIES} # warm {n}") for n in numbers))
    await asyncio.sleep(6)  # what is not used any more is released every five seconds
    await send_dashboards(peer, 3)


async def compare(peer: Peer, key: str | None, seconds: float, console: Console) -> int:
    """How many limits are exceeded beside abuse with this key."""
    await warm_up(peer)
    alone, _ = await send_dashboards(peer, seconds)
    warm = peer.process.memory_info().rss
    abusing = multiprocessing.get_context("spawn").Process(target=abuse, args=(peer.url, key, seconds + 3))
    abusing.start()
    await asyncio.sleep(3)
    beside, health = await send_dashboards(peer, seconds)
    highest = peer.process.memory_info().rss
    await asyncio.to_thread(abusing.join)
    await asyncio.sleep(RELEASED_AFTER_S)
    late = peer.process.memory_info().rss
    console.print(f"dashboards alone:            {alone}")
    console.print(f"dashboards beside the abuse: {beside}")
    console.print(f"health checks beside it:     {health}")
    console.print(f"resident MB: {warm / 1e6:.0f} before, {highest / 1e6:.0f} during, {late / 1e6:.0f} after")
    failed = list(_list_failures(alone, beside, health, late / warm))
    for failure in failed:
        console.print(f"EXCEEDED: {failure}")
    return len(failed)


def _list_failures(alone: Timings, beside: Timings, health: Timings, growth: float) -> Iterator[str]:
    if beside.p99_ms > MAX_P99_FACTOR * alone.p99_ms:
        yield f"the p99 of the dashboards is {beside.p99_ms / alone.p99_ms:.1f} times what it was"
    if beside.failures:
        yield "dashboards failed"
    if health.failures or health.p99_ms > MAX_HEALTH_MS:
        yield "health checks failed or were late"
    if growth > MAX_MEMORY_FACTOR:
        yield f"the memory is {growth:.2f} times what it was"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--seconds", type=float, default=20)
    sys.exit(asyncio.run(main(arguments.parse_args().seconds)))
