"""The samples next to a range on InfluxDB 3, which may refuse to search as far as they may be."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.influx3_client import NAME, QUERY_FILES
from stores.backends.influx.influx3_extents import QueryRows
from stores.backends.influx.sql import Statement, select_latest
from stores.backends.influx.tag_sets import read_tags
from stores.backends.influx.transport import reading
from stores.backends.influx.values import CHECK, check_integer
from stores.contracts.errors import LimitExceeded
from stores.contracts.neighbours import join_neighbours
from stores.contracts.samples import END_OF_TIME, SECOND, ByMachine, ByTags, Neighbours, Sample
from stores.contracts.series_queries import SeriesQuery

MAX_REACH = 70 * 3600 * SECOND  # how far they may be on a server that refuses to read 72 hours


async def read_neighbours(query_rows: QueryRows, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
    """Return the samples next to a range. `query_rows` sends statements, which are made from a catalogue."""
    sides = [_find_nearest(query_rows, replace(query, start=-END_OF_TIME, stop=query.start), oldest=False)]
    if query.stop < END_OF_TIME:
        after = replace(query, start=query.stop, stop=END_OF_TIME)
        sides.append(_find_nearest(query_rows, after, oldest=True))
    return join_neighbours(*await asyncio.gather(*sides))


async def _find_nearest(
    query_rows: QueryRows, query: SeriesQuery, *, oldest: bool
) -> ByMachine[ByTags[Sample]]:
    """Return the samples of `_find_edges`, from as much of an endless range as the server reads at once."""
    try:
        return await _find_edges(query_rows, query, oldest=oldest)
    except LimitExceeded as error:
        if error.name != QUERY_FILES:
            raise
    near = (
        replace(query, stop=query.start + MAX_REACH)
        if oldest
        else replace(query, start=query.stop - MAX_REACH)
    )
    return await _find_edges(query_rows, near, oldest=oldest)


async def _find_edges(
    query_rows: QueryRows, query: SeriesQuery, *, oldest: bool
) -> ByMachine[ByTags[Sample]]:
    """Return the newest (or oldest) sample by machine, field and tags."""

    def make(catalogue: DatabaseCatalogue, machines: Sequence[str] | None) -> Statement | None:
        kinds = catalogue.kinds(query.measurement, query.fields)
        tags = catalogue.list_tags(query.measurement)
        return select_latest(query, kinds, machines, tags, oldest=oldest) if kinds else None

    edges: ByMachine[ByTags[Sample]] = {}
    catalogue, rows = await query_rows(query, make)
    kinds = catalogue.kinds(query.measurement, query.fields)
    tags = catalogue.list_tags(query.measurement)
    with reading(NAME):
        for row in rows:
            row_tags = read_tags(row, tags)
            for i, (name, kind) in enumerate(kinds.items()):
                if row.get(f"v{i}") is not None:
                    sample = Sample(check_integer(row[f"t{i}"]), CHECK[kind](row[f"v{i}"]))
                    edges.setdefault(row["m"], {}).setdefault(name, {})[row_tags] = sample
    return edges
