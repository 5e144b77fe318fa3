"""Where clients get tokens for the gateway: the metadata of a protected resource (RFC 9728)."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.server.issuer_settings import IssuerSettings

PATH = "/.well-known/oauth-protected-resource"


def make_resource_metadata_route(issuers: Sequence[IssuerSettings]) -> Route:
    """The route of the metadata, which needs no credential."""

    async def respond(request: Request) -> Response:
        return JSONResponse(
            {
                "resource": _get_base_url(request),
                "authorization_servers": [settings.issuer for settings in issuers],
                "bearer_methods_supported": ["header"],
            }
        )

    return Route(PATH, respond)


class BearerChallenge:
    """Middleware that names the metadata in every 401."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_challenge(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                url = _get_base_url(Request(scope)) + PATH
                MutableHeaders(scope=message)["WWW-Authenticate"] = f'Bearer resource_metadata="{url}"'
            await send(message)

        await self._app(scope, receive, send_challenge if scope["type"] == "http" else send)


def _get_base_url(request: Request) -> str:
    """The gateway's own URL as the client knows it: trusted proxies say it."""
    return str(request.base_url).rstrip("/")
