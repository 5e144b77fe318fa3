"""Points for the embedded store, taken the way InfluxDB takes them: its clients and agents need no change."""

import asyncio
import hmac
import time
import zlib
from collections.abc import Sequence
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.server.line_protocol import parse
from stores.contracts.errors import Unavailable
from stores.contracts.series import Point, WritableSeriesStore

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
MAX_BYTES = 32 * 1024 * 1024  # of a body, unpacked
MAX_REPORTED_LINES = 10  # of the lines that cannot be read
NAME = {"X-Influxdb-Build": "sync-gateway", "X-Influxdb-Version": version("sync-gateway")}


class Refused(Exception):
    """A request that nothing is written of: its status, and a code and message of InfluxDB's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


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
            Route("/api/v2/write", self.write, methods=["POST"]),
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
            points = await asyncio.to_thread(_points, await _body(request), unit)
            refused = list(filter(None, await self._store.write(database, points)))
        except Refused as refusal:
            return _error(refusal.status, refusal.code, refusal.message)
        except Unavailable as unavailable:
            return _error(503, "unavailable", unavailable.message)
        if refused:
            said = f"{refused[0]} dropped={len(refused)}"
            message = f"failure writing points to database: partial write: {said}"
            return _error(422, "unprocessable entity", message)
        return Response(status_code=204, headers=NAME)

    def _admit(self, request: Request) -> None:
        # A page of any origin may send a plain text; no page has anything to write here.
        if "origin" in request.headers:
            raise Refused(403, "forbidden", "pages in a browser do not write points")
        if self._token is not None:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.encode(), self._token.encode())
            if scheme.lower() not in ("token", "bearer") or not right:
                raise Refused(401, "unauthorized", "unauthorized access")

    def _target(self, request: Request) -> tuple[str, int]:
        database = request.query_params.get("bucket", "")
        if database not in self._databases:
            raise Refused(404, "not found", f'bucket "{database}" not found')
        unit = UNITS.get(request.query_params.get("precision", "ns"))
        if unit is None:
            raise Refused(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        return database, unit


def _points(body: bytes, unit: int) -> list[Point]:
    points: list[Point] = []
    faults: list[str] = []
    for _, line, found in parse(body, unit, time.time_ns()):
        if isinstance(found, Point):
            points.append(found)
        else:
            faults.append(f"unable to parse '{line[:200]}': {found}")
    if faults:
        raise Refused(400, "invalid", "\n".join(faults[:MAX_REPORTED_LINES]))
    if not points:
        raise Refused(400, "invalid", "writing requires points")
    return points


async def _body(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("gzip", "identity"):
        raise Refused(415, "invalid", "send the body plain or as gzip")
    unpacking = zlib.decompressobj(wbits=31)
    body = bytearray()
    try:
        async for chunk in request.stream():
            if encoding == "gzip":
                chunk = unpacking.decompress(chunk, MAX_BYTES + 1 - len(body))
            body += chunk
            if len(body) > MAX_BYTES:
                raise Refused(413, "request too large", f"a body holds at most {MAX_BYTES} bytes")
    except zlib.error:
        raise Refused(400, "invalid", "the body is not gzip") from None
    if encoding == "gzip" and not unpacking.eof:
        raise Refused(400, "invalid", "the gzip of the body is cut off")
    return bytes(body)


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status, headers=NAME)
