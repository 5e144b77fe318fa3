"""Every 401 and 403 in the audit log, whichever endpoint answers it."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.context import Audit
from schema.server.authentication import GRANT
from stores.contracts.errors import Forbidden, Unauthenticated

CODES = {error.rest_status: error.code for error in (Unauthenticated, Forbidden)}
REQUEST_ID = "X-Request-Id"
ORGANIZATION = "sync_gateway.organization"  # the key of a request's scope: which organization its path names


class RefusalWatch:
    """Middleware that records the refused requests, without their query strings and headers."""

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app, self._audit = app, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in CODES:
                headers = MutableHeaders(scope=message)
                headers.setdefault(REQUEST_ID, secrets.token_hex(8))
                self._audit.record_refusal(
                    scope.get(GRANT),
                    f"{scope['method']} {scope['path']}",
                    CODES[message["status"]],
                    organization_id=scope.get(ORGANIZATION),
                    request_id=headers[REQUEST_ID],
                )
            await send(message)

        await self._app(scope, receive, watch if scope["type"] == "http" else send)
