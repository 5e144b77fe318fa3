"""The time-series store on InfluxDB 2: Flux with bound values.

A bucket is a database, and `machine_id` has to be a tag. The server accepts a field that is written with one
type in one week and with another type in the next, and then returns only the values of the older week. Its
CSV loses carriage returns in strings, so machines with one in their id are never found.
"""

from asyncio import gather
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from stores.backends.influx import flux
from stores.backends.influx.annotated_csv import Row
from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.flux import Script
from stores.backends.influx.influx2_areas import collect_areas, select_areas, split_spans
from stores.backends.influx.influx2_changes import (
    DROP_RANGE,
    MAX_STRINGS,
    add_first_samples,
    select_changes,
    select_first_samples,
    select_strings,
)
from stores.backends.influx.influx2_client import NAME, Influx2Client
from stores.backends.influx.influx2_extents import join_extents, make_extents_script
from stores.backends.influx.influx2_sources import (
    LAST_MACHINES,
    narrow_values,
    parse_occurrences,
    select_machines,
    select_newest,
)
from stores.backends.influx.influx2_windows import SAMPLED_FUNCTIONS, CellCollector, aggregate_script
from stores.backends.influx.store import InfluxSeriesStore
from stores.backends.influx.transport import collect, query_in_chunks, reading
from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.errors import make_too_many_changes_error, make_too_many_points_error
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.neighbours import join_neighbours
from stores.contracts.occurrences import (
    find_stop,
    group_by_machine,
    make_occurrence_order,
    take_page,
)
from stores.contracts.repeats import drop_all_repeats
from stores.contracts.samples import (
    END_OF_TIME,
    MACHINE,
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Neighbours,
    Occurrence,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series import SeriesDatabase
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Span, Windows

KEEP_SAMPLES = f'keep(columns: ["{MACHINE}", "_field", "_time", "_value"])'
KEEP_VALUES = f'keep(columns: ["{MACHINE}", "_value"])'


class Influx2SeriesStore(InfluxSeriesStore):
    """A server of InfluxDB 2 at `url`."""

    def __init__(self, url: str, token: str | None, org: str) -> None:
        self.client = Influx2Client(url, token, org)
        super().__init__(self.client)

    def database(self, name: str) -> "Influx2SeriesDatabase":
        return Influx2SeriesDatabase(self, name)

    async def _read_catalogue(self, database: str) -> DatabaseCatalogue:
        script = Script(database)
        text = script.read(flux.EARLIEST, flux.LATEST, "true")
        text += ' |> last() |> keep(columns: ["_measurement", "_field", "_value"])'
        text += ' |> group(columns: ["_measurement", "_field"]) |> limit(n: 1)'
        catalogue = DatabaseCatalogue()
        rows = await self.client.query(text, script.values, database)
        with reading(NAME):
            for row in rows:
                catalogue.fields.setdefault(row.columns["_measurement"], {})[row.columns["_field"]] = row.kind
        return catalogue


class Influx2SeriesDatabase(SeriesDatabase):
    """One bucket of the server."""

    sampled_functions = SAMPLED_FUNCTIONS

    def __init__(self, store: Influx2SeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> Catalogue:
        return (await self._store.catalogues.get(self.database)).fields

    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        rows = await self._query(
            query.machines, lambda script, chunk: make_extents_script(script, query, chunk)
        )
        with reading(NAME):
            return join_extents(rows, limit)

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        rows = await self._query(
            query.machines,
            lambda script, chunk: f"{script.read_series(query, chunk)} |> last() |> {KEEP_SAMPLES}",
        )
        latest: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
        with reading(NAME):
            for row in rows:
                sample, field = Sample(row.time, row.value), row.columns["_field"]
                by_field = latest[row.columns[MACHINE]]
                by_field[field] = max(by_field.get(field, sample), sample)
        return dict(latest)

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        # They are counted first, because a limit in the script would be one for each series.
        sources = [Source(query.measurement, field, where=query.where) for field in query.fields]
        counts = await self.counts(SourceQuery(sources, query.machines, query.start, query.stop))
        if sum(counts.values()) > limit:
            raise make_too_many_points_error(limit)
        if not counts:
            return {}
        rows = await self._query(
            query.machines, lambda script, chunk: f"{script.read_series(query, chunk)} |> {DROP_RANGE}"
        )
        return await collect(NAME, rows, lambda: _collect_samples(rows))

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        catalogue = await self._store.catalogues.get(self.database)
        kinds = catalogue.kinds(query.measurement, query.fields)
        fields = [name for name, kind in kinds.items() if kind == "string"]
        strings = await self._query(
            query.machines if fields else [],
            lambda script, chunk: select_strings(script, query, fields, chunk),
        )
        texts = await collect(NAME, strings, lambda: sorted({row.value for row in strings})[:MAX_STRINGS])
        rows = await self._query(
            query.machines if kinds else [],
            lambda script, chunk: select_changes(script, query, kinds, chunk, texts, limit + 1),
        )
        changes = await collect(NAME, rows, lambda: drop_all_repeats(_collect_samples(rows)))
        if period is not None and changes:
            first_rows = await self._query(
                query.machines, lambda script, chunk: select_first_samples(script, query, chunk, period)
            )
            changes = await collect(
                NAME, first_rows, lambda: add_first_samples(changes, _collect_samples(first_rows))
            )
        if (
            sum(len(c) for fields in changes.values() for tags in fields.values() for c in tags.values())
            > limit
        ):
            raise make_too_many_changes_error(limit)
        return changes

    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        before = replace(query, start=-END_OF_TIME, stop=query.start)
        after = replace(query, start=query.stop, stop=END_OF_TIME)

        def make(script: Script, chunk: Sequence[str] | None) -> str:
            last = f'{script.read_series(before, chunk)} |> last() |> {DROP_RANGE} |> yield(name: "before")'
            if query.stop >= END_OF_TIME:
                return last
            first = f'{script.read_series(after, chunk)} |> first() |> {DROP_RANGE} |> yield(name: "after")'
            return f"{last}\n{first}"

        edges: dict[str, ByMachine[ByTags[Sample]]] = {"before": {}, "after": {}}
        rows = await self._query(query.machines, make)
        with reading(NAME):
            for row in rows:
                by_field = edges[row.columns["result"]].setdefault(row.columns[MACHINE], {})
                by_field.setdefault(row.columns["_field"], {})[row.tags] = Sample(row.time, row.value)
        return join_neighbours(edges["before"], edges["after"])

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        catalogue = await self._store.catalogues.get(self.database)
        kinds = catalogue.find_kinds_for(query.measurement, query.fields, aggregation.function)
        spans = _list_spans(windows, query)
        if not kinds or not spans:
            return {}
        rows = await self._query(
            query.machines,
            lambda script, chunk: aggregate_script(script, query, kinds, chunk, spans, aggregation),
        )
        return await collect(NAME, rows, lambda: CellCollector(aggregation, spans).collect(rows))

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        catalogue = await self._store.catalogues.get(self.database)
        kinds = catalogue.find_kinds_for(query.measurement, query.fields, "sum")
        spans = split_spans(_list_spans(windows, query))
        if not kinds or not spans:
            return {}
        rows = await self._query(
            query.machines,
            lambda script, chunk: select_areas(script, query, kinds, chunk, spans, rule),
        )
        return await collect(NAME, rows, lambda: collect_areas(rows, spans))

    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        return list(await gather(*(self._read_page(query, limit) for query in queries)))

    async def _read_page(self, query: SourceQuery, limit: int) -> list[Occurrence]:
        # None of the last `limit` values is older than the newest values of `limit` series.
        stop = query.stop if query.after is None else min(query.stop, query.after.time)
        heads = await self._read_newest(replace(query, stop=stop), 1)
        start = heads[limit - 1].time if len(heads) >= limit > 0 else query.start
        newest = replace(query, start=start, stop=find_stop(query))
        # No series has two values of the time of the position.
        return take_page(await self._read_newest(newest, limit + (query.after is not None)), query, limit)

    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        return group_by_machine(await self._read_newest(query, limit), limit)

    async def _read_newest(self, query: SourceQuery, limit: int) -> list[Occurrence]:
        """Return the last `limit` values of each series, in the order of `last`."""
        query = await self._select_values(query)
        rows = await self._query(
            query.machines, lambda script, chunk: select_newest(script, query, chunk, limit)
        )
        return await collect(
            NAME, rows, lambda: sorted(parse_occurrences(rows, query), key=make_occurrence_order)
        )

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        query = await self._select_values(query)
        rows = await self._query(
            query.machines,
            lambda script, chunk: f"{script.read_sources(query, chunk)} |> count() |> {KEEP_VALUES}",
        )
        counts: defaultdict[str | None, int] = defaultdict(int)
        with reading(NAME):
            for row in rows:
                counts[None if query.machines is None else row.machine] += int(row.value)
        return {None: counts[None]} if query.machines is None else dict(counts)

    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        query = await self._select_values(query)
        rows = await self._query(
            query.machines,
            lambda script, chunk: f"{script.read_sources(query, chunk)} |> {LAST_MACHINES}",
        )
        return {row.machine for row in rows}

    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        rows = await self._query(None, lambda script, _: select_machines(script, start, stop, where))
        return {row.machine for row in rows if row.machine is not None}

    async def _select_values(self, query: SourceQuery) -> SourceQuery:
        """Return a query whose sources request only values of the kinds of their fields."""
        if all(source.values is None for source in query.sources):
            return query
        return narrow_values(query, (await self._store.catalogues.get(self.database)).fields)

    async def _query(
        self, machines: Sequence[str] | None, make: Callable[[Script, Sequence[str] | None], str]
    ) -> list[Row]:
        """Return the rows of the script that `make` returns for some machines."""
        if machines is not None:
            machines = [name for name in machines if "\r" not in name]

        async def send(chunk: Sequence[str] | None) -> list[Row]:
            script = Script(self.database)
            text = make(script, chunk)
            return await self._store.client.query(text, script.values, self.database)

        return await query_in_chunks(machines, send)


def _collect_samples(rows: Iterable[Row]) -> ByMachine[ByTags[list[Sample]]]:
    """Return the samples of rows, oldest first."""
    points: ByMachine[ByTags[list[Sample]]] = {}
    for row in rows:
        by_tags = points.setdefault(row.columns[MACHINE], {}).setdefault(row.columns["_field"], {})
        by_tags.setdefault(row.tags, []).append(Sample(row.time, row.value))
    for by_field in points.values():
        for by_tags in by_field.values():
            for samples in by_tags.values():
                samples.sort()
    return points


def _list_spans(windows: Windows, query: SeriesQuery) -> list[Span]:
    """Return the spans of windows that the range of a query is in."""
    return [span for span in windows.spans() if span.start < query.stop and span.stop > query.start]
