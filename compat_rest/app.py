"""The served application: the graph, and the old routes mapped onto its operations."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from sync_gateway.compat_rest.routes import OldRoutes
from sync_gateway.schema.app import create_app as create_graph
from sync_gateway.schema.settings import Settings


def create_app(settings: Settings, **options: Any) -> Starlette:
    """The graph's application with the old routes behind its own; `options` are its own."""
    app = create_graph(settings, **options)
    app.router.routes.append(Mount("/", OldRoutes(app.state.gateway)))
    return app
