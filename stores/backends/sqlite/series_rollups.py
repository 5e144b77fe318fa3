"""The hourly rollups of the embedded time-series file: how samples become one.

A rollup has the number of the samples of a series in an hour, their sum, the sum of the squares of their
deviations from their mean, their least and their greatest value, and the first and the last one with its
time. Sums of integers are exact: `sum` has the upper parts of the values and `low` their lower 32 bits.
`step` and `linear` are the areas between its samples, and `longest` is the longest time between two of them:
see stores/contracts/areas.py. Strings have only a number, a first and a last value.
"""

from collections.abc import Iterable
from functools import cache

import apsw

from stores.backends.sqlite.series_schema import CONDITIONS, HOUR
from stores.contracts.samples import SECOND, Kind

COLUMNS = "n, sum, low, squares, min, max, first, last, first_time, last_time"
AREA_COLUMNS = "step, linear, longest"
# An unsigned integer of more than 63 bits is stored as a string of 20 digits. Without 2**63, it is an
# integer, from which 2**31 is missing in the upper half.
REST = "((substr(value, 1, 10) - 922337203) * 10000000000 + (substr(value, 11) - 6854775808))"
IS_STRING = "typeof(value) = 'text'"
SUMS = {
    "float": ("total(value)", "NULL"),
    "string": ("NULL", "NULL"),
    "unsigned": (
        f"sum(iif({IS_STRING}, ({REST} >> 32) + 2147483648, value >> 32))",
        f"sum(iif({IS_STRING}, {REST}, value) & 4294967295)",
    ),
}
INTEGER_SUMS = "sum(value >> 32)", "sum(value & 4294967295)"
ONE_SERIES, SEVERAL_SERIES = "series = ?1", "series IN (SELECT value FROM json_each(?1))"


def select_rollup(kind: Kind, start: str, stop: str, among: str = ONE_SERIES) -> str:
    """Return the query for the rollup of samples with `start <= time < stop`: one row, or none; no areas."""
    samples = f"samples WHERE {among} AND time >= {start} AND time < {stop} AND {_make_condition(kind)}"
    return _select_rollups(kind, "", samples, f"SELECT {_make_aggregates(kind)} FROM {samples}", among)


def _select_rollups(kind: Kind, keys: str, samples: str, aggregates: str, among: str) -> str:
    """Return the query for rollups: what `aggregates` selects of each of them, and what depends on that."""
    squares = (
        f"(SELECT total((value - mean) * (value - mean)) FROM {samples})" if kind != "string" else "NULL"
    )
    value = "max(value)" if among == SEVERAL_SERIES else "value"
    at = f"(SELECT {value} FROM samples WHERE {among} AND {_make_condition(kind)} AND time = %s)"
    return f"""SELECT {keys} n, sum, low, iif(n > 1, {squares}, 0.0) AS squares, min, max,
        {at % "first_time"} AS first, {at % "last_time"} AS last, first_time, last_time
        FROM ({aggregates}) WHERE n > 0"""


def _make_condition(kind: Kind) -> str:
    return CONDITIONS.get(kind, "false")


def _make_aggregates(kind: Kind) -> str:
    """Return the columns of a rollup that are aggregates of all samples, and their mean."""
    upper, lower = SUMS.get(kind, INTEGER_SUMS)
    is_numeric = kind != "string"
    mean, least, greatest = ("avg(value)", "min(value)", "max(value)") if is_numeric else ("NULL",) * 3
    return f"""count(*) AS n, {upper} AS sum, {lower} AS low, {mean} AS mean, {least} AS min,
        {greatest} AS max, min(time) AS first_time, max(time) AS last_time"""


@cache
def _insert_rollups(kind: Kind) -> str:
    """Return the statement that makes the rollups of the series and hours in the table `rolled`."""
    condition, start, stop = _make_condition(kind), f"hour * {HOUR}", f"(hour + 1) * {HOUR}"
    samples = f"samples WHERE series = number AND time >= {start} AND time < {stop} AND {condition}"
    source = (
        f"rolled CROSS JOIN samples ON series = number AND time >= {start} AND time < {stop} AND {condition}"
    )
    areas = "0.0 AS step, 0.0 AS linear, 0 AS longest"
    if kind != "string":
        now, then = "CAST(value AS REAL)", "CAST(next_value AS REAL)"
        areas = f"""total({now} * (next_time - time)) / {SECOND} AS step,
            total(({now} + {then}) * 0.5 * (next_time - time)) / {SECOND} AS linear,
            coalesce(max(next_time - time), 0) AS longest"""
        # A search for each sample: a window function would cost as much, and sort the samples besides.
        following = f"""SELECT min(later.time) FROM samples AS later WHERE later.series = number
            AND later.time > samples.time AND later.time < {stop}
            AND {condition.replace("value", "later.value")}"""
        source += f"""LEFT JOIN (SELECT series AS next_series, time AS next_time, value AS next_value
            FROM samples) ON next_series = number AND next_time = ({following})"""
    aggregates = f"SELECT number, hour, {_make_aggregates(kind)}, {areas} FROM {source} GROUP BY number, hour"
    rollups = _select_rollups(kind, f"number, hour, {AREA_COLUMNS},", samples, aggregates, "series = number")
    return f"INSERT OR REPLACE INTO rollups (series, hour, {AREA_COLUMNS}, {COLUMNS}) {rollups}"


def roll_up(db: apsw.Connection, kind: Kind, hours: Iterable[tuple[int, int]]) -> None:
    """Make or correct the rollups of pairs of a series' number and an hour, in one statement."""
    # A table in the order of the samples, so that nothing is sorted
    db.execute(
        """CREATE TEMP TABLE IF NOT EXISTS rolled (number INTEGER, hour INTEGER, PRIMARY KEY (number, hour))
            WITHOUT ROWID;
        DELETE FROM rolled"""
    )
    db.executemany("INSERT INTO rolled VALUES (?, ?)", hours)
    db.execute(_insert_rollups(kind))


def has_lost_samples(db: apsw.Connection, number: int, hour: int) -> bool:
    """Whether the retention has deleted samples that are in the rollup of an hour."""
    sql = """SELECT n > (SELECT count(*) FROM samples WHERE series = ?1 AND time >= ?2 AND time < ?3)
        FROM rollups WHERE series = ?1 AND hour = ?4"""
    return bool(db.execute(sql, (number, hour * HOUR, (hour + 1) * HOUR, hour)).get)


def list_hours(db: apsw.Connection, number: int, first: int, end: int) -> list[int]:
    """Return the hours from `first` until before `end` in which a series has samples."""
    sql = "SELECT time FROM samples WHERE series = ? AND time >= ? AND time < ?"
    return sorted({time // HOUR for (time,) in db.execute(sql, (number, first * HOUR, end * HOUR))})
