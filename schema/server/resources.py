"""What lives as long as the process, while applications of changed settings take each other's place."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from schema.server.instruments import Instruments
from schema.server.metrics_exchange import WorkerPlace
from schema.server.opening import open_buckets, open_documents, open_series, store_urls
from schema.server.readiness import Readiness
from schema.server.settings import Settings
from schema.server.tracing import Tracing
from stores.contracts.buckets import Buckets
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import SeriesStore
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.observing import ObservedCalls
from stores.wrappers.series import wrap_series
from stores.wrappers.shared_reads import SharedReadsStore


@dataclass(frozen=True, slots=True)
class Resources:
    """The open stores and buckets, and what is counted."""

    documents: DocumentStore
    series: SeriesStore  # without the cache of closed windows, whose settings may change
    buckets: Buckets
    tracing: Tracing
    instruments: Instruments
    place: WorkerPlace | None = None  # among the workers of the gateway, if it has several
    readiness: Readiness = field(default_factory=Readiness)
    limit_hits: Counter[str] = field(default_factory=Counter)  # by the name of the limit
    query_events: Counter[str] = field(default_factory=Counter)  # how operations were executed

    async def close(self) -> None:
        """Close the stores, and send the last traces."""
        await asyncio.gather(self.documents.close(), self.series.close(), self.buckets.close())
        await asyncio.to_thread(self.tracing.close)


def open_resources(
    settings: Settings,
    *,
    documents: DocumentStore | None = None,
    series: SeriesStore | None = None,
    place: WorkerPlace | None = None,
) -> Resources:
    """Open what the settings name; stores may be passed in. This waits for no server."""
    instruments = Instruments()
    documents, series = documents or open_documents(settings), series or open_series(settings)
    of_documents, of_series = map(_name_system, store_urls(settings))
    observe = instruments.store_calls.add
    # An embedded store reads on the spot what others would wait for.
    wrap = WrappedDocumentStore if of_documents == "sqlite" else SharedReadsStore
    return Resources(
        wrap(documents, ObservedCalls("documents", of_documents, observe)),
        wrap_series(series, ObservedCalls("series", of_series, observe)),
        open_buckets(settings),
        Tracing(settings.tracing),
        instruments,
        place,
    )


def _name_system(url: str | None) -> str:
    """What OpenTelemetry calls the database system of a URL.

    https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/
    """
    if url is None or url.startswith("sqlite:"):
        return "sqlite"
    return "mongodb" if url.startswith("mongodb") else "influxdb"
