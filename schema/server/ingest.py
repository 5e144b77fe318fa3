"""The write endpoints of the embedded time-series store, as the clients of InfluxDB 1, 2 and 3 use them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.server.bodies import BadRequest, check_encoding, parse_content_type, read_body
from schema.server.execution_gate import ExecutionGate
from schema.server.ingest_access import IngestAccess, take_password_as_credential
from schema.server.ingest_dialects import NAME, Dialect, InfluxDB1, InfluxDB2, InfluxDB3
from schema.server.ingest_parsing import MAX_BYTES
from schema.server.ingest_reading import BodyReader
from schema.server.ingest_routing import PointRouter, UnknownBucket
from schema.server.ingest_writing import BatchWriter
from schema.server.limit_rejection import reject_over_limit
from stores.contracts.errors import Unavailable
from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore

INFLUXDB1 = InfluxDB1()
WRITE_PATHS: dict[str, Dialect] = {
    "/api/v2/write": InfluxDB2(),
    "/write": INFLUXDB1,
    "/api/v3/write_lp": InfluxDB3(),
}
QUERY_PATH = "/query"
CREATE_DATABASE = re.compile(
    r'\s*+CREATE\s++DATABASE\s++(?:"(?P<quoted>[^"\\]++)"|(?P<name>\w++))(?:\s++WITH\s.*)?[\s;]*+',
    re.IGNORECASE | re.DOTALL,
)
MAX_QUERY_BYTES = 64 * 1024
MAX_ACTIVE = 64  # requests that are read, parsed or written at the same time
MAX_PARSED = 8  # of them are parsed or written at the same time; they take turns batch by batch
MAX_ACTIVE_BYTES = 8 * MAX_BYTES  # of their bodies together
LARGE_BYTES = 1024 * 1024  # a larger body is rejected earlier when memory is scarce
BUSY = "too many writes at once, try again later"


class Ingest:
    """The write endpoints, and `/ping` and `/health` as InfluxDB's clients expect them.

    The `router` decides which database points belong to.
    """

    def __init__(
        self,
        store: WritableSeriesStore,
        router: PointRouter,
        access: IngestAccess,
        gate: ExecutionGate,
        future_tolerance: int = 300 * SECOND,
    ) -> None:
        self._store, self._router, self._access, self._gate = store, router, access, gate
        self._future_tolerance = future_tolerance
        self._active = self._active_bytes = 0
        self._turns = asyncio.Semaphore(MAX_PARSED)
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="line-protocol")

    def routes(self) -> list[Route]:
        writes = [
            Route(path, self._make_endpoint(dialect, self._answer_write), methods=["POST"])
            for path, dialect in WRITE_PATHS.items()
        ]
        query = Route(QUERY_PATH, self._make_endpoint(INFLUXDB1, self._answer_query), methods=["GET", "POST"])
        return [*writes, query, Route("/ping", self.ping), Route("/health", self.health)]

    async def ping(self, request: Request) -> Response:
        return Response(status_code=204, headers=NAME)

    async def health(self, request: Request) -> Response:
        body = {"name": "sync-gateway", "message": "ready for writes", "status": "pass", "checks": []}
        return JSONResponse({**body, "version": NAME["X-Influxdb-Version"]}, headers=NAME)

    def _make_endpoint(
        self, dialect: Dialect, respond: Callable[[Request, Dialect], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if dialect is INFLUXDB1:
                request = take_password_as_credential(request)
            if self._active >= MAX_ACTIVE:
                return dialect.make_error(503, BUSY, {"Retry-After": "1"})
            self._active += 1
            try:
                return await respond(request, dialect)
            except UnknownBucket as error:
                return dialect.make_error(error.status, dialect.unknown_bucket.format(error.bucket))
            except BadRequest as error:
                return dialect.make_error(error.status, error.message, error.headers)
            except Unavailable as error:
                return dialect.make_error(503, error.message)
            finally:
                self._active -= 1

        return answer

    async def _answer_query(self, request: Request, dialect: Dialect) -> Response:
        """Answer the creation of a database, which Telegraf asks for: whether there is one."""
        grant = await self._access.admit(request)
        form = parse_qs((await read_body(request, MAX_QUERY_BYTES)).decode(errors="replace"))
        statement = request.query_params.get("q") or form.get("q", [""])[0]
        match = CREATE_DATABASE.fullmatch(statement)
        if match is None:
            raise BadRequest(400, "only CREATE DATABASE is answered here: read series by GraphQL")
        result: dict[str, Any] = {"statement_id": 0}
        try:
            await self._router.find_target(grant, match["quoted"] or match["name"], None)
        except UnknownBucket as error:
            result["error"] = dialect.unknown_bucket.format(error.bucket)
        return JSONResponse({"results": [result]}, headers=NAME)

    async def _answer_write(self, request: Request, dialect: Dialect) -> Response:
        grant = await self._access.admit(request)
        with reject_over_limit(self._gate.policy, grant):
            writes, unit = dialect.read_writes(request), dialect.read_unit(request)
            organization_id = request.query_params.get("organization")
            target = await self._router.find_target(grant, dialect.read_bucket(request), organization_id)
            with self._count_bytes() as count:
                encoding, content = await self._read(request, count)
                async with self._turns:
                    with (
                        self._occupy_gate(content),
                        BodyReader(self._parser, request, unit, self._future_tolerance) as reader,
                    ):
                        await reader.run(reader.body.decode, content, encoding)
                        writer = BatchWriter(self._store, self._router, target)
                        findings = await writer.write_body(reader, writes)
        return dialect.respond(findings, writes)

    async def _read(self, request: Request, count: Callable[[int], None]) -> tuple[str, bytes]:
        """The encoding and the content of a body. Raises `BadRequest` and `LimitExceeded`."""
        _, charset = parse_content_type(request.headers.get("content-type", ""))
        if charset != "utf-8":
            raise BadRequest(415, "send line protocol in UTF-8")
        encoding = check_encoding(request, "gzip", "x-gzip").removeprefix("x-")
        self._gate.check_memory(is_expensive=False)
        content = await read_body(request, MAX_BYTES, count)
        self._gate.check_memory(is_expensive=len(content) > LARGE_BYTES)
        return encoding, content

    @contextmanager
    def _occupy_gate(self, content: bytes) -> Iterator[None]:
        """A block in which a long body has many objects: the collector of garbage should not visit them."""
        is_large = len(content) > LARGE_BYTES
        self._gate.large_writes += is_large
        try:
            yield
        finally:
            self._gate.large_writes -= is_large

    @contextmanager
    def _count_bytes(self) -> Iterator[Callable[[int], None]]:
        """A block in which a body is held. Its function counts the bytes, and raises `BadRequest`."""
        own = 0

        def count(length: int) -> None:
            nonlocal own
            own += length
            self._active_bytes += length
            if self._active_bytes > MAX_ACTIVE_BYTES:
                raise BadRequest(503, BUSY, **{"Retry-After": "1"})

        try:
            yield count
        finally:
            self._active_bytes -= own
