"""Deletion of points from the embedded time-series file, a part of a series in each transaction."""

from typing import NamedTuple

import apsw

from stores.backends.sqlite.series_queries import has_tags
from stores.backends.sqlite.series_rewrites import record_rewrites
from stores.contracts.deletions import Deletion
from stores.contracts.rewrites import Rewrite

MAX_DELETED = 50_000  # samples in one transaction, for which writers wait


class DeletedRange(NamedTuple):
    """What one transaction deletes: the samples of a series with `start <= time < stop`."""

    series: int
    database: str
    machine: str | None
    start: int
    stop: int


def list_series_to_delete(db: apsw.Connection, database: str, deletion: Deletion) -> list[DeletedRange]:
    """Return the whole range of each series that a deletion is about."""
    condition, values = has_tags(deletion.where)
    sql = "SELECT number, machine FROM series WHERE database = ? AND measurement = coalesce(?, measurement)"
    rows = db.execute(sql + condition, (database, deletion.measurement, *values))
    return [
        DeletedRange(number, database, machine, deletion.start, deletion.stop) for number, machine in rows
    ]


def split_range(db: apsw.Connection, whole: DeletedRange) -> list[DeletedRange]:
    """Return the range in parts of at most `MAX_DELETED` samples."""
    parts = []
    sql = (
        "SELECT time FROM samples WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT 1 OFFSET ?"
    )
    start = whole.start
    while (stop := db.execute(sql, (whole.series, start, whole.stop, MAX_DELETED)).get) is not None:
        parts.append(whole._replace(start=start, stop=stop))
        start = stop
    return [*parts, whole._replace(start=start)]


def delete_range(db: apsw.Connection, part: DeletedRange) -> int:
    """Delete the samples of a range. Return how many they were."""
    sql = "DELETE FROM samples WHERE series = ? AND time >= ? AND time < ?"
    db.execute(sql, (part.series, part.start, part.stop))
    count = db.changes()
    if count:
        db.execute("DELETE FROM tally WHERE series = ? AND n = 0", (part.series,))
        record_rewrites(db, [Rewrite(part.database, part.machine, part.start, part.stop)])
    return count
