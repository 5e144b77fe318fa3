"""The time-series store on InfluxDB 3: SQL over HTTP, every value bound.

HTTP rather than Flight: it is the same engine and the same SQL, and needs an HTTP client where Flight needs
pyarrow (170 MB). Hosted and clustered editions, which offer Flight alone, are not supported.

Names of measurements, fields and tags come from the server's own catalogue and are quoted; a name that is not
in it is empty, and no query is sent for it. Integers that stand in a statement are the gateway's.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import orjson

from stores.backends.influx import sql
from stores.contracts.errors import Unavailable
from stores.contracts.series import (
    END_OF_TIME,
    MACHINE,
    NUMERIC,
    Aggregation,
    Catalogue,
    Kind,
    Occurrence,
    Sample,
    SeriesDatabase,
    SeriesStore,
    Source,
    Value,
    Windows,
    in_chunks,
    too_many_points,
)

T = TypeVar("T")
Rows = list[dict[str, Any]]
log = logging.getLogger(__name__)
MAX_MACHINES_PER_QUERY = 1000  # machines in a statement
CATALOGUE_TTL_S = 30.0  # seconds that a catalogue is believed
THREAD_DECODE_BYTES = 1_000_000  # bytes of an answer that are read beside the event loop
KINDS: dict[str, Kind] = {
    "Int64": "integer",
    "UInt64": "integer",
    "Float64": "float",
    "Boolean": "boolean",
    "Utf8": "string",
}
PYTHON: dict[Kind, Callable[[Any], Value]] = {
    "integer": int,
    "float": float,
    "boolean": lambda value: value if isinstance(value, bool) else value == "true",
    "string": str,
}


class SchemaChanged(Exception):
    """A statement names what the server does not have: the catalogue is out of date."""


@dataclass(slots=True)
class Known:
    """What a database is known to hold: fields with their kinds, and tags, by measurement."""

    fields: dict[str, dict[str, Kind]] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    until: float = 0.0

    def columns(self, measurement: str) -> set[str]:
        return self.tags.get(measurement, set()) | set(self.fields.get(measurement, ()))


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class Influx3SeriesStore(SeriesStore):
    """A server at `url`; `deadline` in seconds bounds every call, waiting for a connection included."""

    def __init__(self, url: str, token: str | None, *, deadline: float = 5.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client: aiohttp.ClientSession | None = None
        self._deadline = deadline
        self.known: dict[str, Known] = {}
        self.reading: dict[str, asyncio.Task[Known]] = {}

    def database(self, name: str) -> "Influx3SeriesDatabase":
        return Influx3SeriesDatabase(self, name)

    async def ping(self) -> None:
        reply = await self._send("GET", "/health")
        if reply.status != 200:
            raise self._unavailable(reply)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def query(self, database: str, statement: str, values: Mapping[str, Any]) -> Rows:
        """The rows of a statement; none where the database does not exist.

        Raises `SchemaChanged` and `Unavailable`.
        """
        body = {"db": database, "q": statement, "format": "json", "params": dict(values)}
        headers = {"Content-Type": "application/json"}
        reply = await self._send("POST", "/api/v3/query_sql", data=orjson.dumps(body), headers=headers)
        if reply.status == 200:
            if len(reply.content) > THREAD_DECODE_BYTES:
                return await asyncio.to_thread(_rows, reply.content)
            return _rows(reply.content)
        if reply.status == 404 and "database not found" in reply.text:
            return []
        if reply.status in (400, 500) and any(each in reply.text for each in sql.SCHEMA_ERRORS):
            raise SchemaChanged
        raise self._unavailable(reply)

    async def _send(self, method: str, path: str, **options: Any) -> Reply:
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._opened().request(
                    method, self._url + path, allow_redirects=False, **options
                ) as response,
            ):
                return Reply(response.status, await response.read())
        except TimeoutError:
            raise Unavailable("the time-series store does not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("InfluxDB 3: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store does not answer") from None

    def _opened(self) -> aiohttp.ClientSession:
        """The one client, made in the loop that uses it."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=50),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._deadline),
            )
        return self._client

    def _unavailable(self, reply: Reply) -> Unavailable:
        log.warning("InfluxDB 3: status %d: %s", reply.status, reply.text[:500])
        if "file limit" in reply.text:
            return Unavailable("the time-series store would have to read too much: ask for a shorter range")
        return Unavailable("the time-series store refuses to answer")


