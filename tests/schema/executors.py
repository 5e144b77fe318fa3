"""Two executors over the demo plant with broken devices: one compiles queries, one is graphql-core alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bson import ObjectId

from resolvers.context import Context, Viewer
from resolvers.hints import Hints
from resolvers.series.absence import describe_absences
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.engine.results import OperationResult
from schema.engine.scalars import to_json
from schema.engine.structure_limits import StructureLimits
from schema.types.root import schema
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import Point
from stores.contracts.series import SeriesStore
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.entities.devices import Device
from stores.entities.icons import Icons
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_icon_files

PLAIN_TEXT = SecretCipher.store_plain_text()

NOW = 1_790_000_000_000_000_000
BROKEN: list[dict[str, Any]] = [
    {"machineId": "B1", "name": 7, "connectors": "Fanuc", "events": {"id": 1, "class": ["MODE"]}},
    {"machine_id": "B2", "name": {"en": "x"}, "connectors": [None, 3, "Fanuc"], "events": ["no"]},
    {"name": "by name", "createdAt": "yesterday", "updatedAt": 5, "properties": [1]},
    {"machineId": True, "createdAt": "2026-01-02T03:04:05+02:00", "events": [{"label": 1.5}, {}]},
    {},
]


LIMITS = StructureLimits(tokens=20_000, aliases=5000, depth=100)


FERRO = SeriesLayout().find_location("ferro-works").database  # which has its points


class ExecutorPair:
    """The same queries, compiled and by graphql-core alone, over the same stores."""

    def __init__(self, folder: Path, documents: DocumentStore, series: SeriesStore) -> None:
        self.folder, self.documents, self.series = folder, documents, series
        self.layout = SeriesLayout()
        self.compiled = Executor(schema, LIMITS)
        self.plain = Executor(schema, LIMITS, compiled=False)

    async def run(self, executor: Executor, query: str, **variables: Any) -> OperationResult:
        viewer = Viewer(self.documents, SeriesAccess(self.series, self.layout))
        icons = Icons(open_icon_files(self.folder / "icons"))
        context = Context(viewer, icons, PLAIN_TEXT, request_id="r", now=NOW, hints=Hints(describe_absences))
        return await executor.run(query, variables, None, context)

    async def compare(self, query: str, **variables: Any) -> OperationResult:
        """The compiled answer, which is the plain one's."""
        plain = await self.run(self.plain, query, **variables)
        first = await self.run(self.compiled, query, **variables)
        again = await self.run(self.compiled, query, **variables)
        assert not self.compiled.counts["plan_failed"]
        for answer in (first, again):
            assert to_json(answer.data) == to_json(plain.data), query
            assert to_json(answer.hints) == to_json(plain.hints), query
            if plain.data is None and not plain.rejected:
                # Which fields beside one that may not be null had failed before is a matter of time.
                assert answer.errors
            else:
                assert to_json(answer.errors) == to_json(plain.errors), query
        return again


@asynccontextmanager
async def stores(folder: Path) -> AsyncIterator[ExecutorPair]:
    """The demo plant with broken devices among the others, and machines that reported."""
    documents, series = SqliteDocumentStore(folder / "documents.db"), SqliteSeriesStore(folder / "series.db")
    await demo.load(documents, PLAIN_TEXT)
    broken = [{"_id": ObjectId(), **document} for document in BROKEN]
    await documents.database("ferro-works").upsert(Device.collection_of("cnc-monitoring"), broken)
    machines = ("LATHE-01", "LATHE-02", "B1")
    points = [
        Point(
            "state", (("machine_id", machine),), {"power": True, "execution": "ACTIVE"}, NOW - 60 * 10**9 * n
        )
        for machine in machines
        for n in range(1, 4)
    ]
    await series.write(FERRO, points)
    try:
        yield ExecutorPair(folder, documents, series)
    finally:
        await documents.close()
        await series.close()


DEVICES = """application(organizationId: "ferro-works", applicationId: "cnc-monitoring") {
  devices(first: 30) { %s } }"""
