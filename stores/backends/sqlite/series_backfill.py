"""Deriving rollups and changes of the samples that earlier versions have written, in pieces."""

import time
from typing import Any, cast

import apsw

from stores.backends.sqlite.series_changes import STORED, update_changes
from stores.backends.sqlite.series_derived import SeriesState, read_states
from stores.backends.sqlite.series_rollups import list_hours, roll_up
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR
from stores.contracts.samples import END_OF_TIME

MAX_SAMPLES = 50_000  # in one transaction, for which writers wait


def count_derived_series(db: apsw.Connection) -> tuple[int, int]:
    """Return how many series are not behind, and how many there are."""
    total = int(db.execute("SELECT count(*) FROM series").get)
    return total - int(db.execute("SELECT count(*) FROM series WHERE is_behind").get), total


def backfill(db: apsw.Connection) -> None:
    """Derive some more of series that are behind."""
    remaining = MAX_SAMPLES
    while remaining > 0:
        number = db.execute("SELECT number FROM series WHERE is_behind LIMIT 1").get
        if number is None:
            return
        [state] = read_states(db, [cast(int, number)])
        remaining -= _backfill_series(db, state, remaining)


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
