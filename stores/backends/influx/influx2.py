"""The time-series store on InfluxDB 2: Flux through `influxdb-client`, every value bound.

A bucket is a database. `machine_id` has to be a tag. A field that was written with one type in one week and
with another in the next is accepted by the server, which then answers the older week's values only. Its CSV
leaves carriage returns out of texts, so that machines with one in their id are not found by it.
"""

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.dialect import Dialect
from influxdb_client.rest import ApiException

from stores.backends.influx import flux
from stores.backends.influx.flux import Row, Script
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
    Span,
    Value,
    Windows,
    in_chunks,
    too_many_points,
)

log = logging.getLogger(__name__)
MAX_MACHINES_PER_QUERY = 1000  # machines in a script
CATALOGUE_TTL_S = 30.0  # seconds that a catalogue is believed
THREAD_DECODE_BYTES = 1_000_000  # bytes of an answer that are read beside the event loop
DIALECT = Dialect(header=True, delimiter=",", annotations=["datatype"])  # type: ignore[no-untyped-call]
NO_BUCKET = "could not find bucket"  # any other 404 comes from something that is no InfluxDB
SAMPLES = f'keep(columns: ["{MACHINE}", "_field", "_time", "_value"])'
# What Flux calls each function; `quantile` so is the nearest rank.
FLUX = {name: name for name in ("mean", "min", "max", "sum", "count")} | {
    "stddev": '(tables=<-, column) => tables |> stddev(mode: "sample", column: column)',
    "quantile": '(tables=<-, column) => tables |> quantile(q: Q, method: "exact_selector", column: column)',
}


