"""Which series machines have on InfluxDB 3: a statement for each measurement, and what its rows mean."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.influx3_client import NAME, Rows
from stores.backends.influx.sql import MACHINE_COLUMN, Statement
from stores.backends.influx.sql_values import BoundValues, quote
from stores.backends.influx.tag_sets import name_tags, read_tags
from stores.backends.influx.transport import reading
from stores.backends.influx.values import check_integer, check_string
from stores.contracts.extents import ExtentQuery, SeriesExtent, make_too_many_series_error
from stores.contracts.samples import MACHINE
from stores.contracts.series_queries import SeriesQuery, SourceQuery

MakeStatement = Callable[[DatabaseCatalogue, Sequence[str] | None], Statement | None]
QueryRows = Callable[
    [SeriesQuery | SourceQuery | ExtentQuery, MakeStatement], Awaitable[tuple[DatabaseCatalogue, Rows]]
]


def list_fields(catalogue: DatabaseCatalogue, query: ExtentQuery) -> dict[str, list[str]]:
    """Return by measurement the fields of a query that the database has."""
    fields: dict[str, list[str]] = {}
    for measurement, kinds in catalogue.fields.items():
        names = [name for name in kinds if query.fields is None or (measurement, name) in set(query.fields)]
        tags = (MACHINE, *dict(query.where))
        if names and all(catalogue.has_column(measurement, tag) for tag in tags):
            fields[measurement] = names
    return fields


def select_extents(
    query: ExtentQuery,
    measurement: str,
    fields: Sequence[str],
    tags: Sequence[str],
    machines: Sequence[str] | None,
    limit: int,
) -> Statement:
    """Return the statement for the first and the last time of each field by machine and tags."""
    bound = BoundValues()
    columns = [f"{MACHINE_COLUMN} AS m", *name_tags(tags)]
    for i, name in enumerate(map(quote, fields)):
        present = f"FILTER (WHERE {name} IS NOT NULL)"
        columns.append(f"CAST(min(time) {present} AS BIGINT) AS a{i}")
        columns.append(f"CAST(max(time) {present} AS BIGINT) AS z{i}")
    conditions = [
        bound.one_of(MACHINE_COLUMN, machines or ()),
        *(bound.one_of(quote(tag), values) for tag, values in query.where),
        *bound.within(query.start, query.stop),
    ]
    groups = ", ".join([MACHINE_COLUMN, *map(quote, tags)])
    text = f"SELECT {', '.join(columns)} FROM {quote(measurement)} WHERE {' AND '.join(conditions)}"
    return f"{text} GROUP BY {groups} LIMIT {int(limit)}", bound.values


async def read_extents(
    query_rows: QueryRows, catalogue: DatabaseCatalogue, query: ExtentQuery, limit: int
) -> list[SeriesExtent]:
    """Return the extents of series. `query_rows` sends the statements, which are made from a catalogue.

    The measurements are those that the server's catalogue has now. Raises `LimitExceeded` if there are more
    than `limit` series.
    """

    async def read_measurement(measurement: str) -> list[SeriesExtent]:
        def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> Statement | None:
            fields = list_fields(catalogue, query).get(measurement)
            tags = catalogue.list_tags(measurement)
            return select_extents(query, measurement, fields, tags, machines, limit + 1) if fields else None

        catalogue, rows = await query_rows(query, make)
        with reading(NAME):
            return list(parse_extents(rows, catalogue, query, measurement))

    by_measurement = await asyncio.gather(*map(read_measurement, list_fields(catalogue, query)))
    extents = list(chain.from_iterable(by_measurement))
    if len(extents) > limit:
        raise make_too_many_series_error(limit)
    return extents


def parse_extents(
    rows: Iterable[Mapping[str, Any]],
    catalogue: DatabaseCatalogue,
    query: ExtentQuery,
    measurement: str,
) -> Iterable[SeriesExtent]:
    """Yield the extents in rows of such a statement. Raises `TypeError` for rows of another shape."""
    fields = list_fields(catalogue, query).get(measurement, [])
    kinds, tags = catalogue.fields[measurement], catalogue.list_tags(measurement)
    for row in rows:
        machine, row_tags = check_string(row["m"]), read_tags(row, tags)
        for i, name in enumerate(fields):
            if row.get(f"a{i}") is not None:
                first, last = check_integer(row[f"a{i}"]), check_integer(row[f"z{i}"])
                yield SeriesExtent(machine, measurement, name, kinds[name], row_tags, first, last)
