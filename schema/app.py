"""The served application: opens the stores, answers /graphql and the health checks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sync_gateway.resolvers.context import Context, Viewer
from sync_gateway.schema import explorer
from sync_gateway.schema.cors import Cors
from sync_gateway.schema.execution import Executor
from sync_gateway.schema.http import TRACE, GraphQLEndpoint
from sync_gateway.schema.opening import open_documents, open_sealer
from sync_gateway.schema.root import schema
from sync_gateway.schema.settings import Settings
from sync_gateway.stores.counting import CountingDocumentStore
from sync_gateway.stores.documents import DocumentStore
from sync_gateway.stores.errors import Unavailable
from sync_gateway.stores.icons import Icons


class Gateway:
    """What the routes share: the stores, the executor, and how a request becomes a context."""

    def __init__(self, settings: Settings, documents: DocumentStore) -> None:
        self.sealer = open_sealer(settings)
        self.settings = settings
        self.documents = documents
        self.icons = Icons(settings.data / "icons")
        self.executor = Executor(schema, max_tokens=settings.graphql.max_tokens)

    def context_of(self, request: Request, request_id: str) -> Context:
        """The one place where a request becomes a viewer: in open mode, one who may do everything."""
        if request.headers.get(TRACE) != "1":
            return Context(Viewer(self.documents), self.icons, self.sealer, request_id)
        counting = CountingDocumentStore(self.documents)
        trace = {"documentCalls": counting.calls}
        return Context(Viewer(counting), self.icons, self.sealer, request_id, lambda: trace)

    async def live(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """200 when every store answers, else 503; says which, not where."""
        try:
            await self.documents.ping()
        except Unavailable:
            return JSONResponse({"status": "unavailable", "documents": "unavailable"}, 503)
        return JSONResponse({"status": "ok", "documents": "ok"})


def create_app(
    settings: Settings,
    *,
    documents: DocumentStore | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application. `documents` is a store that is open already; the app closes what it serves."""
    store = documents or open_documents(settings)
    gateway = Gateway(settings, store)
    graphql = GraphQLEndpoint(
        gateway.executor,
        gateway.context_of,
        page=explorer.page if settings.graphql.graphiql else None,
        max_body_bytes=settings.graphql.max_body_bytes,
        max_depth=settings.graphql.max_json_depth,
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            async with asyncio.timeout(settings.documents.deadline):
                await store.close()

    app = Starlette(
        routes=[
            Route("/graphql", graphql),
            Route("/health/live", gateway.live),
            Route("/health/ready", gateway.ready),
            *([explorer.assets()] if settings.graphql.graphiql else []),
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
