"""Deletion of points from the embedded time-series file, a part of a series in each transaction."""

from typing import NamedTuple

import apsw

from stores.backends.sqlite.series_derived import delete_derived, read_states
from stores.backends.sqlite.series_queries import has_tags
from stores.backends.sqlite.series_rewrites import record_rewrites
from stores.backends.sqlite.series_rollups import list_hours, roll_up
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR
from stores.contracts.deletions import Deletion
from stores.contracts.rewrites import Rewrite
from stores.contracts.samples import END_OF_TIME

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
    if delete_derived(db, part.series, part.start, part.stop) or count:
        record_rewrites(db, [Rewrite(part.database, part.machine, part.start, part.stop)])
    return count


def list_series(db: apsw.Connection) -> list[int]:
    """Return the numbers of all series of all databases."""
    return [number for (number,) in db.execute("SELECT number FROM series")]


def delete_older(db: apsw.Connection, number: int, cutoff: int, rollup_cutoff: int | None) -> int:
    """Delete the samples of a series that are older than `cutoff`. Return how many they were.

    They are rolled up before; those of a series that is behind stay until they have been. Rollups of hours
    before that of `rollup_cutoff` are deleted, too.
    """
    for _, kind, until, is_behind, *_ in read_states(db, [number]):
        end = -(-cutoff // HOUR)
        if is_behind:
            cutoff = min(cutoff, until * HOUR)
        elif until < end:
            roll_up(db, kind, [(number, hour) for hour in list_hours(db, number, until, end)])
            db.execute("UPDATE series SET rolled_until = ? WHERE number = ?", (end, number))
    counts = {}
    for table, time, end in (
        ("samples", "time", cutoff),
        ("changes", "time", cutoff),
        ("rollups", "hour", FIRST_HOUR if rollup_cutoff is None else rollup_cutoff // HOUR),
    ):
        db.execute(f"DELETE FROM {table} WHERE series = ? AND {time} < ?", (number, end))
        counts[table] = db.changes()
    if counts["samples"]:
        sql = "UPDATE series SET points_from = max(points_from, ?) WHERE number = ?"
        db.execute(sql, (cutoff, number))
    if any(counts.values()):
        database = str(db.execute("SELECT database FROM series WHERE number = ?", (number,)).get)
        record_rewrites(db, [Rewrite(database, None, -END_OF_TIME, cutoff)])
    return counts["samples"]
