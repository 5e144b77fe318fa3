"""The samples of series in the embedded time-series store: all of them, or the changes."""

from collections.abc import Callable

import apsw

from stores.backends.sqlite.series_queries import IN_RANGE, Names, find_series
from stores.backends.sqlite.series_schema import SampleDamage
from stores.contracts.errors import LimitExceeded, make_too_many_changes_error, make_too_many_points_error
from stores.contracts.series import ByMachine, ByTags, Sample, SeriesQuery

SELECT_POINTS = f"SELECT time, value FROM samples WHERE {IN_RANGE} %s ORDER BY time LIMIT ?"
SELECT_CHANGES = f"""SELECT time, value FROM (
    SELECT time, value, lag(value) OVER (ORDER BY time) AS earlier FROM samples WHERE {IN_RANGE} %s)
    WHERE value IS NOT earlier ORDER BY time LIMIT ?"""


def read_points(
    db: apsw.Connection, databases: Names, query: SeriesQuery, limit: int, damage: SampleDamage
) -> ByMachine[ByTags[list[Sample]]]:
    """See `SeriesDatabase.points`."""
    return _read_samples(db, databases, query, limit, damage, SELECT_POINTS, make_too_many_points_error)


def read_changes(
    db: apsw.Connection, databases: Names, query: SeriesQuery, limit: int, damage: SampleDamage
) -> ByMachine[ByTags[list[Sample]]]:
    """See `SeriesDatabase.changes`."""
    return _read_samples(db, databases, query, limit, damage, SELECT_CHANGES, make_too_many_changes_error)


def _read_samples(
    db: apsw.Connection,
    databases: Names,
    query: SeriesQuery,
    limit: int,
    damage: SampleDamage,
    sql: str,
    make_error: Callable[[int], LimitExceeded],
) -> ByMachine[ByTags[list[Sample]]]:
    """Return the samples of each series that the statement `sql` selects."""
    points: ByMachine[ByTags[list[Sample]]] = {}
    remaining = limit
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        values = (series.number, query.start, query.stop, remaining + 1)
        rows = db.execute(sql % "", values).fetchall()
        if series.has_damaged(rows):
            damage.report(series)
            rows = db.execute(sql % f"AND {series.condition}", values).fetchall()
        samples = list(series.samples(rows))
        remaining -= len(samples)
        if remaining < 0:
            raise make_error(limit)
        if samples:
            by_tags = points.setdefault(series.machine or "", {}).setdefault(series.field, {})
            tags = series.identify()
            by_tags[tags] = sorted(by_tags[tags] + samples) if tags in by_tags else samples
    return points
