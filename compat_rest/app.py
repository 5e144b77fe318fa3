"""The served application: the graph, and the old routes mapped onto its operations."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from compat_rest import migration, openapi
from compat_rest.handler import OPERATIONS, OldRoutes
from compat_rest.pages import render_denied
from schema.server.app import create_app as create_graph
from schema.server.authentication import AccessDenied, AnonymousAccess, Authenticate, remember_grant
from schema.server.dispatch import DirectOthers
from schema.server.settings import Settings
from stores.contracts.errors import GatewayError

Respond = Callable[[Request], Awaitable[Response]]


def create_app(settings: Settings, **options: Any) -> Starlette:
    """The graph's application with the old routes behind its own; `options` are its own."""
    app = create_graph(settings, **options)
    page = migration.render_page(OPERATIONS)
    state = app.state.app_state
    authenticate = remember_grant(AnonymousAccess(state.authenticate, settings.compat.anonymous))

    async def migrate(request: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": migration.POLICY})

    async def describe(request: Request) -> Response:
        return JSONResponse(openapi.build_document())

    app.router.routes += [
        Route(migration.PAGE, _require_credential(authenticate, migrate)),
        Route(openapi.PATH, _require_credential(authenticate, describe)),
    ]
    # As the default for every other path, because the router's patterns do not match line feeds in a path.
    others = OldRoutes(state, authenticate, otherwise=app.router.default)
    app.router.default = others
    app.user_middleware.append(Middleware(DirectOthers, routes=app.router.routes, others=others))
    return app


def _require_credential(authenticate: Authenticate, respond: Respond) -> Respond:
    """The handler `respond` of a path, for whoever may use the old routes."""

    async def respond_to_known(request: Request) -> Response:
        try:
            await authenticate(request)
        except GatewayError as error:
            denied = AccessDenied(error)
            response = render_denied(request, denied.message, denied.status)
            response.headers.update(denied.headers)
            return response
        return await respond(request)

    return respond_to_known
