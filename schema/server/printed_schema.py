"""The schema in GraphQL's schema definition language, for code generators and readers."""

from pathlib import Path

from graphql import print_schema
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from schema.server.authentication import AccessDenied, Authenticate
from schema.server.settings import GraphQLSettings
from schema.types.roles import view_of
from stores.contracts.errors import Forbidden, GatewayError

PATH = "/graphql/schema.graphql"
FILE = Path(__file__).parents[1] / "schema.graphql"


class PrintedSchema:
    """Answers `GET /graphql/schema.graphql`: the committed file to operators, to others what they see.

    Whoever may not introspect is answered 403: strangers if the settings say so, and where only trusted
    documents are executed, everybody but operators.
    """

    def __init__(self, authenticate: Authenticate, settings: GraphQLSettings) -> None:
        self._authenticate, self._settings = authenticate, settings

    def route(self) -> Route:
        return Route(PATH, self._respond)

    async def _respond(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "Vary": "Authorization, X-API-Key"}
        try:
            grant = await self._authenticate(request)
            view = view_of(grant)
            if not (grant.is_authenticated or self._settings.anonymous_introspection):
                raise Forbidden("Clients without a credential may not introspect.")
            if self._settings.only_trusted and not grant.is_operator:
                raise Forbidden("Only trusted documents are executed: the schema is for operators.")
        except GatewayError as error:
            denied = AccessDenied(error)
            return PlainTextResponse(denied.message, denied.status, denied.headers)
        if grant.is_operator:
            return FileResponse(FILE, headers=headers, media_type="text/plain; charset=utf-8")
        return PlainTextResponse(print_schema(view), headers=headers)
