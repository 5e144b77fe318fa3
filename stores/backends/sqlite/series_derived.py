"""What the embedded time-series file derives from samples, updated in the transaction that changes them.

The hourly rollups of a series are complete before the hour `rolled_until`. Hours that are over are rolled up
once a later sample arrives, those with few samples several at a time: until then, these are cheaper to read
than a page with their rollup is to write. The changes of a series are always complete. Series of files of
earlier versions are behind until they have been backfilled: they have both before `rolled_until` only.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import apsw

from stores.backends.sqlite.series_changes import STORED, Span, update_changes
from stores.backends.sqlite.series_rollups import (
    AREA_COLUMNS,
    COLUMNS,
    has_lost_samples,
    list_hours,
    roll_up,
)
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR, TYPES
from stores.contracts.samples import Kind, Value

MAX_PENDING_SAMPLES = 64  # about, that are in hours which are over and not rolled up
MAX_PENDING_HOURS = 24
MAX_TRIED_HOURS = 4  # that are rolled up without a search for those that have samples
Samples = list[tuple[int, Value]]  # of one series: times and stored values, sorted by time


class SeriesState(NamedTuple):
    """How far a series is derived."""

    number: int
    kind: Kind
    rolled_until: int
    is_behind: bool
    points_from: int  # earlier samples were deleted by the retention, and their hours were rolled up
    newest: int | None  # the time of its newest sample
    newest_value: Value | None

    def is_appended(self, samples: Samples) -> bool:
        """Whether samples are newer than all stored ones, so that they change nothing of what is derived."""
        if self.is_behind:
            return False
        return self.newest is None or (
            self.newest < samples[0][0] and type(self.newest_value) in TYPES[self.kind]
        )

    def covers_changes(self, hour: int) -> bool:
        """Whether the changes in an hour are stored."""
        return not self.is_behind or hour < self.rolled_until


def read_states(db: apsw.Connection, numbers: Iterable[int]) -> list[SeriesState]:
    """Return how far each of the series is derived."""
    sql = """SELECT number, kind, rolled_until, is_behind, points_from, time, value
        FROM series LEFT JOIN samples ON series = number
            AND time = (SELECT max(time) FROM samples WHERE series = number)
        WHERE number IN (SELECT value FROM json_each(?))"""
    return [SeriesState(*row) for row in db.execute(sql, (json.dumps(list(numbers)),))]


def write_samples(db: apsw.Connection, by_series: Mapping[int, Mapping[int, Value]]) -> None:
    """Store values by series and time, roll up the hours that they close or change, and find the changes."""
    # In the order of the table, whose pages are written one after the other
    samples = {number: sorted(by_series[number].items()) for number in sorted(by_series)}
    states = read_states(db, samples)
    rows = [(number, at, value) for number, of_series in samples.items() for at, value in of_series]
    sql = "INSERT INTO samples VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
    db.executemany(sql, rows)
    _derive_rollups(db, states, samples)
    _derive_changes(db, [state for state in states if state.kind in STORED], samples)


def _derive_rollups(
    db: apsw.Connection, states: Iterable[SeriesState], samples: Mapping[int, Samples]
) -> None:
    rolled: defaultdict[Kind, list[tuple[int, int]]] = defaultdict(list)
    closed: defaultdict[int, list[int]] = defaultdict(list)
    current_hour = time.time_ns() // HOUR
    for state in states:
        number, until, of_series = state.number, state.rolled_until, samples[state.number]
        newest_hour = min(of_series[-1][0] // HOUR, current_hour)
        is_due = newest_hour > until and _is_due(db, state, of_series, newest_hour)
        if of_series[0][0] >= until * HOUR and not is_due:
            continue
        hours = {at // HOUR for at, _ in of_series if FIRST_HOUR * HOUR <= at < until * HOUR}
        if is_due:
            # Hours without samples are only tried if they are few
            is_short = newest_hour - until <= MAX_TRIED_HOURS
            hours.update(
                range(until, newest_hour) if is_short else list_hours(db, number, until, newest_hour)
            )
            closed[newest_hour].append(number)
        rolled[state.kind] += [
            (number, hour)
            for hour in hours
            if hour * HOUR >= state.points_from or not has_lost_samples(db, number, hour)
        ]
    for kind, hours_of_series in rolled.items():
        roll_up(db, kind, hours_of_series)
    sql = "UPDATE series SET rolled_until = ? WHERE number IN (SELECT value FROM json_each(?))"
    db.executemany(sql, ((hour, json.dumps(numbers)) for hour, numbers in closed.items()))


def _is_due(db: apsw.Connection, state: SeriesState, samples: Samples, newest_hour: int) -> bool:
    """Whether the hours before `newest_hour`, that of the latest one of new samples, are rolled up now.

    Their samples are counted only if the time from the one before the new ones suggests that they are many.
    """
    last, until, newest = samples[-1][0], state.rolled_until, state.newest
    if state.is_behind or (newest is not None and last <= newest):
        return False
    # Days that begin at another hour for each series: not all of them are due at once.
    offset = state.number % MAX_PENDING_HOURS
    if newest is None or (newest_hour + offset) // MAX_PENDING_HOURS > (until + offset) // MAX_PENDING_HOURS:
        return True
    if (last - until * HOUR) * len(samples) < MAX_PENDING_SAMPLES * (last - newest):
        return False
    sql = "SELECT 1 FROM samples WHERE series = ? AND time >= ? AND time < ? LIMIT 1 OFFSET ?"
    values = state.number, until * HOUR, newest_hour * HOUR, MAX_PENDING_SAMPLES - 1
    return db.execute(sql, values).get is not None


def _derive_changes(
    db: apsw.Connection, states: Iterable[SeriesState], samples: Mapping[int, Samples]
) -> None:
    appended: list[tuple[int, int, Value]] = []
    inserted: defaultdict[Kind, list[Span]] = defaultdict(list)
    for state in states:
        of_series = samples[state.number]
        if state.is_appended(of_series):
            before = state.newest_value
            for at, value in of_series:
                if value != before:
                    appended.append((state.number, at, value))
                    before = value
            continue
        # Spans within an hour, so that two samples of different years do not span all between them.
        for hour, group in groupby(of_series, lambda sample: sample[0] // HOUR):
            times = [at for at, _ in group]
            if state.covers_changes(hour):
                inserted[state.kind].append((state.number, times[0], times[-1]))
    db.executemany("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", appended)
    for kind, spans in inserted.items():
        update_changes(db, kind, spans)


def refresh(db: apsw.Connection, number: int, start: int, stop: int) -> None:
    """Derive anew what depends on the samples of a series with `start <= time < stop`, which have changed.

    Rollups of hours of which the retention has deleted samples stay.
    """
    for _, kind, until, is_behind, points_from, *_ in read_states(db, [number]):
        first = max(start // HOUR, -(-points_from // HOUR), FIRST_HOUR)
        end = min(-(-stop // HOUR), until)
        db.execute("DELETE FROM rollups WHERE series = ? AND hour >= ? AND hour < ?", (number, first, end))
        roll_up(db, kind, [(number, hour) for hour in list_hours(db, number, first, end)])
        last = min(stop - 1, until * HOUR - 1) if is_behind else stop - 1
        if kind in STORED and start <= last:
            update_changes(db, kind, [(number, start, last)])


def merge_derived(db: apsw.Connection, source: int, target: int) -> None:
    """Derive anew what depends on the samples of `source`, which `target` has now, and delete its own."""
    sql = "SELECT max(points_from) FROM series WHERE number IN (?, ?)"
    points_from: Any = db.execute(sql, (source, target)).get
    db.execute("UPDATE series SET points_from = ? WHERE number = ?", (points_from, target))
    # Of hours without samples, the target's rollups stay, as its samples do.
    columns = f"hour, {COLUMNS}, {AREA_COLUMNS}"
    sql = f"""INSERT INTO rollups (series, {columns}) SELECT ?, {columns} FROM rollups
        WHERE series = ? AND hour < ? ON CONFLICT DO NOTHING"""
    db.execute(sql, (target, source, -(-points_from // HOUR)))
    for start, last in db.execute("SELECT min(time), max(time) FROM samples WHERE series = ?", (source,)):
        if start is not None:
            refresh(db, target, start, last + 1)
    for table in ("rollups", "changes"):
        db.execute(f"DELETE FROM {table} WHERE series = ?", (source,))


def delete_derived(db: apsw.Connection, number: int, start: int, stop: int) -> int:
    """Derive anew what depends on samples of a series with `start <= time < stop`, which were deleted.

    Rollups of hours of which the retention has deleted the samples before are deleted if they are whole hours
    of this range. Return how many rollups were deleted.
    """
    first, end = max(-(-start // HOUR), FIRST_HOUR), stop // HOUR
    db.execute("DELETE FROM rollups WHERE series = ? AND hour >= ? AND hour < ?", (number, first, end))
    count = db.changes()
    refresh(db, number, start, stop)
    return count
