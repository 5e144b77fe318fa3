"""How long one request holds the event loop: `python -m bench.lag`, and a part of `make bench-check`.

The queries of the docs and the abuse inputs are sent one after the other to an application in this process.
What counts is the CPU time of the loop's thread between two turns of a probe, which a busy machine does not
lengthen.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from starlette.types import ASGIApp, Message

from bench import abuse_inputs
from bench.graph import fill
from compat_rest.app import create_app
from compat_rest.commands.demo import load_demo
from schema.server.gc_tuning import freeze_startup_objects
from schema.server.settings import Settings
from stores.opening import open_documents
from tests.docs.markdown import list_documents, read_blocks

DEMO_DAYS, DEVICES, APPLICATIONS = 2, 5_000, 10
MAX_HOLD_MS = 50.0


class LagProbe:
    """The longest time in milliseconds of CPU that the event loop went without giving others a turn."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        probing = asyncio.create_task(self._probe())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            await asyncio.sleep(0)
            probing.cancel()

    async def _probe(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            self.longest_ms = max(self.longest_ms, (time.thread_time() - began) * 1e3)


async def ask(app: ASGIApp, body: bytes, path: str = "/graphql", method: str = "POST") -> tuple[int, int]:
    """The status of a response and its length. Nothing of it is decoded, which would take time too."""
    status = length = 0
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, length
        status = message.get("status", status)
        length += len(message.get("body", b""))

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return status, length


def list_docs_queries() -> dict[str, str]:
    """The queries of the docs that take no variables and change nothing, by where they are."""
    blocks = [block for path in list_documents() for block in read_blocks(path)]
    return {
        str(block): block.text
        for block in blocks
        if block.language == "graphql"
        and not {"sdl", "error"} & set(block.options)
        and block.text.lstrip().startswith(("{", "query {"))
    }


def list_requests() -> dict[str, bytes]:
    """The bodies of all requests by their names."""
    queries = {**list_docs_queries(), **abuse_inputs.DOCUMENTS}
    queries |= {"a big answer": abuse_inputs.BIG_ANSWER, "a heavy query": abuse_inputs.HEAVY}
    queries |= {"a long series": abuse_inputs.LONG_SERIES}
    bodies = {name: json.dumps({"query": query}).encode() for name, query in queries.items()}
    return {**bodies, "300,000 values": abuse_inputs.MANY_VALUES}


async def prepare(folder: Path) -> Settings:
    """The demo plant and the organization `big`."""
    settings = Settings(data=folder)
    await load_demo(settings, DEMO_DAYS)
    documents = open_documents(None, data=folder, deadline=60)
    await fill(documents, "big", DEVICES, APPLICATIONS)
    await documents.close()
    return settings


async def measure(folder: Path) -> dict[str, tuple[float, int, int]]:
    """By name of each request: the longest hold in milliseconds, the status and the length of the answer."""
    app = create_app(await prepare(folder))
    results: dict[str, tuple[float, int, int]] = {}
    async with app.router.lifespan_context(app):
        await ask(app, b'{"query": "{ __typename }"}')
        freeze_startup_objects()
        for name, body in list_requests().items():
            for _ in range(2):  # graphql-core, then a plan
                probe = LagProbe()
                async with probe.watch():
                    status, length = await ask(app, body)
                longest = max(probe.longest_ms, results.get(name, (0.0, 0, 0))[0])
                results[name] = longest, status, length
    return results


async def main() -> None:
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as name:
        for request, (hold, status, length) in (await measure(Path(name))).items():
            console.print(f"{hold:8.1f} ms  {status}  {length:>10,} bytes  {request}", markup=False)


if __name__ == "__main__":
    asyncio.run(main())
