"""SQL over HTTP to an InfluxDB 3.

HTTP rather than Flight: the engine and the SQL are the same, and HTTP needs a client that is installed
anyway, while Flight needs pyarrow (170 MB). Hosted and clustered editions, which only offer Flight, are not
supported.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from stores.backends.influx.transport import (
    NO_TIMEOUT,
    UnreadableAnswer,
    decode,
    make_missing_database_error,
    refusal,
    report_errors_as_unavailable,
)
from stores.contracts.errors import GatewayError, LimitExceeded
from stores.contracts.request_record import make_trace_headers

Rows = list[dict[str, Any]]
NAME = "InfluxDB 3"
MAX_CONNECTIONS = 50
# InfluxDB 3 Core has a file for each ten minutes, and refuses to read more than these at once.
QUERY_FILES, DEFAULT_QUERY_FILES = "query_files", 432
ADVICE = (
    "The time-series store, an InfluxDB 3 Core, reads about 72 hours at once: request a shorter `range`, or"
    " start the server with a higher `--query-file-limit`."
)
SCHEMA_ERRORS = ("Error during planning", "Schema error", "No field named", "not found")


class SchemaChanged(Exception):
    """A statement names something that the server does not have: the cached catalogue is out of date."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the server, complete."""

    status: int
    content: bytes
    retry_after: str | None

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class Influx3Client:
    """A server at `url`. Its calls have no time limit: they stop when they are cancelled."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def ping(self) -> None:
        """Raise `Unavailable` if the server is not healthy."""
        reply = await self._send("GET", "/health")
        if reply.status != 200:
            raise _make_refusal(reply)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def query(self, database: str, statement: str, values: Mapping[str, Any]) -> Rows:
        """Return the rows of a statement. Raises `SchemaChanged`, `LimitExceeded`, `Unavailable`."""
        body = {"db": database, "q": statement, "format": "json", "params": dict(values)}
        headers = {"Content-Type": "application/json", **make_trace_headers()}
        reply = await self._send("POST", "/api/v3/query_sql", data=orjson.dumps(body), headers=headers)
        if reply.status == 200:
            return await decode(NAME, reply.content, _parse_rows)
        if reply.status == 404 and "database not found" in reply.text:
            raise make_missing_database_error(NAME, database)
        if reply.status in (400, 500) and any(error in reply.text for error in SCHEMA_ERRORS):
            raise SchemaChanged
        raise _make_refusal(reply)

    async def _send(self, method: str, path: str, **options: Any) -> Reply:
        with report_errors_as_unavailable(NAME):
            request = self._open_session().request(method, self._url + path, allow_redirects=False, **options)
            async with request as response:
                return Reply(response.status, await response.read(), response.headers.get("Retry-After"))

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the one session, which must be created in the loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=NO_TIMEOUT,
            )
        return self._session


def _make_refusal(reply: Reply) -> GatewayError:
    error = refusal(NAME, reply.status, reply.text, reply.retry_after)
    if "file limit" in reply.text:
        maximum = re.search(r"file limit of (\d+)", reply.text)
        return LimitExceeded(QUERY_FILES, int(maximum[1]) if maximum else DEFAULT_QUERY_FILES, advice=ADVICE)
    return error


def _parse_rows(content: bytes) -> Rows:
    rows = orjson.loads(content)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswer("the answer is not a list of objects")
    return rows