class Influx2SeriesStore(SeriesStore):
    """A server at `url`; `deadline` in seconds bounds every call, waiting for a connection included."""

    def __init__(self, url: str, token: str | None, org: str, *, deadline: float = 5.0) -> None:
        self._url, self._token, self._org = url, token or "", org
        self._deadline = deadline
        self._client: InfluxDBClientAsync | None = None
        self.known: dict[str, tuple[float, dict[str, dict[str, Kind]]]] = {}

    def database(self, name: str) -> "Influx2SeriesDatabase":
        return Influx2SeriesDatabase(self, name)

    async def ping(self) -> None:
        await self.query('buckets() |> limit(n: 1) |> keep(columns: ["name"])', {})

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def query(self, script: str, values: dict[str, str | bool | int | float]) -> list[Row]:
        """The rows of a script; none where the bucket does not exist. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._raw(script, values)
                if len(answer) > THREAD_DECODE_BYTES:
                    return await asyncio.to_thread(lambda: list(flux.rows(answer)))
                return list(flux.rows(answer))
        except TimeoutError:
            raise Unavailable("the time-series store does not answer in time") from None
        except ApiException as error:
            if error.status == 404 and NO_BUCKET in str(error.body):
                return []
            log.warning("InfluxDB 2: status %s: %s", error.status, str(error.body)[:500])
            raise Unavailable("the time-series store refuses to answer") from None
        except (aiohttp.ClientError, InfluxDBError, flux.FailedQuery, OSError) as error:
            log.warning("InfluxDB 2: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store does not answer") from None

    async def _raw(self, script: str, values: dict[str, str | bool | int | float]) -> str:
        try:
            api = self._opened().query_api()
            answer: str = await api.query_raw(script, dialect=DIALECT, params=values)
            return answer
        except UnicodeDecodeError as error:  # the server takes any bytes for a text
            return error.object.decode(errors="replace")

    def _opened(self) -> InfluxDBClientAsync:
        """The one client, made in the loop that uses it."""
        if self._client is None:
            # Its own deadline cancels the caller in the middle of a body: one around the call does not.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._deadline)
            self._client = InfluxDBClientAsync(self._url, self._token, self._org, timeout=timeout)
        return self._client


class Influx2SeriesDatabase(SeriesDatabase):
    """One bucket of the server."""

    def __init__(self, store: Influx2SeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> Catalogue:
        until, known = self._store.known.get(self.database, (0.0, {}))
        if until > time.monotonic():
            return known
        script = Script()
        text = script.reading(self.database, flux.EARLIEST, flux.LATEST, "true")
        text += ' |> last() |> keep(columns: ["_measurement", "_field", "_value"])'
        text += ' |> group(columns: ["_measurement", "_field"]) |> limit(n: 1)'
        found: defaultdict[str, dict[str, Kind]] = defaultdict(dict)
        for row in await self._store.query(text, script.values):
            found[row.columns["_measurement"]][row.columns["_field"]] = row.kind
        # An empty bucket is asked again: it is about to be written to.
        if found:
            self._store.known[self.database] = time.monotonic() + CATALOGUE_TTL_S, dict(found)
        return dict(found)

    async def latest(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str], before: int = END_OF_TIME
    ) -> dict[str, dict[str, Sample]]:
        def ask(script: Script, chunk: Sequence[str] | None) -> str:
            condition = script.fields(measurement, fields) + script.machines(chunk)
            return f"{script.reading(self.database, flux.EARLIEST, before, condition)} |> last() |> {SAMPLES}"

        found: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
        for row in await self._ask(machines, ask):
            sample, of_machine = Sample(row.time, row.value), found[row.columns[MACHINE]]
            name = row.columns["_field"]
            of_machine[name] = max(of_machine.get(name, sample), sample)
        return dict(found)

    async def points(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        start: int,
        stop: int,
        limit: int,
    ) -> dict[str, dict[str, list[Sample]]]:
        def ask(script: Script, chunk: Sequence[str] | None) -> str:
            condition = script.fields(measurement, fields) + script.machines(chunk)
            return f"{script.reading(self.database, start, stop, condition)} |> {SAMPLES}"

        # Counted first, because a limit of the server's is one of each series.
        held = await self.counts([Source(measurement, name) for name in fields], machines, start, stop)
        if sum(held.values()) > limit:
            raise too_many_points(limit)
        found: dict[str, dict[str, list[Sample]]] = {}
        for row in await self._ask(machines, ask) if held else ():
            of_machine = found.setdefault(row.columns[MACHINE], {})
            of_machine.setdefault(row.columns["_field"], []).append(Sample(row.time, row.value))
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
        held = (await self.catalogue()).get(measurement, {})
        kinds = {name: held[name] for name in fields if name in held}
        if aggregate.function in NUMERIC:
            kinds = {name: kind for name, kind in kinds.items() if kind != "string"}
        spans = [span for span in windows.spans() if span.start < windows.stop and span.stop > windows.start]
        if not kinds or not spans:
            return {}

        def ask(script: Script, chunk: Sequence[str] | None) -> str:
            parts = []
            for i, span in enumerate(spans):
                start, stop = max(span.start, windows.start), min(span.stop, windows.stop)
                for whole in (True, False):  # integers and others apart: one table holds values of one kind
                    names = [n for n, kind in kinds.items() if (kind in ("integer", "boolean")) is whole]
                    if names:
                        condition = script.fields(measurement, names) + script.machines(chunk)
                        reading = script.reading(self.database, start, stop, condition)
                        parts += _aggregating(reading, aggregate, span, f"{i}.{whole:d}", whole)
            return "\n".join(['import "bitwise"', *parts])

        cells = _Cells(aggregate)
        for row in await self._ask(machines, ask):
            span, _, _ = row.columns["result"].strip("hl").partition(".")
            cells.add(row, spans[int(span)])
        return cells.found()

    async def last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        if machines is None:
            # As many values as are asked for are no older than the newest ones of as many series.
            heads = await self._last(sources, None, 1, start, stop)
            start = heads[limit - 1].time if len(heads) >= limit > 0 else start
        found = await self._last(sources, machines, limit, start, stop)
        if machines is None:
            return found[:limit]
        by_machine: defaultdict[str, list[Occurrence]] = defaultdict(list)
        for occurrence in found:
            by_machine[occurrence.machine or ""].append(occurrence)
        return [each for machine in sorted(by_machine) for each in by_machine[machine][:limit]]

    async def _last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        """The last values of each series, newest first."""
        places = {(source.measurement, source.field): place for place, source in enumerate(sources)}
        tags = sorted({tag for source in sources for tag in source.tags} - {MACHINE})

        def ask(script: Script, chunk: Sequence[str] | None) -> str:
            condition = f"({script.sources(sources)}){script.machines(chunk)}"
            reading = script.reading(self.database, start, stop, condition)
            newest = (
                "last()" if limit == 1 else f'sort(columns: ["_time"], desc: true) |> limit(n: {int(limit)})'
            )
            names = ["_measurement", "_field", "_time", "_value", MACHINE, *tags]
            return f"{reading} |> {newest} |> keep(columns: [{', '.join(map(flux.quoted, names))}])"

        found = []
        for row in await self._ask(machines, ask):
            place = places[row.columns["_measurement"], row.columns["_field"]]
            told = tuple(row.columns.get(tag) or None for tag in sources[place].tags)
            found.append(Occurrence(row.time, row.machine, place, row.value, told))
        found.sort(key=lambda each: (-each.time, each.source, each.machine is not None, each.machine or ""))
        return found

    async def counts(
        self, sources: Sequence[Source], machines: Sequence[str] | None, start: int, stop: int
    ) -> dict[str | None, int]:
        def ask(script: Script, chunk: Sequence[str] | None) -> str:
            condition = f"({script.sources(sources)}){script.machines(chunk)}"
            reading = script.reading(self.database, start, stop, condition)
            return f'{reading} |> count() |> keep(columns: ["{MACHINE}", "_value"])'

        found: defaultdict[str | None, int] = defaultdict(int)
        for row in await self._ask(machines, ask):
            found[None if machines is None else row.machine] += row.value
        return {None: found[None]} if machines is None else dict(found)

    async def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> set[str | None]:
        kinds: dict[type, Kind] = {bool: "boolean", int: "integer", float: "float", str: "string"}
        if (await self.catalogue()).get(measurement, {}).get(field) != kinds[type(value)]:
            return set()

        def ask(script: Script, _: Sequence[str] | None) -> str:
            condition = f"{script.fields(measurement, [field])} and r._value == {script.value(value)}"
            reading = script.reading(self.database, start, stop, condition)
            return f'{reading} |> last() |> keep(columns: ["{MACHINE}", "_value"])'

        return {row.machine for row in await self._ask(None, ask)}

    async def _ask(
        self, machines: Sequence[str] | None, ask: Callable[[Script, Sequence[str] | None], str]
    ) -> list[Row]:
        """The rows of a script, run once for each thousand machines."""
        if machines is not None:
            machines = [name for name in machines if "\r" not in name]
        calls = []
        for chunk in in_chunks(machines, MAX_MACHINES_PER_QUERY):
            script = Script()
            text = ask(script, chunk)
            calls.append(self._store.query(text, script.values))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [row for answer in answers if not isinstance(answer, BaseException) for row in answer]


def _aggregating(reading: str, asked: Aggregation, span: Span, name: str, whole: bool) -> list[str]:
    """The scripts for the windows of one span; sums of integers, which may be long, come in halves."""
    every = f"every: {span.width}ns, offset: {span.start % span.width}ns"
    if asked.function in ("first", "last"):
        columns = f'keep(columns: ["{MACHINE}", "_field", "_time", "_value", "_start"])'
        windowed = f"window({every}) |> {asked.function}() |> {columns}"
        return [f'{reading} |> {windowed} |> yield(name: "{name}")']
    together = f'group(columns: ["{MACHINE}", "_field"])'
    function = FLUX[asked.function].replace("Q", f"{float(asked.q or 0.0):.20f}")
    windowed = f'aggregateWindow({every}, fn: {function}, createEmpty: false, timeSrc: "_start")'
    if asked.function == "count":
        return [f'{reading} |> {together} |> {windowed} |> yield(name: "{name}")']
    if whole:
        reading += " |> toInt()"
    if asked.function == "sum" and whole:
        halves = {"h": "bitwise.srshift(a: r._value, b: 32)", "l": "bitwise.sand(a: r._value, b: 4294967295)"}
        return [
            f"{reading} |> map(fn: (r) => ({{r with _value: {half}}})) |> {together} |> {windowed}"
            f' |> yield(name: "{prefix}{name}")'
            for prefix, half in halves.items()
        ]
    if asked.function in ("mean", "stddev", "quantile") and whole:
        reading += " |> toFloat()"
    return [f'{reading} |> {together} |> {windowed} |> yield(name: "{name}")']


class _Cells:
    """The windows of an answer, put together from its rows."""

    def __init__(self, asked: Aggregation) -> None:
        self._function = asked.function
        self._values: dict[tuple[str, str], dict[int, Value]] = {}
        self._times: dict[tuple[str, str, int], tuple[int, Value]] = {}  # of `first` and `last`

    def add(self, row: Row, span: Span) -> None:
        key = row.columns[MACHINE], row.columns["_field"]
        edged = self._function in ("first", "last")
        at = flux.nanoseconds(row.columns["_start" if edged else "_time"])
        number = span.number + (at - span.start) // span.width
        cells = self._values.setdefault(key, {})
        value = row.value
        if edged:  # each series tells its own; of one time, the greatest
            seen = self._times.get((*key, number))
            mine = row.time, value
            earlier = seen is not None and (mine[0] < seen[0]) == (self._function == "first")
            if seen is None or (mine[0] != seen[0] and earlier) or (mine[0] == seen[0] and value > seen[1]):
                self._times[*key, number] = mine
                cells[number] = value
        elif row.columns["result"][0] in "hl":
            half = value << 32 if row.columns["result"][0] == "h" else value
            cells[number] = int(cells.get(number, 0)) + half
        elif not (isinstance(value, float) and math.isnan(value)):  # the deviation of one value
            cells[number] = value

    def found(self) -> dict[str, dict[str, list[tuple[int, Value]]]]:
        found: dict[str, dict[str, list[tuple[int, Value]]]] = {}
        for (machine, name), cells in self._values.items():
            if cells:
                found.setdefault(machine, {})[name] = sorted(cells.items())
        return found
