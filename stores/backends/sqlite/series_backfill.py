"""Deriving rollups, their areas and changes of the samples that earlier versions have written, in pieces."""

import time
from collections import defaultdict
from typing import Any, cast

import apsw

from stores.backends.sqlite.series_changes import STORED, update_changes
from stores.backends.sqlite.series_derived import SeriesState, read_states
from stores.backends.sqlite.series_rollups import has_lost_samples, list_hours, roll_up
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR
from stores.contracts.samples import END_OF_TIME, Kind

MAX_SAMPLES = 50_000  # in one transaction, for which writers wait


def count_derived_series(db: apsw.Connection) -> tuple[int, int]:
    """Return how many series have all that is derived of them, and how many there are."""
    total = int(db.execute("SELECT count(*) FROM series").get)
    sql = "SELECT number FROM series WHERE is_behind UNION SELECT series FROM rollups WHERE longest IS NULL"
    return total - int(db.execute(f"SELECT count(*) FROM ({sql})").get), total


def backfill(db: apsw.Connection) -> None:
    """Derive some more of series that are behind."""
    remaining = MAX_SAMPLES
    while remaining > 0:
        number = db.execute("SELECT number FROM series WHERE is_behind LIMIT 1").get
        if number is None:
            break
        [state] = read_states(db, [cast(int, number)])
        remaining -= _backfill_series(db, state, remaining)
    if remaining > 0:
        _backfill_areas(db, remaining)


def _backfill_series(db: apsw.Connection, state: SeriesState, limit: int) -> int:
    """Derive whole hours of a series that have about `limit` samples. Return how many they have."""
    number, kind, until = state.number, state.kind, state.rolled_until
    start = until * HOUR if until > FIRST_HOUR else -END_OF_TIME
    sql = "SELECT time FROM samples WHERE series = ? AND time >= ? ORDER BY time LIMIT 1 OFFSET ?"
    following: Any = db.execute(sql, (number, start, limit)).get
    current_hour = time.time_ns() // HOUR
    is_behind = following is not None and following // HOUR < current_hour
    if is_behind:
        end = max(following // HOUR, until + 1)
        stop = end * HOUR
    else:
        newest: Any = db.execute("SELECT max(time) FROM samples WHERE series = ?", (number,)).get
        end = until if newest is None else max(until, min(newest // HOUR, current_hour))
        stop = END_OF_TIME
    roll_up(db, kind, [(number, hour) for hour in list_hours(db, number, until, end)])
    if kind in STORED:
        update_changes(db, kind, [(number, start, stop - 1)])
    sql = "UPDATE series SET rolled_until = ?, is_behind = ? WHERE number = ?"
    db.execute(sql, (end, is_behind, number))
    sql = "SELECT count(*) FROM samples WHERE series = ? AND time >= ? AND time < ?"
    return int(db.execute(sql, (number, start, stop)).get)


def _backfill_areas(db: apsw.Connection, limit: int) -> None:
    """Derive areas of rollups that have none, which have about `limit` samples.

    Rollups of samples that the retention has deleted are marked: their longest gap is not known.
    """
    hours: defaultdict[Kind, list[tuple[int, int]]] = defaultdict(list)
    read: list[tuple[int, int]] = []
    sql = """SELECT series, hour, kind, n FROM rollups JOIN series ON number = series
        WHERE longest IS NULL LIMIT ?"""
    for number, hour, kind, count in db.execute(sql, (limit,)):
        read.append((number, hour))
        if not has_lost_samples(db, number, hour):
            hours[kind].append((number, hour))
        limit -= count
        if limit <= 0:
            break
    for kind, hours_of_kind in hours.items():
        roll_up(db, kind, hours_of_kind)
    db.executemany("UPDATE rollups SET longest = -1 WHERE series = ? AND hour = ? AND longest IS NULL", read)
