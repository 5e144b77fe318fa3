"""InfluxDB 3's HTTP interface, as far as the gateway and its tests use it."""

import asyncio
import gzip
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.servers.influxdb3.sql import ApiError, run_sql, to_rows
from tests.servers.influxdb3.storage import MemoryStore

DATABASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)?")
NANOSECONDS = {"auto": 0, "nanosecond": 1, "microsecond": 10**3, "millisecond": 10**6, "second": 10**9}


def create_app(store: MemoryStore, tokens: Iterable[str]) -> Starlette:
    """The server over `store`; without tokens, every request is let in."""
    return Starlette(
        routes=[
            Route("/api/v3/query_sql", QueryEndpoint(store), methods=["GET", "POST"]),
            Route("/api/v3/write_lp", WriteEndpoint(store), methods=["POST"]),
            Route("/api/v3/configure/database", CreateDatabaseEndpoint(store), methods=["POST"]),
            Route("/health", answer_health),
        ],
        middleware=[Middleware(CheckToken, tokens=frozenset(tokens))],
        exception_handlers={ApiError: answer_error, HTTPException: answer_not_found},
    )


class CheckToken(BaseHTTPMiddleware):
    """Answers 401 without a token and 400 if the header is malformed."""

    def __init__(self, app: Any, tokens: frozenset[str]) -> None:
        super().__init__(app)
        self._tokens = tokens

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        header = request.headers.get("authorization")
        scheme, _, token = (header or "").partition(" ")
        if self._tokens and token not in self._tokens:
            malformed = header is not None and (
                scheme not in ("Bearer", "Token") or " " in token or not token
            )
            reason = (
                "Authorization header was malformed" if malformed else "the request was not authenticated"
            )
            return Response(_to_json({"error": reason}), 400 if malformed else 401)
        return await call_next(request)


class _Endpoint(ABC):
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    @abstractmethod
    async def answer(self, request: Request) -> Response:
        """The response to a request."""


class QueryEndpoint(_Endpoint):
    """SQL of the parameters `db`, `q` and `params` in the query string or in a JSON body."""

    async def answer(self, request: Request) -> Response:
        try:
            if request.method == "GET":
                body: Any = dict(request.query_params)
                body["params"] = json.loads(body.get("params", "null"))
            else:
                body = json.loads(await _read_text(request))
        except ValueError as error:
            raise ApiError(400, f"serde json error: {error}") from None
        for name in ("db", "q"):
            if not isinstance(body, dict) or not isinstance(body.get(name), str):
                raise ApiError(400, f"serde error: missing field `{name}`")
        if body.get("format", "json") != "json":
            raise ApiError(400, f"serde error: unknown variant `{body['format']}`")
        parameters = body.get("params") or {}
        table = await asyncio.to_thread(run_sql, self._store, body["db"], body["q"], parameters)
        return Response(_to_json(to_rows(table)), media_type="application/json")


class WriteEndpoint(_Endpoint):
    """Line protocol, plain or gzip, into the database `db`, which is created if it does not exist."""

    async def answer(self, request: Request) -> Response:
        parameters = request.query_params
        if "db" not in parameters:
            raise ApiError(400, "missing query parameters 'db'")
        _check_name(parameters["db"])
        precision = parameters.get("precision", "auto")
        if precision not in NANOSECONDS:
            raise ApiError(400, f"serde error: unknown variant `{precision}`")
        partial = parameters.get("accept_partial", "true") != "false"
        text, unit = await _read_text(request), NANOSECONDS[precision]
        errors = await asyncio.to_thread(self._store.write, parameters["db"], text, unit, partial)
        if not errors:
            return Response(status_code=204)
        message = "partial write of line protocol occurred" if partial else "line protocol parsing error"
        raise ApiError(400, _to_json({"error": message, "data": errors if partial else errors[0]}))


class CreateDatabaseEndpoint(_Endpoint):
    """An empty database of the name `db` in a JSON body."""

    async def answer(self, request: Request) -> Response:
        name = json.loads(await _read_text(request)).get("db", "")
        _check_name(name)
        if not self._store.create(name):
            raise ApiError(409, "attempted to create a resource that already exists")
        return Response()


async def answer_health(request: Request) -> Response:
    return PlainTextResponse("OK")


async def answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return Response(error.body, error.status)


async def answer_not_found(request: Request, error: Exception) -> Response:
    return Response("Not found", 404)


async def _read_text(request: Request) -> str:
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity")
    try:
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding != "identity":
            raise ApiError(400, f"unacceptable content-encoding: {encoding}")
        return body.decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, f"body content is not valid utf8: {error}") from None
    except (OSError, EOFError) as error:
        raise ApiError(400, f"error decoding gzip stream: {error}") from None


def _check_name(database: str) -> None:
    if not DATABASE_NAME.fullmatch(database):
        reason = "must be ASCII, containing only letters, numbers, underscores, or hyphens"
        raise ApiError(400, _to_json({"error": f"error validating database name: {reason}"}))


def _to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
