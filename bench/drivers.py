"""Motor against PyMongo's asynchronous client on one server, interleaved: `python -m bench.drivers`."""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bson import ObjectId
from rich.console import Console
from rich.table import Table

from bench.graph import fill, timed
from bench.machine import machine
from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import Query, equals
from stores.entities.devices import Device
from stores.opening import open_documents
from tests.servers import mongodb

ROUNDS = 30
ONE = Query(where=(equals("machineId", "M000500"),), limit=1)
KEYS = frozenset({"machineId", "name", "updatedAt"})

WORK: dict[str, Callable[[DocumentDatabase], Awaitable[Any]]] = {
    "one document": lambda d: d.find(Device.collection_of("app0"), ONE),
    "200 of them at once": lambda d: asyncio.gather(
        *(d.find(Device.collection_of("app0"), ONE) for _ in range(200))
    ),
    "1,000 documents": lambda d: d.find(Device.collection_of("app0"), Query(limit=1000)),
    "1,000, three keys": lambda d: d.find(Device.collection_of("app0"), Query(limit=1000, keys=KEYS)),
    "insert": lambda d: d.insert(
        Device.collection_of("new"), {"_id": ObjectId(), "machineId": str(ObjectId())}
    ),
}


async def main() -> None:
    console = Console(width=100)
    console.print(machine())
    table = Table(
        "operation", "pymongo wall ms", "motor wall ms", "ratio", "pymongo CPU ms", "motor CPU ms", "ratio"
    )
    with mongodb() as server, tempfile.TemporaryDirectory() as folder:
        pymongo, motor = (
            open_documents(f"{server.url}/bench", data=Path(folder), driver=driver, deadline=60)
            for driver in ("pymongo", "motor")
        )
        await fill(pymongo, "drivers", 1000, 1)
        for name, work in WORK.items():
            figures: dict[str, list[tuple[float, float]]] = {"pymongo": [], "motor": []}
            for _ in range(ROUNDS):
                for driver, store in (("pymongo", pymongo), ("motor", motor)):
                    documents = store.database("drivers")
                    figures[driver].append(await timed(work, documents))
            (wall, cpu), (other_wall, other_cpu) = (
                [statistics.median(times) for times in zip(*figures[driver], strict=True)]
                for driver in ("pymongo", "motor")
            )
            figures_of_row = (wall, other_wall, wall / other_wall, cpu, other_cpu, cpu / other_cpu)
            table.add_row(name, *(f"{times:.2f}" for times in figures_of_row))
        await pymongo.close()
        await motor.close()
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
