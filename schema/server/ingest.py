"""Points for the embedded store, taken the way InfluxDB takes them: its clients and agents need no change."""

import asyncio
import hmac
import time
from collections.abc import Sequence
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.server.bodies import BadRequest, check_encoding, decompress, parse_content_type, read_body
from schema.server.line_protocol import parse
from stores.contracts.errors import Unavailable
from stores.contracts.series import Point, WritableSeriesStore

WRITE_PATH = "/api/v2/write"
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
MAX_BYTES = 32 * 1024 * 1024  # of a body, unpacked
# InfluxDB's codes of the statuses that are answered.
CODES = {
    400: "invalid",
    401: "unauthorized",
    404: "not found",
    413: "request too large",
    415: "invalid",
    422: "unprocessable entity",
    503: "unavailable",
}
MAX_REPORTED_LINES = 10  # of the lines that cannot be read
NAME = {"X-Influxdb-Build": "sync-gateway", "X-Influxdb-Version": version("sync-gateway")}


class Ingest:
    """`POST /api/v2/write`, and `/ping` and `/health` as writers expect them.

    `databases` are those that may be written; with a `token` writers must send it.
    """

    def __init__(self, store: WritableSeriesStore, databases: Sequence[str], token: str | None) -> None:
        self._store = store
        self._databases = databases
        self._token = token

    def routes(self) -> list[Route]:
        return [
            Route(WRITE_PATH, self.write, methods=["POST"]),
            Route("/ping", self.ping),
            Route("/health", self.health),
        ]

    async def ping(self, request: Request) -> Response:
        return Response(status_code=204, headers=NAME)

    async def health(self, request: Request) -> Response:
        body = {"name": "sync-gateway", "message": "ready for writes", "status": "pass", "checks": []}
        return JSONResponse({**body, "version": NAME["X-Influxdb-Version"]}, headers=NAME)

    async def write(self, request: Request) -> Response:
        """204; 400 where a line cannot be read, and nothing is written; 422 where points were left out."""
        try:
            self._admit(request)
            database, unit = self._target(request)
            _, charset = parse_content_type(request.headers.get("content-type", ""))
            if charset != "utf-8":
                raise BadRequest(415, "send line protocol in UTF-8")
            encoding = check_encoding(request, "gzip")
            body = await read_body(request, MAX_BYTES)
            points = await asyncio.to_thread(_points, body, encoding, unit)
            refused = list(filter(None, await self._store.write(database, points)))
        except BadRequest as error:
            return _error(error.status, error.message)
        except Unavailable as unavailable:
            return _error(503, unavailable.message)
        if refused:
            said = f"{refused[0]} dropped={len(refused)}"
            message = f"failure writing points to database: partial write: {said}"
            return _error(422, message)
        return Response(status_code=204, headers=NAME)

    def _admit(self, request: Request) -> None:
        if self._token is not None:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.encode(), self._token.encode())
            if scheme.lower() not in ("token", "bearer") or not right:
                raise BadRequest(401, "unauthorized access")

    def _target(self, request: Request) -> tuple[str, int]:
        database = request.query_params.get("bucket", "")
        if database not in self._databases:
            raise BadRequest(404, f'bucket "{database}" not found')
        unit = UNITS.get(request.query_params.get("precision", "ns"))
        if unit is None:
            raise BadRequest(400, "invalid precision; valid precision units are ns, us, ms, and s")
        return database, unit


def _points(body: bytes, encoding: str, unit: int) -> list[Point]:
    """The points of an encoded body. Raises `BadRequest`."""
    lines = decompress(body, encoding, MAX_BYTES)
    points: list[Point] = []
    faults: list[str] = []
    for _, line, found in parse(lines, unit, time.time_ns()):
        if isinstance(found, Point):
            points.append(found)
        else:
            faults.append(f"unable to parse '{line[:200]}': {found}")
    if faults:
        raise BadRequest(400, "\n".join(faults[:MAX_REPORTED_LINES]))
    if not points:
        raise BadRequest(400, "writing requires points")
    return points


def _error(status: int, message: str) -> Response:
    return JSONResponse({"code": CODES[status], "message": message}, status, headers=NAME)
