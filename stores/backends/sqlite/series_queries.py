"""The queries of the embedded time-series store. Each runs on one connection, within one snapshot."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import apsw

from stores.backends.sqlite.series_schema import (
    CONVERT,
    STORED_COLUMNS,
    TYPES,
    SampleDamage,
    StoredSeries,
)
from stores.backends.sqlite.series_windows import WindowQuery, aggregate
from stores.contracts.neighbours import join_neighbours
from stores.contracts.samples import (
    END_OF_TIME,
    ByMachine,
    ByTags,
    Cell,
    Kind,
    Neighbours,
    Sample,
    Tags,
    Value,
)
from stores.contracts.series_queries import NUMERIC, Aggregation, SeriesQuery, Windows
from stores.contracts.tag_sets import choose_tags

Names = Sequence[str]  # of databases, which are read as if they were one
Where = Sequence[tuple[str, Sequence[str]]]  # of each tag, the values that are allowed
HAS_TAG = """EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(tags) THEN tags ELSE '{}' END)
    WHERE key = ? AND value IN (SELECT value FROM json_each(?)))"""
IN_RANGE = "series = ? AND time >= ? AND time < ?"


def read_catalogue(db: apsw.Connection, databases: Names) -> dict[str, dict[str, Kind]]:
    """See `SeriesDatabase.catalogue`."""
    sql = "SELECT DISTINCT measurement, field, kind FROM series"
    sql += " WHERE database IN (SELECT value FROM json_each(?))"
    catalogue: defaultdict[str, dict[str, Kind]] = defaultdict(dict)
    for measurement, field, kind in db.execute(sql, (json.dumps(databases),)):
        catalogue[measurement][field] = kind
    return dict(catalogue)


def read_latest(
    db: apsw.Connection, databases: Names, query: SeriesQuery, damage: SampleDamage
) -> ByMachine[Sample]:
    """See `SeriesDatabase.latest`."""
    condition, values = _make_series_condition(
        databases, query.measurement, query.fields, query.machines, query.where
    )
    newest = "SELECT max(time) FROM samples WHERE series = number AND time >= ? AND time < ?"
    sql = f"""SELECT number, machine, field, kind, tags, time, value
        FROM series JOIN samples ON series = number AND time = ({newest}) WHERE {condition}"""
    latest: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
    for number, machine, field, kind, tags, time, value in db.execute(
        sql, (query.start, query.stop, *values)
    ):
        row = time, value
        if kind == "unsigned" or type(value) not in TYPES.get(kind, ()):
            series = StoredSeries(number, machine, field, kind, tags)
            rows = read_edges(db, series, query.start, query.stop, 1, damage)
            if not rows:
                continue
            row = rows[0]
        sample = Sample(row[0], CONVERT[kind](row[1]) if kind in CONVERT else row[1])
        by_field = latest[machine]
        by_field[field] = max(by_field[field], sample) if field in by_field else sample
    return dict(latest)


def read_edges(
    db: apsw.Connection,
    series: StoredSeries,
    start: int,
    stop: int,
    limit: int,
    damage: SampleDamage,
    order: Literal["ASC", "DESC"] = "DESC",
    values: Sequence[Value] | None = None,
) -> list[Any]:
    """The newest (or oldest) rows of (time, stored value), without damaged ones; `values` selects some."""
    sql = f"""SELECT time, value FROM samples WHERE {IN_RANGE}{match_values(values)} %s
        ORDER BY time {order} LIMIT ?"""
    bound = (series.number, start, stop, *(values or ()), limit)
    rows = db.execute(sql % "", bound).fetchall()
    if series.has_damaged(rows):
        damage.report(series)
        rows = db.execute(sql % f"AND {series.condition}", bound).fetchall()
    return rows


def match_values(values: Sequence[Value] | None) -> str:
    """Return the condition that a stored value is one of these, which begins with AND; nothing for None."""
    return "" if values is None else f" AND value IN ({', '.join('?' * len(values))})"


def read_neighbours(
    db: apsw.Connection, databases: Names, query: SeriesQuery, damage: SampleDamage
) -> ByMachine[ByTags[Neighbours]]:
    """See `SeriesDatabase.neighbours`."""
    condition, values = _make_series_condition(
        databases, query.measurement, query.fields, query.machines, query.where
    )
    sql = f"""SELECT number, machine, field, kind, tags, b.time, b.value, a.time, a.value FROM series
        LEFT JOIN samples b ON b.series = number
            AND b.time = (SELECT max(time) FROM samples WHERE series = number AND time < ?)
        LEFT JOIN samples a ON a.series = number
            AND a.time = (SELECT min(time) FROM samples WHERE series = number AND time >= ?)
        WHERE {condition} AND coalesce(b.time, a.time) IS NOT NULL"""
    before: ByMachine[ByTags[Sample]] = {}
    after: ByMachine[ByTags[Sample]] = {}
    for *row, last, last_value, first, first_value in db.execute(sql, (query.start, query.stop, *values)):
        series = StoredSeries(*row)
        lasts = [(last, last_value)] if last is not None else []
        firsts = [(first, first_value)] if first is not None else []
        if series.has_damaged(lasts + firsts):
            lasts = read_edges(db, series, -END_OF_TIME, query.start, 1, damage)
            firsts = read_edges(db, series, query.stop, END_OF_TIME, 1, damage, order="ASC")
        for rows, edges, choose in ((lasts, before, max), (firsts, after, min)):
            for sample in series.samples(rows):
                by_tags = edges.setdefault(series.machine or "", {}).setdefault(series.field, {})
                tags = series.identify()
                by_tags[tags] = choose(by_tags.get(tags, sample), sample)
    return join_neighbours(before, after)


def read_windows(
    db: apsw.Connection,
    databases: Names,
    query: SeriesQuery,
    windows: Windows,
    aggregation: Aggregation,
) -> ByMachine[ByTags[list[Cell]]]:
    """See `SeriesDatabase.windows`."""
    groups: defaultdict[tuple[str, str, Tags], list[StoredSeries]] = defaultdict(list)
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        if series.kind != "string" or aggregation.function not in NUMERIC:
            tags = choose_tags(series.identify(), aggregation.by) if aggregation.by else ()
            groups[series.machine or "", series.field, tags].append(series)
    by_machine: ByMachine[ByTags[list[Cell]]] = {}
    window_query = WindowQuery.of(query, windows, aggregation)
    for (machine, field, tags), group in groups.items():
        if cells := aggregate(db, group, window_query):
            by_machine.setdefault(machine, {}).setdefault(field, {})[tags] = cells
    return by_machine


def find_series(
    db: apsw.Connection,
    databases: Names,
    measurement: str,
    fields: Sequence[str],
    machines: Sequence[str] | None,
    where: Where,
) -> list[StoredSeries]:
    condition, values = _make_series_condition(databases, measurement, fields, machines, where)
    sql = f"SELECT {STORED_COLUMNS} FROM series WHERE {condition}"
    return [StoredSeries(*row) for row in db.execute(sql, values)]


def _make_series_condition(
    databases: Names,
    measurement: str,
    fields: Sequence[str],
    machines: Sequence[str] | None,
    where: Where,
) -> tuple[str, list[str]]:
    """Return the condition that selects series, and the values bound in it."""
    condition, values = "database = ?", list(databases)
    if len(databases) != 1:
        condition, values = "database IN (SELECT value FROM json_each(?))", [json.dumps(databases)]
    condition += " AND measurement = ? AND field IN (SELECT value FROM json_each(?))"
    values += [measurement, json.dumps(list(fields))]
    if machines is not None:
        condition += " AND machine IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(list(machines)))
    tag_condition, tag_values = has_tags(where)
    return condition + tag_condition, values + tag_values


def has_tags(where: Where) -> tuple[str, list[str]]:
    """Return the condition on the tags of series, which follows another one, and the values bound in it."""
    values = [value for tag, allowed in where for value in (tag, json.dumps(allowed))]
    return f" AND {HAS_TAG}" * len(where), values
