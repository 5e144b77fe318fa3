"""What requests leave behind, and how long a huge answer holds up others: `make bench-memory`.

The gateway as a process over its embedded store. Resident memory after a warm start, after 20,000 distinct
documents of which half are not valid, after 10,000 answers of 1,000 devices, and after a flood of queries of
300,000 samples each; and the longest time that a health check waits while a query of 10,000 devices is
answered. Ends with 1 if the memory is not within 20 % of that of the warm start.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track

from bench.execution import Peer, gateway
from bench.graph import fill
from bench.machine import machine
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series

LIST = """{ application(organizationId: "steady", applicationId: "app0") {
  devices(first: 1000) { nodes { machineId name updatedAt connectors { name driver } } } } }"""
ALL = """{ organization(organizationId: "steady") { applications { devices(first: 1000) {
  nodes { machineId name updatedAt connectors { name driver } eventBindings { label } } } } } }"""
MACHINE_ID, SAMPLES, FLOOD = "M000000", 300_000, 100
RAW = """query($machine: String!, $last: Duration!) {
  device(organizationId: "steady", applicationId: "app0", machineId: $machine) {
    series(measurement: "m", field: "f", range: {last: $last}) { numbers } } }"""
CONCURRENT_REQUESTS = 8
RELEASE_S = 15.0  # after which memory that is not used any more has been returned
MAX_MEMORY_FACTOR = 1.2
# Budgets are not what is measured.
SETTINGS = {
    "SYNC_GATEWAY_LIMITS__COST_PER_MINUTE": "null",
    "SYNC_GATEWAY_LIMITS__TENANT_COST_PER_MINUTE": "null",
    "SYNC_GATEWAY_LIMITS__ADDRESS_REQUESTS_PER_MINUTE": "null",
}


def make_document(number: int) -> str:
    """A document of about 1 KB that no other number has. Every second one is not valid."""
    unknown = f" unknown{number}" if number % 2 else ""
    fields = " ".join(f"a{number}x{n}: name" for n in range(30))
    return (
        '{ application(organizationId: "steady", applicationId: "app0") {'
        f" devices(first: 1) {{ nodes {{ {fields}{unknown} }} }} }} }}"
    )


async def send_documents(peer: Peer, client: httpx.AsyncClient, count: int) -> None:
    """Send so many documents, a few at a time, starting with a number that was not used before."""

    async def send(number: int) -> None:
        response = await client.post(f"{peer.url}/graphql", json={"query": make_document(number)})
        assert ("errors" in response.json()) == bool(number % 2)

    for first in track(range(0, count, CONCURRENT_REQUESTS), "distinct documents"):
        await asyncio.gather(*(send(number) for number in range(first, first + CONCURRENT_REQUESTS)))


async def write_samples(folder: Path) -> None:
    """A sample of one machine in each of the last few seconds."""
    store, now = open_series(None, data=folder), time.time_ns()
    assert isinstance(store, WritableSeriesStore)
    for first in range(0, SAMPLES, 10_000):
        numbers = range(first, first + 10_000)
        tags = ((MACHINE, MACHINE_ID),)
        await store.write(
            "organization/steady", [Point("m", tags, {"f": n % 100}, now - n * 5 * SECOND) for n in numbers]
        )
    await store.close()


async def send_raw(peer: Peer, client: httpx.AsyncClient, number: int) -> int:
    """The status of a query of many samples, like no other number's. The gateway may be too busy for it."""
    variables = {"machine": MACHINE_ID, "last": f"PT{6 * SAMPLES + number}S"}
    body = {"query": RAW, "variables": variables}
    return (await client.post(f"{peer.url}/graphql", json=body)).status_code


async def measure_waits(peer: Peer, client: httpx.AsyncClient) -> list[float]:
    """How long health checks wait beside huge answers, in milliseconds."""
    for _ in range(2):
        await peer.ask(client, ALL)
    waits = []
    for _ in range(10):
        asking = asyncio.create_task(peer.ask(client, ALL))
        while not asking.done():
            began = time.perf_counter()
            await client.get(f"{peer.url}/health/live")
            waits.append((time.perf_counter() - began) * 1e3)
        await asking
    return waits


# Long because it is one run, step by step.
async def main(responses: int, documents: int) -> bool:
    """Whether the memory is within its bound in the end."""
    console = Console(soft_wrap=True)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        store = open_documents(None, data=folder)
        await fill(store, "steady", 10_000, 10)
        await store.close()
        await write_samples(folder)
        peer = stack.enter_context(gateway("gateway", folder, SETTINGS))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:

            async def request_answers(count: int) -> None:
                for _ in track(range(count // CONCURRENT_REQUESTS), "answers of 1,000 devices"):
                    await asyncio.gather(*(peer.ask(client, LIST) for _ in range(CONCURRENT_REQUESTS)))

            def read_memory(label: str) -> int:
                memory: int = peer.process.memory_info().rss
                console.print(f"resident after {label}: {memory / 1e6:.0f} MB")
                return memory

            await request_answers(100)
            await asyncio.gather(*(send_raw(peer, client, number) for number in range(12)))
            await asyncio.sleep(RELEASE_S)
            warm = read_memory("a warm start")
            await send_documents(peer, client, documents)
            read_memory(f"{documents:,} distinct documents")
            await request_answers(responses)
            late = read_memory(f"{responses:,} more answers")
            console.print(f"{late / warm:.2f} times the warm start")
            flood = await asyncio.gather(*(send_raw(peer, client, number) for number in range(FLOOD)))
            read_memory(f"{FLOOD} queries of {SAMPLES:,} samples at once ({dict(Counter(flood))})")
            await asyncio.sleep(RELEASE_S)
            late = max(late, read_memory(f"{RELEASE_S:.0f} seconds more"))
            console.print(f"{late / warm:.2f} times the warm start")
            waits = await measure_waits(peer, client)
            console.print(
                f"while 10,000 devices are answered, a health check waits {statistics.median(waits):.1f} ms,"
                f" at most {max(waits):.0f} ms"
            )
    return late <= warm * MAX_MEMORY_FACTOR


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--answers", type=int, default=10_000)
    arguments.add_argument("--documents", type=int, default=20_000)
    options = arguments.parse_args()
    sys.exit(0 if asyncio.run(main(options.answers, options.documents)) else 1)
