"""Store calls and time of the nested query, from 10 to 10,000 devices: `python -m bench.graph`.

Organization, ten applications, their devices, their connectors; on the embedded store and on a server that
speaks MongoDB's wire protocol (the tests', or SYNC_TEST_MONGODB_URI). Rounds are interleaved. Further: the
first page and page 1,000 of a list of 100,000 devices, the time to start, and the resident memory.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from bson import ObjectId
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.machine import machine
from resolvers.context import Context, Viewer
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.engine.structure_limits import StructureLimits
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import utc_now
from stores.entities.cipher import SecretCipher
from stores.entities.connectors import ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.icons import Icons
from stores.entities.organizations import Organization
from stores.opening import open_documents, open_icon_files, open_series
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from tests.servers import mongodb

CONFIG = Organization.collection_of()
TEMPLATES = ConnectorTemplate.collection_of()

APPLICATIONS, ROUNDS = 10, 5
SIZES = (10, 100, 1_000, 10_000)
NESTED = """query($o: String!) { organization(organizationId: $o) { name applications { name
  devices(first: 1000) { nodes { machineId name updatedAt connectors { name driver } } } } } }"""
PAGE = """query($a: String, $n: Int!) { application(organizationId: "long", applicationId: "app0") {
  devices(first: $n, after: $a) { nodes { machineId name } pageInfo { endCursor } } } }"""


async def fill(store: DocumentStore, organization: str, size: int, applications: int) -> None:
    documents = store.database(organization)
    names = [f"app{i}" for i in range(applications)]
    value = {"applicationSettings": {name: {"name": name} for name in names}}
    await documents.upsert(CONFIG, [{"_id": ObjectId(), "key": "applications", "value": value}])
    templates = [{"_id": ObjectId(), "name": n, "driver": "fanuc"} for n in ("FANUC", "MTCONNECT")]
    await documents.upsert(TEMPLATES, templates)
    for i, name in enumerate(names):
        numbers = range(i, size, applications)
        for start in range(0, len(numbers), 5000):
            devices = [
                {
                    "_id": ObjectId(),
                    "machineId": f"M{n:06}",
                    "name": f"Machine {n}",
                    "connectors": ["FANUC", "MTCONNECT"],
                    "events": [{"id": "execution", "class": "EXECUTION"}] * 3,
                    "properties": {"ip": "192.0.2.1", "port": 8193, "hall": "A"},
                    "createdAt": utc_now(),
                    "updatedAt": utc_now(),
                }
                for n in numbers[start : start + 5000]
            ]
            await documents.upsert(Device.collection_of(name), devices)


async def run(store: DocumentStore, query: str, **variables: Any) -> tuple[Any, list[str]]:
    counter = CallCounter()
    context = Context(
        Viewer(WrappedDocumentStore(store, counter), SeriesAccess(SERIES)),
        Icons(open_icon_files(Path("no icons"))),
        CIPHER,
    )
    answer = await EXECUTOR.run(query, variables, None, context)
    assert not answer.errors, answer.errors
    return answer.data, counter.calls


CIPHER = SecretCipher.store_plain_text()  # signs the cursors of all requests alike
EXECUTOR = Executor(schema, StructureLimits())
SERIES = open_series("http://127.0.0.1:1", data=Path())  # no query needs it


async def timed(work: Callable[..., Awaitable[Any]], *arguments: Any) -> tuple[float, float]:
    """Milliseconds of wall time and of CPU time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work(*arguments)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


async def nested(stores: dict[str, DocumentStore], console: Console) -> None:
    table = Table(
        "devices", *(f"{name}: {what}" for name in stores for what in ("calls", "wall ms", "CPU ms"))
    )
    for size in track(SIZES, "nested query", console=console):
        for store in stores.values():
            await fill(store, f"size-{size}", size, APPLICATIONS)
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in stores}
        for _ in range(ROUNDS):
            for name, store in stores.items():
                figures[name].append(await timed(partial(run, store, NESTED, o=f"size-{size}")))
        row = [f"{size:,}"]
        for name, store in stores.items():
            _, calls = await run(store, NESTED, o=f"size-{size}")
            wall, cpu = (statistics.median(times) for times in zip(*figures[name], strict=True))
            row += [str(len(calls)), f"{wall:.1f}", f"{cpu:.1f}"]
        table.add_row(*row)
    console.print(table)


async def long_list(stores: dict[str, DocumentStore], console: Console) -> None:
    table = Table("100,000 devices", "first page ms", "page 1,000 ms", "ratio", "memory grew by MB")
    process = psutil.Process()
    for name, store in stores.items():
        await fill(store, "long", 100_000, 1)
        cursor = None
        for _ in track(range(50), f"{name}: walking", console=console):  # 50 x 1,000 = 1,000 pages of 50
            data, _ = await run(store, PAGE, a=cursor, n=1000)
            cursor = data["application"]["devices"]["pageInfo"]["endCursor"]
        before = process.memory_info().rss
        figures: dict[str | None, list[float]] = {None: [], cursor: []}
        for _ in range(20):
            for position, walls in figures.items():
                walls.append((await timed(partial(run, store, PAGE, a=position, n=50)))[0])
        grown = (process.memory_info().rss - before) / 2**20
        first, deep = (statistics.median(walls) for walls in figures.values())
        table.add_row(name, f"{first:.2f}", f"{deep:.2f}", f"{deep / first:.2f}", f"{grown:.1f}")
    console.print(table)


def measure_time_to_first_answer() -> tuple[float, float]:
    """Seconds from the start of `serve` to its first answer, and its resident memory then, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "compat_rest.main"]
        subprocess.run(
            [*command, "demo", "--days", "0", "--data", folder], check=True, stdout=subprocess.DEVNULL
        )
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "serve", "--port", "0", "--data", folder], stdout=subprocess.PIPE, text=True
        ) as serving:
            assert serving.stdout is not None
            url = next(word for word in serving.stdout.readline().split() if word.startswith("http"))
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.post(url, json={"query": "{ organizations { nodes { name } } }"}, trust_env=False)
                    break
            seconds = time.perf_counter() - began
            memory = psutil.Process(serving.pid).memory_info().rss / 2**20
            serving.terminate()
    return seconds, memory


def start_up(console: Console) -> None:
    seconds, memory = measure_time_to_first_answer()
    console.print(f"start to first answer {seconds:.2f} s; resident memory after it {memory:.0f} MB")


async def main() -> None:
    console = Console(width=110 if not os.isatty(1) else None)
    console.print(machine())
    with tempfile.TemporaryDirectory() as folder, mongodb() as server:
        stores = {
            "embedded": open_documents(None, data=Path(folder), deadline=60),
            "MongoDB wire": open_documents(f"{server.url}/bench", data=Path(folder), deadline=60),
        }
        await nested(stores, console)
        await long_list(stores, console)
        for store in stores.values():
            await store.close()
    start_up(console)


if __name__ == "__main__":
    asyncio.run(main())
