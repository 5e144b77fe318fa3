"""GraphQL over HTTP: the specification's requests, media types and statuses, as a Starlette endpoint.

https://graphql.github.io/graphql-over-http/draft/
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from resolvers.context import Context
from schema.engine.errors import INTERNAL
from schema.engine.execution import Executor, OperationResult
from schema.engine.scalars import to_json
from stores.contracts.errors import BadUserInput, LimitExceeded

log = logging.getLogger(__name__)
RESPONSE = "application/graphql-response+json"
JSON = "application/json"
TRACE = "X-Gateway-Trace"


class Refused(Exception):
    """A request that is not well-formed: its status and the reason, which is safe to show."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class GraphQLEndpoint:
    """Answers `/graphql`. `context_of` makes the context of a request; `page` the explorer's page."""

    def __init__(
        self,
        executor: Executor,
        context_of: Callable[[Request, str], Context],
        *,
        page: Callable[[], Response] | None,
        max_body_bytes: int,
        max_depth: int,
        max_answer_bytes: int,
    ) -> None:
        self._executor = executor
        self._context_of = context_of
        self._page = page
        self._max_body_bytes = max_body_bytes
        self._max_depth = max_depth
        self._max_answer_bytes = max_answer_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        request_id = secrets.token_hex(8)
        if self._page is not None and _is_browser(request):
            return self._page()
        media_type = JSON
        try:
            media_type = _media_type(request)
            asked = await self._read(request)
            context = self._context_of(request, request_id)
            answer = await self._executor.run(
                asked.query,
                asked.variables,
                asked.operation_name,
                context,
                read_only=request.method in ("GET", "HEAD"),
            )
            response = _answer(answer, media_type, context)
            if len(response.body) > self._max_answer_bytes:
                too_long = (
                    f"the answer is longer than {self._max_answer_bytes} bytes (graphql.max_answer_bytes)"
                )
                failed = LimitExceeded(f"{too_long}: ask for less", limit=self._max_answer_bytes)
                shown = {"message": failed.message, "extensions": {"code": failed.code, **failed.extensions}}
                response = _answer(OperationResult(errors=[shown]), media_type, context)
        except Refused as refused:
            body = {"errors": [{"message": refused.message, "extensions": {"code": BadUserInput.code}}]}
            response = _response(body, refused.status, media_type, refused.headers)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception:
            log.exception("request %s failed", request_id)
            message = f"internal error; the log knows it as request {request_id}"
            extensions = {"code": INTERNAL, "requestId": request_id}
            body = {"errors": [{"message": message, "extensions": extensions}]}
            response = _response(body, 500, media_type)
        response.headers["X-Request-Id"] = request_id
        return response

    async def _read(self, request: Request) -> GraphQLRequest:
        if request.method in ("GET", "HEAD"):
            parameters: dict[str, Any] = dict(request.query_params)
            for name in ("variables", "extensions"):
                if parameters.get(name):
                    parameters[name] = self._json(parameters[name].encode(), name)
                else:
                    parameters.pop(name, None)
            return _checked({**parameters, "operationName": parameters.get("operationName") or None})
        if request.method != "POST":
            raise Refused(405, "use GET or POST", Allow="GET, POST")
        content_type = request.headers.get("content-type", "").lower().replace(" ", "")
        kind, _, options = content_type.partition(";")
        if kind != JSON or options not in ("", "charset=utf-8", 'charset="utf-8"'):
            raise Refused(415, "send the request as application/json in UTF-8")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "send the request without a Content-Encoding")
        body = self._json(await self._body(request), "the body")
        if not isinstance(body, dict):
            raise Refused(400, "the body must be a JSON object; batches are not taken")
        return _checked(body)

    async def _body(self, request: Request) -> bytes:
        too_large = Refused(413, f"the body must not exceed {self._max_body_bytes} bytes")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise too_large
        return bytes(body)

    def _json(self, text: bytes, what: str) -> Any:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Refused(400, f"{what} is not valid JSON") from None
        if _deeper(value, self._max_depth):
            raise Refused(400, f"{what} is nested deeper than {self._max_depth} levels")
        return value


def _deeper(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_deeper(item, depth - 1) for item in items)


def _checked(members: dict[str, Any]) -> GraphQLRequest:
    """The members of a request, each of its type; members that are not known are ignored."""
    query = members.get("query")
    if not isinstance(query, str) or not query.strip():
        raise Refused(400, "query must be a text that holds a GraphQL document")
    for name in ("variables", "extensions"):
        if not isinstance(members.get(name), dict | None):
            raise Refused(400, f"{name} must be an object")
    operation_name = members.get("operationName")
    if not isinstance(operation_name, str | None):
        raise Refused(400, "operationName must be a text")
    return GraphQLRequest(query, members.get("variables"), operation_name)


def _is_browser(request: Request) -> bool:
    """Whether a person opens the page: a browser asks for HTML, and sends no query."""
    accepts = request.headers.get("accept", "")
    return request.method == "GET" and "text/html" in accepts and "query" not in request.query_params


def _media_type(request: Request) -> str:
    """The media type of the answer: the specification's where it is asked for, else plain JSON."""
    accept = request.headers.get("accept", "").lower()
    weights: dict[str, float] = {}
    for each in accept.split(","):
        kind, *options = each.strip().replace(" ", "").split(";")
        quality = next((o[2:] for o in options if o.startswith("q=")), "1")
        try:
            weights[kind] = float(quality)
        except ValueError:
            weights[kind] = 0
    wildcard = max(weights.get("*/*", 0), weights.get("application/*", 0))
    named = {kind: weights.get(kind, 0) for kind in (RESPONSE, JSON)}
    if max(named.values()) > 0:
        return max(named, key=lambda kind: named[kind])
    if not accept or wildcard > 0:
        return JSON
    raise Refused(406, f"the answer can be {RESPONSE} or {JSON}")


def _answer(answer: OperationResult, media_type: str, context: Context) -> Response:
    body: dict[str, Any] = {}
    if answer.errors:
        body["errors"] = answer.errors
    if not answer.rejected:
        body["data"] = answer.data
    if context.trace is not None:
        body["extensions"] = {"trace": {**context.trace(), "compiled": answer.compiled}}
    status = 200
    headers = {}
    if answer.rejected_mutation:
        status, headers = 405, {"Allow": "POST"}
    elif answer.rejected and media_type == RESPONSE:
        status = 400
    return _response(body, status, media_type, headers)


def _response(
    body: dict[str, Any], status: int, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    response = Response(to_json(body), status, headers)
    # charset is utf-8 by definition; it is named because old clients ask for it.
    response.headers["content-type"] = f"{media_type}; charset=utf-8"
    return response
