"""The samples of series in the embedded time-series store: all of them, or the changes."""

from collections.abc import Callable

import apsw

from stores.backends.sqlite.series_changes import STORED
from stores.backends.sqlite.series_queries import IN_RANGE, Names, find_series
from stores.backends.sqlite.series_schema import SampleDamage, StoredSeries
from stores.contracts.errors import LimitExceeded, make_too_many_changes_error, make_too_many_points_error
from stores.contracts.samples import ByMachine, ByTags, Sample
from stores.contracts.series_queries import SeriesQuery

CONDITION = "/* and */"  # where the condition on samples that are not damaged is added if necessary
SELECT_POINTS = f"SELECT time, value FROM samples WHERE {IN_RANGE} {CONDITION} ORDER BY time LIMIT ?"
SELECT_CHANGES = f"""SELECT time, value FROM (
    SELECT time, value, lag(value) OVER (ORDER BY time) AS earlier FROM samples WHERE {IN_RANGE} {CONDITION})
    WHERE value IS NOT earlier ORDER BY time LIMIT ?"""
# Where changes are stored, other samples are not read, except the first one of the range.
SELECT_STORED_CHANGES = f"""WITH earliest AS (
        SELECT time, value FROM samples WHERE series = ?1 AND time >= ?2 AND time < ?3 {CONDITION}
        ORDER BY time LIMIT 1)
    SELECT time, value FROM earliest
    UNION ALL SELECT time, value FROM changes
        WHERE series = ?1 AND time > (SELECT time FROM earliest) AND time < ?3 {CONDITION}
    ORDER BY time LIMIT ?4"""


def read_points(
    db: apsw.Connection, databases: Names, query: SeriesQuery, limit: int, damage: SampleDamage
) -> ByMachine[ByTags[list[Sample]]]:
    """See `SeriesDatabase.points`."""
    make_error = make_too_many_points_error
    return _read_samples(db, databases, query, limit, damage, lambda series: SELECT_POINTS, make_error)


def read_changes(
    db: apsw.Connection, databases: Names, query: SeriesQuery, limit: int, damage: SampleDamage
) -> ByMachine[ByTags[list[Sample]]]:
    """See `SeriesDatabase.changes`."""
    make_error = make_too_many_changes_error
    return _read_samples(db, databases, query, limit, damage, _select_changes, make_error)


def _select_changes(series: StoredSeries) -> str:
    are_stored = series.kind in STORED and not series.is_behind
    return SELECT_STORED_CHANGES if are_stored else SELECT_CHANGES


def _read_samples(
    db: apsw.Connection,
    databases: Names,
    query: SeriesQuery,
    limit: int,
    damage: SampleDamage,
    select: Callable[[StoredSeries], str],
    make_error: Callable[[int], LimitExceeded],
) -> ByMachine[ByTags[list[Sample]]]:
    """Return the samples of each series that the statement of `select` selects."""
    points: ByMachine[ByTags[list[Sample]]] = {}
    remaining = limit
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        values = (series.number, query.start, query.stop, remaining + 1)
        sql = select(series)
        rows = db.execute(sql, values).fetchall()
        if series.has_damaged(rows):
            damage.report(series)
            rows = db.execute(sql.replace(CONDITION, f"AND {series.condition}"), values).fetchall()
        samples = list(series.samples(rows))
        remaining -= len(samples)
        if remaining < 0:
            raise make_error(limit)
        if samples:
            by_tags = points.setdefault(series.machine or "", {}).setdefault(series.field, {})
            tags = series.identify()
            by_tags[tags] = sorted(by_tags[tags] + samples) if tags in by_tags else samples
    return points
