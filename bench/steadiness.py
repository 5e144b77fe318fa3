"""What requests leave behind, and how long a huge answer holds up others: `make bench-memory`.

The gateway as a process over its embedded store. Resident memory after a warm start, after 20,000 distinct
documents of which half are not valid, and after 10,000 answers of 1,000 devices; and the longest time that a
health check waits while a query of 10,000 devices is answered. Ends with 1 if the memory is not within 20 %
of that of the warm start.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track

from bench.execution import Peer, gateway
from bench.graph import fill
from bench.machine import machine
from stores.opening import open_documents

LIST = """{ application(organizationId: "steady", applicationId: "app0") {
  devices(first: 1000) { nodes { machineId name updatedAt connectors { name driver } } } } }"""
ALL = """{ organization(organizationId: "steady") { applications { devices(first: 1000) {
  nodes { machineId name updatedAt connectors { name driver } eventBindings { label } } } } } }"""
CONCURRENT_REQUESTS = 8
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


async def main(responses: int, documents: int) -> bool:
    """Whether the memory is within its bound in the end."""
    console = Console(soft_wrap=True)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        store = open_documents(None, data=folder)
        await fill(store, "steady", 10_000, 10)
        await store.close()
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
            warm = read_memory("a warm start of 100 answers")
            await send_documents(peer, client, documents)
            read_memory(f"{documents:,} distinct documents")
            await request_answers(responses)
            late = read_memory(f"{responses:,} more answers")
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
