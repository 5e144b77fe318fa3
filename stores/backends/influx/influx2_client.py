"""Flux scripts over HTTP to an InfluxDB 2, by `influxdb-client`."""

import asyncio
import logging
from typing import Any

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.dialect import Dialect
from influxdb_client.rest import ApiException

from stores.backends.influx.annotated_csv import FailedQuery, Row, parse_rows
from stores.backends.influx.transport import (
    NO_TIMEOUT,
    REFUSED,
    decode,
    make_missing_database_error,
    refusal,
    report_errors_as_unavailable,
)
from stores.contracts.errors import Unavailable
from stores.contracts.request_record import make_trace_headers

log = logging.getLogger(__name__)
NAME = "InfluxDB 2"
DIALECT = Dialect(header=True, delimiter=",", annotations=["datatype"])  # type: ignore[no-untyped-call]  # no types
NO_BUCKET = "could not find bucket"  # any other 404 comes from a server that is not an InfluxDB
LONG_SCRIPT = 100_000  # characters
Values = dict[str, str | bool | int | float]


class Influx2Client:
    """A server at `url`. Its calls have no time limit: they stop when they are cancelled."""

    def __init__(self, url: str, token: str | None, org: str) -> None:
        self._url, self._token, self._org = url, token or "", org
        self._client: InfluxDBClientAsync | None = None

    async def ping(self) -> None:
        """Raise `Unavailable` if the server does not answer a query."""
        await self.query('buckets() |> limit(n: 1) |> keep(columns: ["name"])', {})

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types

    async def query(self, script: str, values: Values, bucket: str = "") -> list[Row]:
        """Return the rows of a script that reads a bucket. Raises `Unavailable`."""
        if len(script) > LONG_SCRIPT:
            await asyncio.sleep(0)  # it took long to be made: other requests get a turn before it is encoded
        try:
            with report_errors_as_unavailable(NAME):
                answer = await self._query_raw(script, values)
            return await decode(NAME, answer, lambda answer: list(parse_rows(answer)))
        except ApiException as error:
            body = error.body.decode(errors="replace") if error.body else ""
            if error.status == 404 and NO_BUCKET in body:
                raise make_missing_database_error(NAME, bucket) from None
            retry_after = error.headers.get("Retry-After") if error.headers else None
            raise refusal(NAME, error.status or 0, body, retry_after) from None
        except (InfluxDBError, FailedQuery) as error:
            log.warning("%s: %s: %s", NAME, type(error).__name__, error)
            raise Unavailable(REFUSED) from None

    async def _query_raw(self, script: str, values: Values) -> str:
        try:
            api = self._open_client().query_api()
            answer: str = await api.query_raw(script, dialect=DIALECT, params=values)
            return answer
        except UnicodeDecodeError as error:  # the server accepts any bytes in a string
            return error.object.decode(errors="replace")

    def _open_client(self) -> InfluxDBClientAsync:
        """Return the one client, which must be created in the loop that uses it."""
        if self._client is None:
            # The client's own timeout would raise CancelledError in the caller while a body is read.
            self._client = InfluxDBClientAsync(
                self._url,
                self._token,
                self._org,
                timeout=NO_TIMEOUT,
                allow_redirects=False,
                client_session_type=_open_session,
            )
        return self._client


def _open_session(**options: Any) -> aiohttp.ClientSession:
    """The session of the client, whose requests carry their place in the trace."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_add_trace_headers)
    return aiohttp.ClientSession(**{**options, "trace_configs": [config]})


async def _add_trace_headers(
    session: aiohttp.ClientSession, context: object, request: aiohttp.TraceRequestStartParams
) -> None:
    request.headers.update(make_trace_headers())
