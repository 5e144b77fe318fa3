"""One handler for all old routes: from a request to its operation, and from the answer to the old body."""

import base64
import hashlib
import logging
import re
import secrets
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, parse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from compat_rest.migration import headers
from compat_rest.requests import Refused, read_body, read_icon, segments
from compat_rest.shapes import Asked, Missing
from compat_rest.table import TABLE, OldRoute
from schema.engine.errors import REST_STATUS
from schema.engine.scalars import to_json
from schema.server.app import Gateway

log = logging.getLogger(__name__)
OPERATIONS = (Path(__file__).parent / "operations.graphql").read_text(encoding="utf-8")
JSON = "application/json; charset=utf-8"
DEFAULT_ORGANIZATION = "autentiodev"  # of the counts, where no organization is named
ICON_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "public, max-age=0",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class OldRoutes:
    """The application of the old routes. Raises at once where a row names an operation that there is not.

    What is no HTTP request is answered by `otherwise`.
    """

    def __init__(self, gateway: Gateway, *, otherwise: ASGIApp) -> None:
        self._gateway = gateway
        self._otherwise = otherwise
        names = {
            d.name.value
            for d in parse(OPERATIONS).definitions
            if isinstance(d, OperationDefinitionNode) and d.name
        }
        missing = [route.operation for route in TABLE if route.operation not in names]
        if missing:
            raise LookupError(f"operations.graphql lacks {', '.join(missing)}")
        gateway.executor.check(OPERATIONS)
        self._routes = [(route, route.path.split("/")[1:]) for route in TABLE]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._otherwise(scope, receive, send)
        request = Request(scope, receive)
        response = await self.respond(request)
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        try:
            if request.method == "OPTIONS":
                return Response(status_code=204)
            found = self._match(request)
            if isinstance(found, Response):
                return found
            response = await self._answer(request, *found)
            response.headers.update(headers(found[0]))
            return response
        except Refused as refused:
            return _json({"error": refused.message}, refused.status, request)
        except Missing as missing:
            return _json({"error": str(missing)}, 404, request)
        except Exception:
            request_id = secrets.token_hex(8)
            log.exception("request %s failed", request_id)
            said = f"Internal error; the log knows it as request {request_id}"
            return _json({"error": said}, 500, request)

    def _match(self, request: Request) -> tuple[OldRoute, dict[str, str]] | Response:
        """The row of a request and the parameters of its path; fixed parts go before parameters."""
        parts = segments(request.scope["raw_path"])
        method = "GET" if request.method == "HEAD" else request.method
        allowed: list[str] = []
        matching: list[tuple[int, OldRoute, dict[str, str]]] = []
        for route, pattern in self._routes:
            parameters = _parameters(pattern, parts)
            if parameters is not None:
                allowed.append(route.method)
                if route.method == method:
                    matching.append((len(parameters), route, parameters))
        if matching:
            _, route, parameters = min(matching, key=lambda each: each[0])
            return route, parameters
        response = _json(
            {"error": f"Cannot {request.method} {request.url.path}"}, 405 if allowed else 404, request
        )
        if allowed:
            response.headers["Allow"] = ", ".join(sorted({*allowed, "OPTIONS"}))
        return response

    async def _answer(self, request: Request, route: OldRoute, parameters: dict[str, str]) -> Response:
        body = await self._body(request, route)
        if body is None and route.without_body is not None:
            route = route.without_body
        if route.operation == "UploadIcon":
            parameters = {**body, **parameters}
        elif route.operation == "RegisteredDevices":
            named = request.query_params.get("organizationId")
            parameters = {"organizationId": named or DEFAULT_ORGANIZATION}
        missing = _missing(route, body)
        asked = Asked(parameters, {} if body is None else body)
        if missing:
            failed = {"message": missing, "extensions": {"code": "BAD_USER_INPUT"}}
            return _json(route.error(failed, asked), 400, request)
        answer = await self._gateway.executor.run(
            OPERATIONS,
            route.variables(asked.parameters, asked.body),
            route.operation,
            self._gateway.context_of(request, secrets.token_hex(8)),
        )
        if answer.errors:
            code = answer.errors[0]["extensions"]["code"]
            if route.when_down is not None and code == "UNAVAILABLE":
                return _json(route.when_down, 200, request)
            status = route.conflict if code == "CONFLICT" else REST_STATUS[code]
            return _json(route.error(answer.errors[0], asked), status, request)
        shaped = route.shape(answer.data, asked)
        if route.operation == "Icon":
            return _icon(shaped, request)
        return Response(status_code=204) if route.status == 204 else _json(shaped, route.status, request)

    async def _body(self, request: Request, route: OldRoute) -> Any:
        if route.operation == "UploadIcon":
            return await read_icon(request)
        if route.method == "GET":
            return None
        body = await read_body(request)
        if route.operation == "SetEventClasses":
            if not isinstance(body, list):
                raise Refused(400, "Event classes must be an array")
            return body
        if isinstance(body, list):
            if route.operation == "SaveOrganization":
                return {}
            raise Refused(400, "The body must be an object")
        return body


def _parameters(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    found: dict[str, str] = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            if not part:
                return None
            found[expected[1:-1]] = part
        elif expected != part.lower():
            return None
    return found


def _missing(route: OldRoute, body: Any) -> str | None:
    """What to say where a field that has to be truthy is not, or where there is no body at all."""
    if route.required:
        given = body if isinstance(body, dict) else {}
        return None if all(_is_truthy(given.get(name)) for name in route.required) else route.missing
    return route.missing if route.missing and body is None else None


def _is_truthy(value: Any) -> bool:
    """As JavaScript has it: empty lists and objects are."""
    return bool(value) or isinstance(value, list | dict)


def _json(body: Any, status: int, request: Request) -> Response:
    content = to_json(body)
    etag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    return _response(content, status, {"ETag": etag, "Content-Type": JSON}, request)


def _icon(found: dict[str, Any], request: Request) -> Response:
    content = base64.b64decode(found["content"])
    changed = format_datetime(datetime.fromisoformat(found["updatedAt"]), usegmt=False)
    etag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {**ICON_HEADERS, "ETag": etag, "Last-Modified": changed, "Content-Type": found["contentType"]}
    wanted = _range(request, etag)
    if wanted is None:
        return _response(content, 200, headers, request)
    part = range(len(content))[wanted]
    if not part:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
    return _response(content[wanted], 206, headers, request)


def _range(request: Request, etag: str) -> slice | None:
    """The one range of bytes that is asked for; None is the whole, which several ranges get too."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", "").strip())
    if found is None or found[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if not first:
        return slice(-int(last), None) if int(last) else slice(0, 0)
    return slice(int(first), int(last) + 1 if last else None)


def _response(content: bytes, status: int, headers: dict[str, str], request: Request) -> Response:
    """The answer; 304 where the client has it already, and no body for HEAD."""
    if status == 200 and headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    if request.method == "HEAD":
        return Response(status_code=status, headers={**headers, "Content-Length": str(len(content))})
    return Response(content, status, headers)