def _rows(content: bytes) -> Rows:
    rows: Rows = orjson.loads(content)
    return rows


class Influx3SeriesDatabase(SeriesDatabase):
    """One database of the server."""

    def __init__(self, store: Influx3SeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> Catalogue:
        return (await self._known()).fields

    async def latest(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str], before: int = END_OF_TIME
    ) -> dict[str, dict[str, Sample]]:
        def ask(known: Known, chunk: Sequence[str] | None) -> sql.Statement | None:
            present = self._present(known, measurement, fields)
            return sql.latest(measurement, present, chunk, before) if present else None

        known, rows = await self._ask(measurement, machines, ask)
        present = self._present(known, measurement, fields)
        by_row: list[dict[str, Sample]] = [{} for _ in rows]
        for i, (name, kind) in enumerate(present.items()):
            time_key, value_key, convert = f"t{i}", f"v{i}", PYTHON[kind]
            for row, samples in zip(rows, by_row, strict=True):
                value = row.get(value_key)
                if value is not None:
                    samples[name] = Sample(row[time_key], convert(value))
        return {row["m"]: samples for row, samples in zip(rows, by_row, strict=True) if samples}

    async def points(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        start: int,
        stop: int,
        limit: int,
    ) -> dict[str, dict[str, list[Sample]]]:
        def ask(known: Known, chunk: Sequence[str] | None) -> sql.Statement | None:
            present = self._present(known, measurement, fields)
            return sql.points(measurement, present, chunk, start, stop, limit + 1) if present else None

        found: dict[str, dict[str, list[Sample]]] = {}
        known, rows = await self._ask(measurement, machines, ask)
        present = self._present(known, measurement, fields)
        told = 0
        for row in rows:
            for i, (name, kind) in enumerate(present.items()):
                value = row.get(f"v{i}")
                if value is not None:
                    told += 1
                    samples = found.setdefault(row["m"], {}).setdefault(name, [])
                    samples.append(Sample(row["t"], PYTHON[kind](value)))
        if told > limit:
            raise too_many_points(limit)
        for by_field in found.values():
            for samples in by_field.values():
                samples.sort()
        return found

    async def windows(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        windows: Windows,
        aggregate: Aggregation,
    ) -> dict[str, dict[str, list[tuple[int, Value]]]]:
        def wanted(known: Known) -> dict[str, Kind]:
            present = self._present(known, measurement, fields)
            texts = aggregate.function not in NUMERIC
            return {name: kind for name, kind in present.items() if texts or kind != "string"}

        def ask(known: Known, chunk: Sequence[str] | None) -> sql.Statement | None:
            asked = wanted(known)
            return sql.windows(measurement, asked, chunk, windows, aggregate) if asked else None

        found: dict[str, dict[str, list[tuple[int, Value]]]] = {}
        known, rows = await self._ask(measurement, machines, ask)
        asked = wanted(known)
        for row in rows:
            for i, (name, kind) in enumerate(asked.items()):
                value = sql.aggregated(row, i, kind, aggregate.function)
                if value is not None:
                    found.setdefault(row["m"], {}).setdefault(name, []).append((row["n"], value))
        return found

    async def last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        def ask(known: Known, chunk: Sequence[str] | None) -> sql.Statement | None:
            branches = self._branches(known, sources, chunk)
            return sql.last(branches, chunk, limit, start, stop) if branches else None

        known, rows = await self._ask(None, machines, ask)
        return [
            Occurrence(
                row["t"],
                row.get("m"),
                row["s"],
                PYTHON[known.fields[sources[row["s"]].measurement][sources[row["s"]].field]](row["v"]),
                tuple(row.get(f"g{i}") for i in range(len(sources[row["s"]].tags))),
            )
            for row in rows
        ]

    async def counts(
        self, sources: Sequence[Source], machines: Sequence[str] | None, start: int, stop: int
    ) -> dict[str | None, int]:
        def ask(known: Known, chunk: Sequence[str] | None) -> sql.Statement | None:
            branches = self._branches(known, sources, chunk)
            return sql.counts(branches, chunk, start, stop) if branches else None

        _, rows = await self._ask(None, machines, ask)
        found: defaultdict[str | None, int] = defaultdict(int)
        for row in rows:
            found[row.get("m")] += row["n"]
        if machines is None:
            return {None: found[None]}
        return {machine: n for machine, n in found.items() if n}

    async def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> set[str | None]:
        def ask(known: Known, _: Sequence[str] | None) -> sql.Statement | None:
            kind = known.fields.get(measurement, {}).get(field)
            if kind is None or kind != sql.kind_of(value):
                return None
            branch = sql.Branch(0, measurement, field, MACHINE in known.columns(measurement))
            return sql.machines_with(branch, value, kind, start, stop)

        _, rows = await self._ask(None, None, ask)
        return {row.get("m") for row in rows}

    def _present(self, known: Known, measurement: str, fields: Sequence[str]) -> dict[str, Kind]:
        held = known.fields.get(measurement, {})
        return {name: held[name] for name in dict.fromkeys(fields) if name in held}

    def _branches(
        self, known: Known, sources: Sequence[Source], machines: Sequence[str] | None
    ) -> list[sql.Branch]:
        """The sources that the database has, as parts of a statement."""
        found = []
        for place, source in enumerate(sources):
            columns = known.columns(source.measurement)
            of_machine = MACHINE in columns
            if source.field not in known.fields.get(source.measurement, {}):
                continue
            if (machines is not None and not of_machine) or any(
                tag not in columns for tag, _ in source.where
            ):
                continue
            tags = tuple(tag if tag in columns else None for tag in source.tags)
            found.append(
                sql.Branch(place, source.measurement, source.field, of_machine, tags, tuple(source.where))
            )
        return found

    async def _ask(
        self,
        measurement: str | None,
        machines: Sequence[str] | None,
        ask: Callable[[Known, Sequence[str] | None], sql.Statement | None],
    ) -> tuple[Known, Rows]:
        """The rows of a statement, asked once for each thousand machines, and what it was made from."""
        known = await self._known()
        for fresh in (False, True):
            if fresh:
                known = await self._known(fresh=True)
            if machines is not None and measurement and MACHINE not in known.columns(measurement):
                return known, []
            statements = [ask(known, chunk) for chunk in in_chunks(machines, MAX_MACHINES_PER_QUERY)]
            try:
                lists = await _gathered(
                    [self._store.query(self.database, *each) for each in statements if each is not None]
                )
                return known, [row for rows in lists for row in rows]
            except SchemaChanged:
                log.info("InfluxDB 3: the catalogue of a database has changed")
        raise Unavailable("the time-series store refuses to answer")

    async def _known(self, *, fresh: bool = False) -> Known:
        """The catalogue, read again after half a minute; readers at the same time share one query."""
        store, name = self._store, self.database
        known = store.known.get(name)
        if known is not None and not fresh and known.until > time.monotonic():
            return known
        if name not in store.reading:
            store.reading[name] = asyncio.create_task(self._read_catalogue())
            store.reading[name].add_done_callback(lambda _: store.reading.pop(name, None))
        return await asyncio.shield(store.reading[name])

    async def _read_catalogue(self) -> Known:
        known = Known(until=time.monotonic() + CATALOGUE_TTL_S)
        for row in await self._store.query(self.database, sql.CATALOGUE, {}):
            measurement, column, kind = row["table_name"], row["column_name"], row["data_type"]
            if kind.startswith("Dictionary"):
                known.tags.setdefault(measurement, set()).add(column)
            elif kind in KINDS:
                known.fields.setdefault(measurement, {})[column] = KINDS[kind]
        self._store.known[self.database] = known
        return known


async def _gathered(calls: Sequence[Awaitable[T]]) -> list[T]:
    """All answers; the first failure once every call has ended, so that none is left behind."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return list(answers)  # type: ignore[arg-type]  # the exceptions were raised
