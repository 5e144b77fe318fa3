"""Which endpoint answers a path, found without trying the patterns of all routes one after another."""

from collections.abc import Iterable, Mapping

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class DirectEndpoints:
    """Middleware that passes a request to the endpoint of its path, and others to `app`, which is the router.

    The endpoints handle their errors themselves.
    """

    def __init__(self, app: ASGIApp, *, endpoints: Mapping[str, ASGIApp]) -> None:
        self._app, self._endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"], self._app) if scope["type"] == "http" else self._app
        await endpoint(scope, receive, send)


class DirectOthers:
    """Middleware that passes requests whose path is of none of the `routes` to `others` at once."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute], others: ASGIApp) -> None:
        self._app, self._others = app, others
        routes = list(routes)
        paths = {route.path.rstrip("/") for route in routes if isinstance(route, Route)}
        self._paths = paths | {f"{path}/" for path in paths}  # the router redirects from one to the other
        self._prefixes = tuple(f"{route.path}/" for route in routes if isinstance(route, Mount))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_other = (
            scope["type"] == "http"
            and scope["path"] not in self._paths
            and not scope["path"].startswith(self._prefixes)
        )
        await (self._others if is_other else self._app)(scope, receive, send)
