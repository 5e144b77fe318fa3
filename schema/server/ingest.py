"""The write endpoint of the embedded time-series store, compatible with InfluxDB 2 and its clients."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from resolvers.grants import OPEN, Grant
from resolvers.limits import LimitPolicy
from schema.server.authentication import AccessDenied, Authenticate, sends_token
from schema.server.bodies import BadRequest, check_encoding, decompress, parse_content_type, read_body
from schema.server.ingest_routing import PointRouter, WriteTarget
from schema.server.limit_rejection import reject_over_limit
from schema.server.line_protocol import parse_lines
from stores.contracts.errors import Forbidden, GatewayError, LimitExceeded, Unauthenticated, Unavailable
from stores.contracts.series import SECOND, Point, WritableSeriesStore

WRITE_PATH = "/api/v2/write"
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
MAX_BYTES = 32 * 1024 * 1024  # of a body, before and after decompression
# InfluxDB's code for each status of an error.
CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    413: "request too large",
    415: "invalid",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
}
MAX_REPORTED_LINES, MAX_REPORTED_CHARACTERS = 10, 200  # of the lines that are invalid
MAX_RATIO = 200  # of the content of a compressed body to its size, above `MIN_LIMITED_BYTES`
MIN_LIMITED_BYTES = 1024 * 1024
MAX_ACTIVE = 64  # requests that are read, parsed or written at the same time
BATCH = 10_000  # points in one transaction
NAME = {"X-Influxdb-Build": "sync-gateway", "X-Influxdb-Version": version("sync-gateway")}


ParsedPoints = tuple[list[Point], list[str]]  # and why other points are rejected


class Ingest:
    """`POST /api/v2/write`, and `/ping` and `/health` as InfluxDB's clients expect them.

    The `router` decides which database points belong to. Writers send the `token`, or a credential whose
    grant permits writing.
    """

    def __init__(
        self,
        store: WritableSeriesStore,
        router: PointRouter,
        authenticate: Authenticate,
        token: SecretStr | None,
        limits: LimitPolicy,
        future_tolerance: int = 300 * SECOND,
    ) -> None:
        self._store, self._router = store, router
        self._authenticate = authenticate
        self._token = token
        self._limits = limits
        self._future_tolerance = future_tolerance
        self._active = 0
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="line-protocol")

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
        """Answer 204, 400 if a line is invalid and nothing is written, or 422 if points were rejected."""
        if self._active >= MAX_ACTIVE:
            return _make_error(503, "too many writes at once, try again later", **{"Retry-After": "1"})
        self._active += 1
        try:
            grant = await self._admit(request)
            with reject_over_limit(self._limits, grant):
                rejected = await self._receive(request, grant)
        except BadRequest as error:
            return _make_error(error.status, error.message, **error.headers)
        except Unavailable as error:
            return _make_error(503, error.message)
        finally:
            self._active -= 1
        if rejected:
            reason = f"{rejected[0]} dropped={len(rejected)}"
            return _make_error(422, f"failure writing points to database: partial write: {reason}")
        return Response(status_code=204, headers=NAME)

    async def _receive(self, request: Request, grant: Grant) -> list[str]:
        """Read and write the points of a request. Return why points were rejected."""
        target, unit = await self._find_target(request, grant)
        _, charset = parse_content_type(request.headers.get("content-type", ""))
        if charset != "utf-8":
            raise BadRequest(415, "send line protocol in UTF-8")
        encoding = check_encoding(request, "gzip", "x-gzip").removeprefix("x-")
        body = await read_body(request, MAX_BYTES)
        points, rejected = await self._parse(request, body, encoding, unit)
        timely, early = self._split_by_time(points)
        return rejected + early + await self._write_batches(target, timely)

    def _split_by_time(self, points: Sequence[Point]) -> tuple[list[Point], list[str]]:
        """The points that may be written, and why others are rejected: a clock is ahead."""
        latest = time.time_ns() + self._future_tolerance
        early = [point for point in points if point.time > latest]
        if not early:
            return list(points), []
        seconds = self._future_tolerance // SECOND
        reasons = [
            f"a point of measurement {point.measurement!r} has the time {point.time}, more than {seconds} s"
            " ahead of this server's clock (series.future_tolerance)"
            for point in early
        ]
        return [point for point in points if point.time <= latest], reasons

    async def _parse(self, request: Request, body: bytes, encoding: str, unit: int) -> ParsedPoints:
        """Parse a body in a thread. The parsing stops when the client disconnects or the server stops."""
        is_cancelled = threading.Event()
        loop = asyncio.get_running_loop()
        parsing: asyncio.Future[ParsedPoints] = loop.run_in_executor(
            self._parser, parse_points, body, encoding, unit, is_cancelled.is_set
        )
        disconnection = asyncio.create_task(_wait_for_disconnect(request))
        try:
            await asyncio.wait((parsing, disconnection), return_when=asyncio.FIRST_COMPLETED)
            if not parsing.done():
                raise BadRequest(400, "the client has disconnected")
            return parsing.result()
        finally:
            is_cancelled.set()
            parsing.cancel()
            disconnection.cancel()

    async def _write_batches(self, target: WriteTarget, points: Sequence[Point]) -> list[str]:
        """Write points, a batch of each database in one transaction. Return why points were rejected."""
        rejected: list[str] = []
        for start in range(0, len(points), BATCH):
            batches = await self._router.split(points[start : start + BATCH], target)
            for database, batch in batches.items():
                rejected += filter(None, await self._store.write(database, batch))
        return rejected

    async def _admit(self, request: Request) -> Grant:
        """The grant of a request that may write points. Raises `AccessDenied`."""
        try:
            if self._token is not None and sends_token(request, self._token):
                return OPEN
            grant = await self._authenticate(request)
            if self._token is not None and grant is OPEN:
                raise Unauthenticated("unauthorized access")
            # Points name no application, so that a grant for some applications cannot be checked.
            if not grant.is_operator and (not grant.ingest or grant.applications is not None):
                raise Forbidden("the credential does not permit writing points")
            return grant
        except GatewayError as error:
            raise AccessDenied(error) from None

    async def _find_target(self, request: Request, grant: Grant) -> tuple[WriteTarget, int]:
        parameters = request.query_params
        target = await self._router.find_target(
            grant, parameters.get("bucket", ""), parameters.get("organization")
        )
        unit = UNITS.get(parameters.get("precision", "ns"))
        if unit is None:
            raise BadRequest(400, "invalid precision; valid precision units are ns, us, ms, and s")
        return target, unit


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def parse_points(
    body: bytes, encoding: str, unit: int, is_cancelled: Callable[[], bool] = lambda: False
) -> ParsedPoints:
    """Return the points of an encoded body, and why others are rejected.

    Raises `BadRequest` if any of its lines is invalid, and `LimitExceeded`.
    """
    content = decompress(body, encoding, MAX_BYTES)
    if len(content) > max(MAX_RATIO * len(body), MIN_LIMITED_BYTES):
        raise LimitExceeded(
            "compression_ratio", MAX_RATIO, len(content) // len(body), "The body is compressed too well."
        )
    points: list[Point] = []
    errors: list[str] = []
    rejected: list[str] = []
    for line in parse_lines(content, unit, time.time_ns(), is_cancelled):
        if line.point is not None:
            points.append(line.point)
        elif line.rejection:
            rejected.append(line.rejection)
        else:
            errors.append(f"unable to parse '{line.text[:MAX_REPORTED_CHARACTERS]}': {line.error}")
    if errors:
        message = "\n".join(errors[:MAX_REPORTED_LINES])
        raise BadRequest(400, message.encode(errors="replace").decode())
    return points, rejected


def _make_error(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"code": CODES[status], "message": message}, status, headers={**NAME, **headers})
