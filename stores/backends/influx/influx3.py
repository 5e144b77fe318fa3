"""The time-series store on InfluxDB 3: SQL with bound values.

Names of measurements, fields and tags come from the server's own catalogue and are quoted; a name that is not
in it is empty, and no query is sent for it. Integer literals in a statement are the gateway's own.
"""

import logging
from asyncio import gather
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from stores.backends.influx import sql, sql_sources
from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.influx3_client import NAME, Influx3Client, Rows, SchemaChanged
from stores.backends.influx.influx3_extents import read_extents
from stores.backends.influx.influx3_neighbours import read_neighbours
from stores.backends.influx.influx3_samples import collect_samples
from stores.backends.influx.sql_areas import collect_areas, select_areas
from stores.backends.influx.sql_changes import select_changes
from stores.backends.influx.sql_windows import collect_cells, select_windows
from stores.backends.influx.store import InfluxSeriesStore
from stores.backends.influx.transport import REFUSED, collect, query_in_chunks, reading
from stores.backends.influx.values import CHECK, PARSE, TYPES, check_integer, check_string
from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.errors import Unavailable, make_too_many_changes_error, make_too_many_points_error
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.occurrences import group_by_machine, make_occurrence_order, take_page
from stores.contracts.repeats import drop_all_repeats
from stores.contracts.samples import (
    MACHINE,
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Kind,
    Neighbours,
    Occurrence,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series import SeriesDatabase
from stores.contracts.series_queries import Aggregation, SeriesQuery, SourceQuery, Windows

log = logging.getLogger(__name__)
ARROW_KINDS: dict[str, Kind] = {
    "Int64": "integer",
    "UInt64": "unsigned",
    "Float64": "float",
    "Boolean": "boolean",
    "Utf8": "string",
}
# Makes the statement for some machines from the catalogue; None if nothing that it needs exists.
MakeStatement = Callable[[DatabaseCatalogue, Sequence[str] | None], sql.Statement | None]
# Makes the statement for the samples of fields by machines and tags, at most as many as its last argument.
SelectSamples = Callable[
    [SeriesQuery, Mapping[str, Kind], Sequence[str] | None, Sequence[str], int], sql.Statement
]


class Influx3SeriesStore(InfluxSeriesStore):
    """A server of InfluxDB 3 at `url`."""

    def __init__(self, url: str, token: str | None) -> None:
        self.client = Influx3Client(url, token)
        super().__init__(self.client)

    def database(self, name: str) -> "Influx3SeriesDatabase":
        return Influx3SeriesDatabase(self, name)

    async def _read_catalogue(self, database: str) -> DatabaseCatalogue:
        catalogue = DatabaseCatalogue()
        rows = await self.client.query(database, sql.CATALOGUE, {})
        with reading(NAME):
            for row in rows:
                measurement, column, kind = row["table_name"], row["column_name"], row["data_type"]
                if kind.startswith("Dictionary"):
                    catalogue.tags.setdefault(measurement, set()).add(column)
                elif kind in ARROW_KINDS:
                    catalogue.fields.setdefault(measurement, {})[column] = ARROW_KINDS[kind]
        return catalogue


class Influx3SeriesDatabase(SeriesDatabase):
    """One database of the server."""

    def __init__(self, store: Influx3SeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> Catalogue:
        return (await self._store.catalogues.get(self.database)).fields

    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        catalogue = await self._store.catalogues.get(self.database)
        return await read_extents(self._query, catalogue, query, limit)

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            kinds = catalogue.kinds(query.measurement, query.fields)
            return sql.select_latest(query, kinds, machines) if kinds else None

        catalogue, rows = await self._query(query, make)
        by_row: list[dict[str, Sample]] = [{} for _ in rows]
        with reading(NAME):
            for i, (name, kind) in enumerate(catalogue.kinds(query.measurement, query.fields).items()):
                time_key, value_key, type_, check = f"t{i}", f"v{i}", TYPES[kind], CHECK[kind]
                for row, samples in zip(rows, by_row, strict=True):
                    value: Any = row.get(value_key)
                    if value is not None:
                        time = row[time_key]
                        if type(time) is not int or type(value) is not type_:
                            time, value = check_integer(time), check(value)
                        samples[name] = Sample(time, value)
            return _merge_latest((row["m"], samples) for row, samples in zip(rows, by_row, strict=True))

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        points, count = await self._read_samples(query, limit, sql.select_points)
        if count > limit:
            raise make_too_many_points_error(limit)
        return points

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        changes, count = await self._read_samples(query, limit, partial(select_changes, period=period))
        if count > limit:
            raise make_too_many_changes_error(limit)
        # The server tells apart what is equal here: 0.0 and -0.0.
        return await collect(NAME, range(count), lambda: drop_all_repeats(changes, period))

    async def _read_samples(
        self, query: SeriesQuery, limit: int, select: SelectSamples
    ) -> tuple[ByMachine[ByTags[list[Sample]]], int]:
        """Return the samples of a statement, and their number: if it is over `limit`, some are missing."""

        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            kinds, tags = (
                catalogue.kinds(query.measurement, query.fields),
                catalogue.list_tags(query.measurement),
            )
            return select(query, kinds, machines, tags, limit + 1) if kinds else None

        catalogue, rows = await self._query(query, make)
        kinds = catalogue.kinds(query.measurement, query.fields)
        tags = catalogue.list_tags(query.measurement)
        return await collect(NAME, rows, lambda: collect_samples(rows, kinds, tags))

    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        return await read_neighbours(self._query, query)

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        def find_tags(catalogue: DatabaseCatalogue) -> list[str]:
            return [tag for tag in catalogue.list_tags(query.measurement) if tag in aggregation.by]

        def find_kinds(catalogue: DatabaseCatalogue) -> dict[str, Kind]:
            return catalogue.find_kinds_for(query.measurement, query.fields, aggregation.function)

        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            kinds = find_kinds(catalogue)
            tags = find_tags(catalogue)
            return select_windows(query, kinds, machines, windows, aggregation, tags) if kinds else None

        catalogue, rows = await self._query(query, make)
        kinds, tags = find_kinds(catalogue), find_tags(catalogue)
        return await collect(
            NAME, rows, lambda: collect_cells(rows, kinds, tags, windows, aggregation.function)
        )

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        def find(catalogue: DatabaseCatalogue) -> tuple[dict[str, Kind], list[str]]:
            kinds = catalogue.find_kinds_for(query.measurement, query.fields, "sum")
            return kinds, catalogue.list_tags(query.measurement)

        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            kinds, tags = find(catalogue)
            return select_areas(query, kinds, machines, tags, windows, rule) if kinds else None

        catalogue, rows = await self._query(query, make)
        return await collect(NAME, rows, lambda: collect_areas(rows, *find(catalogue), windows))

    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        return list(await gather(*(self._read_page(query, limit) for query in queries)))

    async def _read_page(self, query: SourceQuery, limit: int) -> list[Occurrence]:
        occurrences = await self._read_occurrences(query, sql_sources.select_last, limit)
        return take_page(sorted(occurrences, key=make_occurrence_order), query, limit)

    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        occurrences = await self._read_occurrences(query, sql_sources.select_last_by_machine, limit)
        return group_by_machine(occurrences, limit)

    async def _read_occurrences(
        self, query: SourceQuery, select: Callable[..., sql.Statement], limit: int
    ) -> list[Occurrence]:
        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            branches = sql_sources.list_branches(catalogue, query)
            return select(query, branches, machines, limit) if branches else None

        catalogue, rows = await self._query(query, make)
        return await collect(NAME, rows, lambda: _parse_occurrences(rows, query, catalogue))

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            branches = sql_sources.list_branches(catalogue, query)
            return sql_sources.select_counts(query, branches, machines) if branches else None

        _, rows = await self._query(query, make)
        counts: defaultdict[str | None, int] = defaultdict(int)
        with reading(NAME):
            for row in rows:
                counts[None if query.machines is None else row.get("m")] += check_integer(row["n"])
        if query.machines is None:
            return {None: counts[None]}
        return {machine: count for machine, count in counts.items() if count}

    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> sql.Statement | None:
            branches = sql_sources.list_branches(catalogue, query)
            return sql_sources.select_machines_with(query, branches, machines) if branches else None

        _, rows = await self._query(query, make)
        return {row.get("m") for row in rows}

    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        def make(catalogue: DatabaseCatalogue, _: Sequence[str] | None) -> sql.Statement | None:
            return sql_sources.select_machines(catalogue, start, stop, where)

        _, rows = await self._query(SourceQuery((), None, start, stop), make)
        with reading(NAME):
            return {check_string(row["m"]) for row in rows}

    async def _query(
        self, query: SeriesQuery | SourceQuery | ExtentQuery, make: MakeStatement
    ) -> tuple[DatabaseCatalogue, Rows]:
        """Return the rows of a statement, and the catalogue that it was made from.

        If the server's schema has changed, the catalogue is read again and the statement sent a second time.
        """
        for refresh in (False, True):
            catalogue = await self._store.catalogues.get(self.database, refresh=refresh)
            if isinstance(query, SeriesQuery) and not all(
                catalogue.has_column(query.measurement, tag) for tag in (MACHINE, *dict(query.where))
            ):
                return catalogue, []

            async def send(chunk: Sequence[str] | None, catalogue: DatabaseCatalogue = catalogue) -> Rows:
                statement = make(catalogue, chunk)
                return await self._store.client.query(self.database, *statement) if statement else []

            try:
                return catalogue, await query_in_chunks(query.machines, send)
            except SchemaChanged:
                log.info("InfluxDB 3: the schema of a database has changed")
        raise Unavailable(REFUSED)


def _parse_occurrences(rows: Rows, query: SourceQuery, catalogue: DatabaseCatalogue) -> list[Occurrence]:
    occurrences = []
    for row in rows:
        source = query.sources[row["s"]]
        parse = PARSE[catalogue.fields[source.measurement][source.field]]
        tags = tuple(row.get(f"g{i}") for i in range(len(source.tags)))
        occurrences.append(Occurrence(check_integer(row["t"]), row.get("m"), row["s"], parse(row["v"]), tags))
    return occurrences


def _merge_latest(rows: Iterable[tuple[str, dict[str, Sample]]]) -> ByMachine[Sample]:
    """Return the samples by machine; if a machine has several rows, the newest of each field."""
    latest: ByMachine[Sample] = {}
    for machine, samples in rows:
        if machine in latest:
            by_field = latest[machine]
            for name, sample in samples.items():
                by_field[name] = max(by_field.get(name, sample), sample)
        elif samples:
            latest[machine] = samples
    return latest
