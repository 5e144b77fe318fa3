"""Every 401 and 403 in the audit log, whichever endpoint answers it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.context import Audit
from schema.server.authentication import GRANT
from stores.contracts.errors import Forbidden, Unauthenticated

CODES = {error.rest_status: error.code for error in (Unauthenticated, Forbidden)}
ORGANIZATION = "sync_gateway.organization"  # the key of a request's scope: which organization its path names


class RefusalWatch:
    """Middleware that records the refused requests. Their query strings and headers are left out."""

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app, self._audit = app, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in CODES:
                self._audit.record_refusal(
                    scope.get(GRANT),
                    f"{scope['method']} {scope['path']}",
                    CODES[message["status"]],
                    organization_id=scope.get(ORGANIZATION),
                    request_id=Headers(raw=message["headers"]).get("x-request-id"),
                )
            await send(message)

        await self._app(scope, receive, watch if scope["type"] == "http" else send)
