"""The samples of series in the embedded time-series store: all of them, or the changes."""

from collections.abc import Callable, Iterator
from typing import Any

import apsw

from stores.backends.sqlite.series_changes import STORED
from stores.backends.sqlite.series_queries import IN_RANGE, Names, find_series
from stores.backends.sqlite.series_schema import SampleDamage, StoredSeries
from stores.contracts.errors import LimitExceeded, make_too_many_changes_error, make_too_many_points_error
from stores.contracts.samples import ByMachine, ByTags, Sample, SampleColumns
from stores.contracts.series_queries import SeriesQuery

CONDITION = "/* and */"  # where the condition on samples that are not damaged is added if necessary
SELECT_POINTS = f"SELECT time, value FROM samples WHERE {IN_RANGE} {CONDITION} ORDER BY time LIMIT ?"
# The end of the period of a time; NULL, which no time is after, without periods
PERIOD_END = "({time} - ({time} % ?5 + ?5) % ?5 + ?5)"
SELECT_CHANGES = f"""SELECT time, value FROM (
        SELECT time, value, lag(time) OVER earlier AS earlier_time, lag(value) OVER earlier AS earlier_value
        FROM samples WHERE series = ?1 AND time >= ?2 AND time < ?3 {CONDITION}
        WINDOW earlier AS (ORDER BY time))
    WHERE value IS NOT earlier_value OR time >= {PERIOD_END.format(time="earlier_time")}
    ORDER BY time LIMIT ?4"""
# Where changes are stored, other samples are not read, except the first one of the range and of each period.
SELECT_STORED_CHANGES = f"""WITH RECURSIVE earliest AS (
        SELECT min(time) AS time FROM samples WHERE series = ?1 AND time >= ?2 AND time < ?3 {CONDITION}
        UNION ALL SELECT (
            SELECT min(time) FROM samples WHERE series = ?1
                AND time >= {PERIOD_END.format(time="earliest.time")} AND time < ?3 {CONDITION})
        FROM earliest WHERE time IS NOT NULL)
    SELECT time, value FROM samples WHERE series = ?1 AND time IN (SELECT time FROM earliest)
    UNION SELECT time, value FROM changes
        WHERE series = ?1 AND time > (SELECT min(time) FROM earliest) AND time < ?3 {CONDITION}
    ORDER BY time LIMIT ?4"""


def read_points(
    db: apsw.Connection, databases: Names, query: SeriesQuery, limit: int, damage: SampleDamage
) -> ByMachine[ByTags[list[Sample]]]:
    """See `SeriesDatabase.points`."""
    points: ByMachine[ByTags[list[Sample]]] = {}
    make_error = make_too_many_points_error
    for series, rows in _read_rows(db, databases, query, limit, damage, lambda _: SELECT_POINTS, make_error):
        by_tags = points.setdefault(series.machine or "", {}).setdefault(series.field, {})
        tags, samples = series.identify(), list(series.samples(rows))
        by_tags[tags] = sorted(by_tags[tags] + samples) if tags in by_tags else samples
    return points


def read_changes(
    db: apsw.Connection,
    databases: Names,
    query: SeriesQuery,
    limit: int,
    period: int | None,
    damage: SampleDamage,
) -> ByMachine[ByTags[SampleColumns]]:
    """See `SeriesDatabase.changes`."""
    changes: ByMachine[ByTags[SampleColumns]] = {}
    make_error, bound = make_too_many_changes_error, (period,)
    for series, rows in _read_rows(db, databases, query, limit, damage, _select_changes, make_error, bound):
        by_tags = changes.setdefault(series.machine or "", {}).setdefault(series.field, {})
        tags, samples = series.identify(), series.make_columns(rows)
        by_tags[tags] = SampleColumns.of(sorted([*by_tags[tags], *samples])) if tags in by_tags else samples
    return changes


def _select_changes(series: StoredSeries) -> str:
    are_stored = series.kind in STORED and not series.is_behind
    return SELECT_STORED_CHANGES if are_stored else SELECT_CHANGES


def _read_rows(
    db: apsw.Connection,
    databases: Names,
    query: SeriesQuery,
    limit: int,
    damage: SampleDamage,
    select: Callable[[StoredSeries], str],
    make_error: Callable[[int], LimitExceeded],
    bound: tuple[int | None, ...] = (),
) -> Iterator[tuple[StoredSeries, list[Any]]]:
    """Yield the series that have samples, with the rows of the statement of `select`: times and values.

    `bound` are further values of the statement.
    """
    remaining = limit
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        values = (series.number, query.start, query.stop, remaining + 1, *bound)
        sql = select(series)
        rows = db.execute(sql, values).fetchall()
        if series.has_damaged(rows):
            damage.report(series)
            rows = db.execute(sql.replace(CONDITION, f"AND {series.condition}"), values).fetchall()
        remaining -= len(rows)
        if remaining < 0:
            raise make_error(limit)
        if rows:
            yield series, rows
