"""One handler for every old route: from a request to its operation, and from the result to the old body."""

import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from compat_rest.migration import make_deprecation_headers
from compat_rest.pages import render_unknown_path
from compat_rest.requests import split_path
from compat_rest.responses import JSON, render_json
from compat_rest.routes import TABLE
from compat_rest.routes.route import IDEMPOTENCY_KEY, OldRoute
from compat_rest.routes.shapes import OldRequest, is_unavailable
from schema.engine.errors import find_rest_status
from schema.engine.long_answers import prepare_json
from schema.server.authentication import AccessDenied, Authenticate, authenticate_nobody
from schema.server.bodies import BadRequest
from schema.server.graphql_http import CLIENT_CLOSED_REQUEST
from schema.server.http_messages import IndexedRequest, add_headers, make_request_id
from schema.server.limit_rejection import reject_over_limit
from schema.server.refusal_watch import ORGANIZATION
from schema.server.state import AppState
from schema.types.roles import find_roles_of_operations

log = logging.getLogger(__name__)
OUTCOME = "Write-Outcome"  # of a write that failed: NOT_APPLIED or UNKNOWN
OPERATIONS = (Path(__file__).parent / "operations.graphql").read_text(encoding="utf-8")


class OldRoutes:
    """The ASGI application of the old routes. What is not an HTTP request is passed to `otherwise`.

    `authenticate` finds the grant of a request. Raises `LookupError` if a row names an operation that does
    not exist.
    """

    def __init__(self, state: AppState, authenticate: Authenticate, *, otherwise: ASGIApp) -> None:
        self._state, self._authenticate = state, authenticate
        self._otherwise = otherwise
        self._roles = find_roles_of_operations(OPERATIONS)
        missing = [route.operation for route in TABLE if route.operation not in self._roles]
        if missing:
            raise LookupError(f"operations.graphql lacks {', '.join(missing)}")
        state.executor.add_own(OPERATIONS)
        # By the number of segments: the routes of each pattern, by method
        self._routes: defaultdict[int, dict[tuple[str, ...], dict[str, OldRoute]]] = defaultdict(dict)
        for route in TABLE:
            pattern = tuple(route.path.split("/")[1:])
            self._routes[len(pattern)].setdefault(pattern, {})[route.method] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._otherwise(scope, receive, send)
        request, request_id = IndexedRequest(scope, receive), make_request_id()
        response = await self.respond(request, request_id)
        add_headers(response, {"X-Request-Id": request_id})
        await response(scope, receive, send)

    async def respond(self, request: Request, request_id: str) -> Response:
        try:
            if request.method == "OPTIONS":
                return Response(status_code=204)
            match = self._match(request)
            if isinstance(match, Response):
                return match
            route, parameters = match
            request.scope[ORGANIZATION] = parameters.get("organizationId")
            response = await self._execute(request, request_id, route, parameters)
            add_headers(response, make_deprecation_headers(route))
            if not route.is_public:
                response.headers.add_vary_header("Authorization, X-API-Key")
            return response
        except BadRequest as error:
            response = render_json({"error": error.message}, error.status, request)
            response.headers.update(error.headers)
            return response
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except HTTPException as error:
            return render_json({"error": error.detail}, error.status_code, request)
        except Exception:  # the outermost boundary of a request
            log.exception("request %s failed", request_id)
            message = f"Internal error; the log names it request {request_id}"
            return render_json({"error": message}, 500, request)

    def _match(self, request: Request) -> tuple[OldRoute, dict[str, str]] | Response:
        """The route of a request and the parameters of its path. Literal segments precede parameters."""
        segments = split_path(request.scope["raw_path"])
        method = "GET" if request.method == "HEAD" else request.method
        allowed: list[str] = []
        matches: list[tuple[OldRoute, dict[str, str]]] = []
        for pattern, routes in self._routes.get(len(segments), {}).items():
            parameters = _match_path(pattern, segments)
            if parameters is not None:
                allowed += routes
                if method in routes:
                    matches.append((routes[method], parameters))
        if matches:
            return min(matches, key=lambda match: len(match[1]))
        page = None if allowed else render_unknown_path(request)
        if page is not None:
            return page
        message = f"Cannot {request.method} {request.url.path}"
        response = render_json({"error": message}, 405 if allowed else 404, request)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted({*allowed, "OPTIONS"}))
        return response

    def _admit(self, route: OldRoute, context: Any) -> None:
        """Count a request of a route. Raises `HTTPException` if it requires another role."""
        grant = context.viewer.grant
        self._state.resources.instruments.count_old_route(f"{route.method} {route.path}", grant.subject)
        role = self._roles[route.operation]
        if not grant.allows(role):
            raise HTTPException(403, f"This route requires the role {role.name.lower()}")

    async def _execute(
        self, request: Request, request_id: str, route: OldRoute, parameters: dict[str, str]
    ) -> Response:
        authenticate = authenticate_nobody if route.is_public else self._authenticate
        try:
            context = await self._state.create_context(request, request_id, authenticate)
        except AccessDenied as denied:
            # If the store of the credentials is down, the mistakes of a request are still reported first.
            if denied.code != "UNAVAILABLE":
                raise
            with reject_over_limit(self._state.limits, None):
                invalid = await _read(request, route, parameters)
            if isinstance(invalid, Response):
                return invalid
            raise
        self._admit(route, context)
        with reject_over_limit(context.limits, context.viewer.grant):
            read = await _read(request, route, parameters)
        if isinstance(read, Response):
            return read
        route, old_request = read
        variables = _make_variables(request, route, old_request)
        try:
            with reject_over_limit(context.limits, context.viewer.grant):
                answer = await self._state.executor.run(OPERATIONS, variables, route.operation, context)
                shaped = None if answer.errors else route.shape(answer.data, old_request)
                if route.rendering is JSON and context.turn.is_long:
                    with context.turn.watch():
                        shaped = await prepare_json(shaped, self._state.max_answer_bytes, context.turn.pause)
        finally:
            await context.settle()
        if answer.errors:
            response = _render_error(answer.errors[0], route, old_request, request)
        else:
            response = route.rendering.render(shaped, route.status, request)
        if context.budget is not None:
            add_headers(response, context.budget.headers())
        return response


