"""What this stack costs at least: `python -m bench.floor`.

The gateway beside bare Starlette handlers that read the same data of MongoDB's protocol with the same
commands, know the query before they get it, and check nothing. The figure is CPU time of the server process
per request, at 16 requests at a time; rounds are interleaved.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import httpx

from bench.execution import QUERIES, REST, Peer, fill, free_port, gateway, run_peer
from bench.machine import machine
from stores.opening import open_documents
from tests.servers import mongodb

REQUESTS = {
    "{ __typename }": ("{ __typename }", 512),
    **{label: QUERIES[label] for label in list(QUERIES)[:2]},
    "old list of 100 devices": (REST.replace("app0", "app1"), 64),
    "old list of 1,000 devices": (REST, 16),
}


async def measure(rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        url = f"{stack.enter_context(mongodb()).url}/default"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = open_documents(url, data=folder)
        await fill(store)
        await store.close()
        port = free_port()
        bare = [sys.executable, "-m", "bench.peers.bare", str(port), url]
        peers = [
            stack.enter_context(gateway("gateway", folder, {"MONGODB_URI": url})),
            stack.enter_context(run_peer("bare handler", bare, port)),
        ]
        print(f"{machine()}; {rounds} rounds; CPU ms a request")
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            for label, (query, number) in REQUESTS.items():
                ours, theirs = await compare(client, peers, label, query, number, rounds)
                print(f"{label:42} {ours:6.2f}  bare {theirs:6.2f}  ratio {ours / theirs:.2f}", flush=True)


async def compare(
    client: httpx.AsyncClient, peers: list[Peer], label: str, query: str, number: int, rounds: int
) -> tuple[float, ...]:
    """The median of each peer. Before the first round, the query is compiled."""
    for round_ in range(rounds + 1):
        for peer in peers[:: 1 if round_ % 2 else -1]:
            await peer.measure(client, label, query, number if round_ else max(number, 64))
            if round_ == 0:
                peer.cpu[label].clear()
    return tuple(statistics.median(peer.cpu[label]) for peer in peers)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=7)
    asyncio.run(measure(arguments.parse_args().rounds))
