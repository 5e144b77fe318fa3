"""The schema in GraphQL's schema definition language, for code generators and readers."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

PATH = "/graphql/schema.graphql"
FILE = Path(__file__).parents[1] / "schema.graphql"


def printed_schema_route() -> Route:
    """The route `GET /graphql/schema.graphql`: the committed file, which a test compares with the code."""
    return Route(PATH, _respond)


async def _respond(request: Request) -> Response:
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(FILE, headers=headers, media_type="text/plain; charset=utf-8")
