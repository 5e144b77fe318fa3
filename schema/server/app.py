"""The served application: opens the stores, answers /graphql and the health checks."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from resolvers.context import Context, SeriesAccess, Viewer
from resolvers.limits import DAY, Limits
from schema.engine.execution import Executor
from schema.server import explorer
from schema.server.cors import Cors
from schema.server.graphql_http import TRACE, GraphQLEndpoint
from schema.server.ingest import Ingest
from schema.server.metrics import Metrics
from schema.server.opening import open_cipher, open_documents, open_series
from schema.server.settings import Settings
from schema.types.root import schema
from stores.contracts.documents import DocumentStore
from stores.contracts.errors import Unavailable
from stores.contracts.series import SECOND, SeriesStore, WritableSeriesStore
from stores.entities.icons import Icons
from stores.entities.machine_events import STATISTICS
from stores.wrappers.counting import CallCounter
from stores.wrappers.counting_series import CountingSeriesStore
from stores.wrappers.documents import WrappedDocumentStore

log = logging.getLogger(__name__)


class Gateway:
    """What the routes share: the stores, the executor, and how a request becomes a context."""

    def __init__(self, settings: Settings, documents: DocumentStore, series: SeriesStore) -> None:
        self.cipher = open_cipher(settings)
        self.settings = settings
        self.documents = documents
        given = settings.series
        self.series = SeriesAccess(
            series,
            given.database,
            given.databases,
            Limits(given.max_range_days * DAY, given.max_windows, given.max_points),
            given.stale_after * SECOND,
        )
        self.icons = Icons(settings.data / "icons")
        self.executor = Executor(
            schema, max_tokens=settings.graphql.max_tokens, compiled=settings.graphql.compiled
        )

    def context_of(self, request: Request, request_id: str) -> Context:
        """The one place where a request becomes a viewer: in open mode, one who may do everything."""
        if request.headers.get(TRACE) != "1":
            return Context(Viewer(self.documents, self.series), self.icons, self.cipher, request_id)
        documents = CallCounter()
        series = CountingSeriesStore(self.series.store)
        viewer = Viewer(WrappedDocumentStore(self.documents, documents), replace(self.series, store=series))
        trace = {"documentCalls": documents.calls, "seriesCalls": series.calls}
        return Context(viewer, self.icons, self.cipher, request_id, trace=lambda: trace)

    def ingest(self) -> list[Route]:
        """The routes that writers of points use; none where a server keeps the series."""
        if not isinstance(self.series.store, WritableSeriesStore):
            return []
        token = self.settings.series.token
        databases = [*self.series.every_database(), STATISTICS]
        return Ingest(self.series.store, databases, token.get_secret_value() if token else None).routes()

    async def retain(self) -> None:
        """Delete old points from the embedded store each hour, for as long as the application runs."""
        days, store = self.settings.series.retention_days, self.series.store
        if days is None or not isinstance(store, WritableSeriesStore):
            return
        while True:
            try:
                deleted = await store.retain(time.time_ns() - days * DAY)
                log.info("%d points older than %d days deleted", deleted, days)
            except Unavailable as unavailable:
                log.warning("old points stay for another hour: %s", unavailable.message)
            await asyncio.sleep(3600)

    async def live(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """200 when every store answers, else 503; says which, not where."""
        stores = {"documents": self.documents.ping, "series": self.series.store.ping}
        found = dict(zip(stores, await asyncio.gather(*map(_ping, stores.values())), strict=True))
        ready = all(found.values())
        states = {name: _state(answers) for name, answers in found.items()}
        return JSONResponse({"status": _state(ready), **states}, 200 if ready else 503)


async def _ping(ping: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True


def _state(answers: bool) -> str:
    return "ok" if answers else "unavailable"


def create_app(
    settings: Settings,
    *,
    documents: DocumentStore | None = None,
    series: SeriesStore | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application. Stores that are given are open already; the app closes what it serves."""
    stores = documents or open_documents(settings), series or open_series(settings)
    gateway = Gateway(settings, *stores)
    graphql = GraphQLEndpoint(
        gateway.executor,
        gateway.context_of,
        page=explorer.page if settings.graphql.graphiql else None,
        max_body_bytes=settings.graphql.max_body_bytes,
        max_depth=settings.graphql.max_json_depth,
        max_answer_bytes=settings.graphql.max_answer_bytes,
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        retention = asyncio.create_task(gateway.retain())
        try:
            yield
        finally:
            retention.cancel()
            async with asyncio.timeout(settings.documents.deadline + settings.series.deadline):
                await asyncio.gather(*(store.close() for store in stores))

    app = Starlette(
        routes=[
            Route("/graphql", graphql),
            Route("/health/live", gateway.live),
            Route("/health/ready", gateway.ready),
            Route("/metrics", Metrics(gateway.executor).answer),
            *([explorer.assets()] if settings.graphql.graphiql else []),
            *gateway.ingest(),
            *routes,
        ],
        middleware=[
            Middleware(
                Cors,
                allow_origins=settings.server.cors_allowed_origins,
                allow_credentials=True,
                allow_methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
                allow_headers=["Content-Type", "Authorization", TRACE],
            )
        ],
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    return app
