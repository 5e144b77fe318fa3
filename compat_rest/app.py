"""The served application: the graph and, as they are mapped onto it, the old routes."""

from starlette.applications import Starlette

from sync_gateway.schema.app import create_app as create_graph
from sync_gateway.schema.settings import Settings


def create_app(settings: Settings) -> Starlette:
    return create_graph(settings)
