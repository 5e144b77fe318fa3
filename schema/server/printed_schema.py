"""The schema in GraphQL's schema definition language, for code generators and readers."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from strawberry import Schema

PATH = "/graphql/schema.graphql"


def printed_schema_route(schema: Schema) -> Route:
    """The route `GET /graphql/schema.graphql`. The schema is printed once, when the route is made."""
    text = schema.as_str() + "\n"

    async def respond(request: Request) -> Response:
        return PlainTextResponse(text, headers={"Cache-Control": "no-cache"})

    return Route(PATH, respond, methods=["GET"])
