"""Protection from other web pages: which hosts a request may name, and which pages may change state.

A browser sends requests on behalf of any page that its user opens. Cross-origin requests that change state
are rejected by the rule of Go's `http.CrossOriginProtection`, and DNS rebinding by a list of host names.
https://pkg.go.dev/net/http#CrossOriginProtection
"""

import logging
from collections.abc import Collection
from typing import NamedTuple

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from schema.server.origins import Host, Origin, is_local_name, parse_host, parse_origin
from stores.contracts.errors import BadUserInput, Forbidden

log = logging.getLogger(__name__)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_LOGGED = 20  # origins and hosts that are logged once each


class Rejection(NamedTuple):
    """The status and the message of a request that is not passed on."""

    status: int
    message: str


class RequestGuard:
    """Middleware that answers 400 or 403 instead of passing a request on.

    `origins` are the pages that may send requests that change state, besides this server's own. `hosts` are
    the names with a dot by which this server is called; None allows any name. Requests to
    `paths_with_credentials` may name any host, because another page does not know the credentials they need.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Collection[Origin],
        hosts: Collection[str] | None,
        paths_with_credentials: Collection[str] = (),
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = None if hosts is None else {*hosts, *(origin.host for origin in origins)}
        self._paths_with_credentials = frozenset(paths_with_credentials)
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rejection = self._check(scope) if scope["type"] == "http" else None
        if rejection is None:
            await self._app(scope, receive, send)
        else:
            await _render(rejection, scope["path"])(scope, receive, send)

    def _check(self, scope: Scope) -> Rejection | None:
        hosts, origins, site = _read_headers(scope)
        host = None
        if hosts or scope["http_version"] != "1.0":
            try:
                [header] = hosts
                host = parse_host(header)
            except ValueError:
                return Rejection(400, "The request must have one well-formed Host header.")
            if not self._allows_host(host, scope["path"]):
                message = f"{host.name} is not a name of this server; the setting server.hosts lists them."
                return Rejection(403, message)
        if scope["method"] in SAFE_METHODS or self._allows_page(origins, site, host):
            return None
        return Rejection(
            403,
            "Pages of other origins may not send this request;"
            " the setting server.cors_allowed_origins lists those that may.",
        )

    def _allows_host(self, host: Host, path: str) -> bool:
        if self._hosts is None or is_local_name(host.name) or host.name in self._hosts:
            return True
        if path in self._paths_with_credentials:
            return True
        self._log_once(
            "rejected a request to the host %s; if this is a name of the gateway, add it to the settings:"
            " server: {hosts: [%s]}",
            host.name,
            ", ".join(sorted(name for name in {*self._hosts, host.name} if not is_local_name(name))),
        )
        return False

    def _allows_page(self, origins: list[str], site: str | None, host: Host | None) -> bool:
        if site in ("same-origin", "none"):
            return True
        if not origins:
            return site is None  # old clients and scripts send neither header
        try:
            [text] = origins
            origin = parse_origin(text)
        except ValueError:  # such as `null`, the origin of sandboxed pages and of files
            return False
        if origin in self._origins or (host is not None and origin.is_of(host)):
            return True
        self._log_once(
            "rejected a request from a page of %s; if this page may use the gateway, add it to the settings:"
            " server: {cors_allowed_origins: [%s]}",
            str(origin),
            ", ".join(map(str, sorted({*self._origins, origin}))),
        )
        return False

    def _log_once(self, message: str, subject: str, setting: str) -> None:
        if subject not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(subject)
            log.warning(message, subject, setting)


def _read_headers(scope: Scope) -> tuple[list[str], list[str], str | None]:
    """The values of Host and Origin, and of Sec-Fetch-Site, in one pass over the headers of every request."""
    hosts, origins, site = [], [], None
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value.decode("latin-1"))
        elif name == b"origin":
            origins.append(value.decode("latin-1"))
        elif name == b"sec-fetch-site":
            site = value.decode("latin-1")
    return hosts, origins, site


def _render(rejection: Rejection, path: str) -> JSONResponse:
    """The response in the form of the endpoint: GraphQL, writers of points, or the old routes."""
    status, message = rejection
    body: dict[str, object] = {"error": message}
    if path.rstrip("/") == "/graphql":
        code = Forbidden.code if status == 403 else BadUserInput.code
        body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    elif path.startswith("/api/v2/"):
        body = {"code": "forbidden" if status == 403 else "invalid", "message": message}
    return JSONResponse(body, status)
