"""The queries of the embedded time-series store about values of several sources: the last, and how many."""

import heapq
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

import apsw

from stores.backends.sqlite.series_queries import (
    IN_RANGE,
    Names,
    find_series,
    has_tags,
    match_values,
    read_edges,
)
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR, SampleDamage, StoredSeries
from stores.backends.sqlite.series_writer import to_stored
from stores.contracts.occurrences import (
    find_stop,
    group_by_machine,
    make_occurrence_order,
    select_values,
    take_page,
)
from stores.contracts.samples import Occurrence, Unsigned, Value, Where
from stores.contracts.series_queries import SourceQuery

CHUNK_GROWTH = 4  # of the number of rows that are read of one series at a time


class SourceSeries(NamedTuple):
    """A series of a source of a query, and the stored values that are requested, None for all."""

    source: int  # its index
    series: StoredSeries
    values: tuple[Value, ...] | None


def read_last(
    db: apsw.Connection, databases: Names, queries: Sequence[SourceQuery], limit: int, damage: SampleDamage
) -> list[list[Occurrence]]:
    """See `SeriesDatabase.last`."""
    pages = []
    for query in queries:
        newest = (_read_newest(db, query, series, damage) for series in _find_sources(db, databases, query))
        pages.append(take_page(heapq.merge(*newest, key=make_occurrence_order), query, limit))
    return pages


def read_last_by_machine(
    db: apsw.Connection, databases: Names, query: SourceQuery, limit: int, damage: SampleDamage
) -> dict[str, list[Occurrence]]:
    """See `SeriesDatabase.last_by_machine`."""
    occurrences: list[Occurrence] = []
    for series in _find_sources(db, databases, query):
        occurrences += islice(_read_newest(db, query, series, damage, size=limit), limit)
    return group_by_machine(sorted(occurrences, key=make_occurrence_order), limit)


def _read_newest(
    db: apsw.Connection, query: SourceQuery, source: SourceSeries, damage: SampleDamage, size: int = 1
) -> Iterator[Occurrence]:
    """Yield the values of one series, newest first. They are read `size` at a time, then more."""
    by_name = source.series.tag_values()
    tags = tuple(by_name.get(tag) for tag in query.sources[source.source].tags)
    stop = find_stop(query)
    while True:
        rows = read_edges(db, source.series, query.start, stop, size, damage, values=source.values)
        for time, value in rows:
            yield Occurrence(time, source.series.machine, source.source, source.series.value(value), tags)
        if len(rows) < max(size, 1):
            return
        stop, size = rows[-1][0], size * CHUNK_GROWTH


def read_counts(db: apsw.Connection, databases: Names, query: SourceQuery) -> dict[str | None, int]:
    """See `SeriesDatabase.counts`."""
    sources = list(_find_sources(db, databases, query))
    whole = [source.series.number for source in sources if source.values is None]
    by_number = _count_samples(db, whole, query.start, query.stop)
    counts: defaultdict[str | None, int] = defaultdict(int)
    for source in sources:
        machine, number = source.series.machine, source.series.number
        if source.values is None:
            count = by_number.get(number, 0)
        else:
            sql, bound = _select_values("count(*)", source, query)
            count = int(db.execute(sql, bound).get)
        counts[None if query.machines is None else machine] += count
    if query.machines is None:
        return {None: counts[None]}
    return {machine: count for machine, count in counts.items() if count}


def find_machines_with(db: apsw.Connection, databases: Names, query: SourceQuery) -> set[str | None]:
    """See `SeriesDatabase.machines_with` and `MachineMoves.combine`."""
    if len(databases) > 1:
        return {
            f"{database} {machine or ''}"
            for database in databases
            for machine in find_machines_with(db, [database], query)
        }
    machines = set()
    for source in _find_sources(db, databases, query):
        sql, bound = _select_values("1", source, query)
        sql += " ORDER BY time DESC LIMIT 1"
        if source.series.machine not in machines and db.execute(sql, bound).get:
            machines.add(source.series.machine)
    return machines


def find_machines(db: apsw.Connection, databases: Names, start: int, stop: int, where: Where) -> set[str]:
    """See `SeriesDatabase.machines`."""
    tags, values = has_tags(where)
    sql = f"""SELECT DISTINCT machine FROM series
        WHERE database IN (SELECT value FROM json_each(?)) AND machine IS NOT NULL{tags} AND EXISTS
            (SELECT 1 FROM samples WHERE series = number AND time >= ? AND time < ?)"""
    return {machine for (machine,) in db.execute(sql, (json.dumps(databases), *values, start, stop))}


def _select_values(columns: str, source: SourceSeries, query: SourceQuery) -> tuple[str, list[Value]]:
    """Return the statement for the samples of a series that a query requests, and the bound values."""
    sql = f"SELECT {columns} FROM samples WHERE {IN_RANGE}{match_values(source.values)}"
    return sql, [source.series.number, query.start, query.stop, *(source.values or ())]


def _find_sources(db: apsw.Connection, databases: Names, query: SourceQuery) -> Iterator[SourceSeries]:
    """Yield the series of each source that may have one of its values, in an order that does not change."""
    for index, source in enumerate(query.sources):
        series = find_series(db, databases, source.measurement, [source.field], query.machines, source.where)
        for stored in sorted(series, key=attrgetter("number")):
            if source.values is None:
                yield SourceSeries(index, stored, None)
            elif values := select_values(source.values, stored.kind):
                is_unsigned = stored.kind == "unsigned"
                values = [to_stored(Unsigned(v)) if is_unsigned else v for v in values]
                yield SourceSeries(index, stored, tuple(values))


def _count_samples(db: apsw.Connection, numbers: Sequence[int], start: int, stop: int) -> dict[int, int]:
    """Count the samples of each series: from rollups where all of an hour is there, otherwise one by one."""
    counted = "SELECT count(*) FROM samples WHERE series = number AND time >="
    sql = f"""WITH parts AS (
        SELECT number, max(?1, (points_from - 1) / {HOUR} + 1) AS from_hour,
            min(?2, rolled_until) AS to_hour
        FROM series WHERE number IN (SELECT value FROM json_each(?3)))
        SELECT number, iif(from_hour < to_hour,
            (SELECT total(n) FROM rollups WHERE series = number AND hour >= from_hour AND hour < to_hour)
            + ({counted} ?4 AND time < from_hour * {HOUR}) + ({counted} to_hour * {HOUR} AND time < ?5),
            ({counted} ?4 AND time < ?5)) FROM parts"""
    hours = max(-(-start // HOUR), FIRST_HOUR), stop // HOUR
    rows = db.execute(sql, (*hours, json.dumps(numbers), start, stop))
    return {number: int(count) for number, count in rows}
