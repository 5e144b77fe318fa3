"""Reverse proxies in front of the gateway: what they say of the client counts if they are trusted."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

TRUSTED_PROXY = "sync_gateway.trusted_proxy"  # in the scope of a request that a trusted proxy has sent


class TrustedProxies:
    """Middleware that applies `X-Forwarded-For`, `-Proto` and `-Host` of the listed addresses and networks.

    Without a trusted proxy these headers have no effect.
    """

    def __init__(self, app: ASGIApp, *, trusted: Sequence[str]) -> None:
        self._app = app
        self._proxy_headers = ProxyHeadersMiddleware(app, list(trusted))  # type: ignore[arg-type]  # uvicorn's types of ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None and client[0] in self._proxy_headers.trusted_hosts:
            scope[TRUSTED_PROXY] = True
            _apply_host(scope)
            await self._proxy_headers(scope, receive, send)  # type: ignore[arg-type]  # uvicorn's types of ASGI
        else:
            await self._app(scope, receive, send)


def _apply_host(scope: Scope) -> None:
    """Replace the Host by the last forwarded one, which is that of the nearest proxy."""
    forwarded = Headers(scope=scope).getlist("x-forwarded-host")
    if forwarded:
        host = forwarded[-1].rpartition(",")[2].strip()
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*headers, (b"host", host.encode("latin-1"))]
