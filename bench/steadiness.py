"""What large answers leave behind, and how long a huge one holds up others: `python -m bench.steadiness`.

The gateway as a process over its embedded store. Resident memory after 100 and after 10,000 answers of 1,000
devices; and the longest time that a health check waits while a query of 10,000 devices is answered.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track

from bench.execution import gateway
from bench.graph import fill
from bench.machine import machine
from stores.opening import open_documents

LIST = """{ application(organizationId: "steady", applicationId: "app0") {
  devices(first: 1000) { nodes { machineId name updatedAt connectors { name driver } } } } }"""
ALL = """{ organization(organizationId: "steady") { applications { devices(first: 1000) {
  nodes { machineId name updatedAt connectors { name driver } eventBindings { label } } } } } }"""
CONCURRENT_REQUESTS = 8


async def main(responses: int) -> None:
    console = Console(soft_wrap=True)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        store = open_documents(None, data=folder)
        await fill(store, "steady", 10_000, 10)
        await store.close()
        peer = stack.enter_context(gateway("gateway", folder, {}))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            early = 0
            for n in track(range(responses // CONCURRENT_REQUESTS), "answers of 1,000 devices"):
                await asyncio.gather(*(peer.ask(client, LIST) for _ in range(CONCURRENT_REQUESTS)))
                if n == 100 // CONCURRENT_REQUESTS:
                    early = peer.process.memory_info().rss
            late = peer.process.memory_info().rss
            console.print(
                f"resident after 100 answers {early / 1e6:.0f} MB, after {responses:,} {late / 1e6:.0f} MB:"
                f" {late / early:.2f} times"
            )
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
            console.print(
                f"while 10,000 devices are answered, a health check waits {statistics.median(waits):.1f} ms,"
                f" at most {max(waits):.0f} ms"
            )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--answers", type=int, default=10_000)
    asyncio.run(main(arguments.parse_args().answers))
