"""The panels of docs/time-series.md, and the demo plant at a fixed time, which answers them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from resolvers.context import Context, Viewer
from resolvers.grants import OPEN
from resolvers.hints import Hints
from resolvers.metering import Meter, MeteredDocumentStore
from resolvers.series.absence import describe_absences
from resolvers.series_access import SeriesAccess
from schema.engine.costs.estimator import CostEstimator
from schema.engine.execution import Executor
from schema.engine.scalars import to_json
from schema.server.settings import Settings
from schema.types.cost_amounts import ORGANIZATIONS
from schema.types.costs import field_costs
from schema.types.roles import view_of
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import SECOND, Point
from stores.contracts.series import SeriesStore, WritableSeriesStore
from stores.demo.plant import machines
from stores.demo.reports import ZONE, generate_day
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_icon_files
from stores.wrappers.cached_series import CachedSeriesStore
from stores.wrappers.closed_windows import CacheRules, ClosedWindows
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import wrap_series
from tests.docs.markdown import PROJECT, read_blocks, read_variables

DOCUMENT = PROJECT / "docs" / "time-series.md"
ORGANIZATION = "ferro-works"
# A Wednesday afternoon, three days after clocks went forward in Berlin
NOW = int(datetime(2026, 4, 1, 15, 20, tzinfo=ZONE).timestamp()) * SECOND
# For how many days machines have reported; the others began today.
DAYS = {"LATHE-01": 14, "METER-01": 14, "LATHE-02": 2, "MILL-01": 2}
SILENT = ("MILL-05", "MILL-07")  # have reported yesterday, and nothing since


@dataclass(frozen=True)
class Panel:
    """A query of the documentation, and the store calls that are written below it."""

    name: str
    query: str
    variables: dict[str, Any]
    calls: list[str]


def list_panels() -> list[Panel]:
    """The panels in their order; each is a block `graphql panel NAME`, and its calls are the one after it."""
    blocks = read_blocks(DOCUMENT)
    return [
        Panel(block.options[1], block.text, read_variables(before), following.text.splitlines())
        for before, block, following in zip(blocks, blocks[1:], blocks[2:], strict=False)
        if block.options[:1] == ("panel",)
    ]


def list_points() -> Iterator[Point]:
    """What the machines of the organization had reported at the time."""
    today = datetime.fromtimestamp(NOW // SECOND, ZONE).date()
    for organization, _, machine in machines():
        if organization == ORGANIZATION:
            for back in [1] if machine in SILENT else range(DAYS.get(machine, 1)):
                points = generate_day(machine, today - timedelta(back))
                yield from (point for point in points if point.time <= NOW)


class PlantAtNow:
    """The demo plant behind the executor, the limits and the cache of a gateway, at the time NOW."""

    def __init__(self, folder: Path, documents: DocumentStore, series: SeriesStore, database: str) -> None:
        settings = Settings(data=folder)
        self._documents = documents
        self.reads = CallCounter()  # what the cache of closed windows asks of the store
        counted = wrap_series(series, self.reads)
        log = counted if isinstance(counted, WritableSeriesStore) else None
        cached = CachedSeriesStore(counted, ClosedWindows(CacheRules(), log, lambda: NOW))
        self._series = SeriesAccess(cached, SeriesLayout(databases={ORGANIZATION: database}))
        self._icons = Icons(open_icon_files(folder / "icons"))
        structure = settings.limits.structure(settings.graphql.max_tokens)
        self._max_cost = settings.limits.costs()
        self._executor = Executor(schema, structure, CostEstimator(field_costs(), ORGANIZATIONS))

    async def ask(self, query: str, variables: dict[str, Any]) -> tuple[Any, list[str]]:
        """The data of a query, which has no errors, and the store calls that it makes."""
        calls = CallCounter()
        meter = Meter(self._max_cost)
        series = wrap_series(wrap_series(self._series.store, calls), meter)
        documents = MeteredDocumentStore(WrappedDocumentStore(self._documents, calls), meter)
        context = Context(
            Viewer(documents, replace(self._series, store=series), OPEN),
            self._icons,
            SecretCipher.store_plain_text(),
            now=NOW,
            meter=meter,
            hints=Hints(describe_absences),
        )
        result = await self._executor.run(query, variables, None, context, view=view_of(OPEN))
        assert not result.errors, result.errors
        return json.loads(to_json(result.data)), calls.calls
