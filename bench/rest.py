"""The old device list against a bare handler of the same documents: `python -m bench.rest`.

Both answer `GET .../devices` with 10, 100 and 1,000 documents of the embedded store: the gateway through its
operation, the handler by one `find` and orjson. Server CPU time per request, rounds interleaved.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
from bson import ObjectId
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.graph import fill
from bench.machine import machine
from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import format_time
from stores.entities.devices import Device
from stores.opening import open_documents

ROUNDS = 40
PATH = "/api/organizations/rest-{size}/applications/app0/devices"


def bare(store: DocumentStore) -> Starlette:
    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, ObjectId) else format_time(value)

    async def answer(request: Request) -> Response:
        documents = store.database(request.path_params["organization"])
        stored = await documents.find(Device.collection_of("app0"))
        content = orjson.dumps(stored, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
        return Response(content, media_type="application/json")

    return Starlette(routes=[Route("/api/organizations/{organization}/applications/app0/devices", answer)])


async def cpu(client: httpx.AsyncClient, path: str) -> tuple[float, bytes]:
    """Milliseconds of CPU time of one request, the client's own share included in both."""
    began = time.process_time()
    response = await client.get(path)
    return (time.process_time() - began) * 1e3, response.content


async def main() -> None:
    console = Console(width=100)
    console.print(machine())
    table = Table("devices", "gateway CPU ms", "bare handler CPU ms", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        store = open_documents(None, data=Path(folder), deadline=60)
        apps = create_app(Settings(data=Path(folder)), documents=store), bare(store)
        clients = [httpx.AsyncClient(transport=httpx.ASGITransport(a), base_url="http://bench") for a in apps]
        for size in (10, 100, 1000):
            await fill(store, f"rest-{size}", size, 1)
            path = PATH.format(size=size)
            bodies = [(await cpu(client, path))[1] for client in clients]
            assert orjson.loads(bodies[0]) == orjson.loads(bodies[1])
            figures: tuple[list[float], list[float]] = ([], [])
            for _ in range(ROUNDS):
                for client, times in zip(clients, figures, strict=True):
                    times.append((await cpu(client, path))[0])
            gateway, handler = map(statistics.median, figures)
            table.add_row(f"{size:,}", f"{gateway:.2f}", f"{handler:.2f}", f"{gateway / handler:.2f}")
        for client in clients:
            await client.aclose()
        await store.close()
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