async def _read(
    request: Request, route: OldRoute, parameters: dict[str, str]
) -> tuple[OldRoute, OldRequest] | Response:
    """The route to take and the request, or the response to one that lacks a required field."""
    body = await route.body.read(request)
    if body is None and route.without_body is not None:
        route = route.without_body
    for name, default in route.query.items():
        parameters[name] = request.query_params.get(name) or default
    old_request = OldRequest(parameters, {} if body is None else body)
    if route.required is not None and not route.required.allows(body):
        error = {"message": route.required.message, "extensions": {"code": "BAD_USER_INPUT"}}
        return render_json(route.error(error, old_request), 400, request)
    return route, old_request


def _make_variables(request: Request, route: OldRoute, old_request: OldRequest) -> dict[str, Any]:
    """The variables of the operation that a route names."""
    variables = route.variables(old_request.parameters, old_request.body)
    if route.takes_idempotency_key and IDEMPOTENCY_KEY in request.headers:
        variables["input"]["idempotencyKey"] = request.headers[IDEMPOTENCY_KEY]
    return variables


def _render_error(error: Any, route: OldRoute, old_request: OldRequest, request: Request) -> Response:
    code, extensions = error["extensions"]["code"], error["extensions"]
    if route.when_unavailable is not None and is_unavailable(error):
        return render_json(route.when_unavailable, 200, request)
    if extensions.get("fields") == ["idempotencyKey"]:  # which no shape of an old error is about
        return render_json({"error": error["message"]}, find_rest_status(extensions), request)
    status = route.conflict_status if code == "CONFLICT" else find_rest_status(extensions)
    if extensions.get("reason") == "DISK_FULL":
        status = 507
    response = render_json(route.error(error, old_request), status, request)
    if "outcome" in extensions:  # for which the old bodies have no place
        response.headers[OUTCOME] = extensions["outcome"]
    return response


def _match_path(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    """The parameters of a path that matches a pattern of as many segments.

    The case of literal segments does not count.
    """
    parameters: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not segment:
                return None
            parameters[expected[1:-1]] = segment
        elif expected != segment.lower():
            return None
    return parameters
