"""Points written to an InfluxDB server as line protocol. The gateway itself only reads from servers."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from stores.backends.influx.transport import report_errors_as_unavailable
from stores.contracts.errors import NotFound, Unavailable
from stores.contracts.samples import Point, Unsigned, Value

TIMEOUT_S = 60.0


class InfluxPointWriter:
    """Writes by the write API at `url`; `database_parameter` is its query parameter for the database."""

    def __init__(
        self, url: str, database_parameter: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        self._url, self._database_parameter, self._parameters = url, database_parameter, parameters
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def for_influxdb2(cls, url: str, token: str | None, org: str) -> "InfluxPointWriter":
        headers = {"Authorization": f"Token {token}"} if token else {}
        return cls(f"{url.rstrip('/')}/api/v2/write", "bucket", {"org": org, "precision": "ns"}, headers)

    @classmethod
    def for_influxdb3(cls, url: str, token: str | None) -> "InfluxPointWriter":
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return cls(f"{url.rstrip('/')}/api/v3/write_lp", "db", {"precision": "nanosecond"}, headers)

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write all points. A rejected point is an `Unavailable` with the server's reason."""
        if points:
            await self._post(database, "\n".join(map(encode_point, points)).encode())
        return [None] * len(points)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, database: str, lines: bytes) -> None:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        parameters = {**self._parameters, self._database_parameter: database}
        with report_errors_as_unavailable(self._url):
            request = self._session.post(self._url, params=parameters, data=lines, allow_redirects=False)
            async with request as response:
                text = await response.text(errors="replace")
        if response.status == 404:
            raise NotFound(f"The time-series store has no database or bucket {database!r}; create it first.")
        if response.status not in (200, 204):
            raise Unavailable(f"the time-series store rejects the points: {response.status} {text[:300]}")


def encode_point(point: Point) -> str:
    """The point as a line of line protocol. Names and tags must not hold line feeds."""
    measurement = _escape(point.measurement, ", ")
    tags = "".join(f",{_escape(name, ',= ')}={_escape(value, ',= ')}" for name, value in point.tags)
    fields = ",".join(f"{_escape(name, ',= ')}={_encode_value(v)}" for name, v in point.fields.items())
    return f"{measurement}{tags} {fields} {point.time}"


def _encode_value(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Unsigned():
            return f"{value}u"
        case int():
            return f"{value}i"
        case float():
            return repr(value)
    return f'"{_escape(value, chr(92) + chr(34))}"'


def _escape(text: str, characters: str) -> str:
    escapes: dict[str, Any] = {character: f"\\{character}" for character in characters}
    return text.translate(str.maketrans(escapes))
