"""The hourly rollups of the embedded time-series file: how samples become one.

A rollup has the number of the samples of a series in an hour, their sum, the sum of the squares of their
deviations from their mean, their least and their greatest value, and the first and the last one with its
time. Sums of integers are exact: `sum` has the upper parts of the values and `low` their lower 32 bits.
Strings have only a number, a first and a last value.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import apsw

from stores.backends.sqlite.series_schema import CONDITIONS, HOUR
from stores.contracts.samples import Kind

COLUMNS = "n, sum, low, squares, min, max, first, last, first_time, last_time"
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


@cache
def select_rollup(kind: Kind, start: str, stop: str, among: str = ONE_SERIES) -> str:
    """Return the query for the rollup of samples with `start <= time < stop`: one row, or none."""
    condition = CONDITIONS.get(kind, "false")
    upper, lower = SUMS.get(kind, INTEGER_SUMS)
    is_numeric = kind != "string"
    mean, least, greatest = ("avg(value)", "min(value)", "max(value)") if is_numeric else ("NULL",) * 3
    samples = f"FROM samples WHERE {among} AND time >= {start} AND time < {stop} AND {condition}"
    squares = f"(SELECT total((value - mean) * (value - mean)) {samples})" if is_numeric else "NULL"
    value = "value" if among == ONE_SERIES else "max(value)"
    at = f"(SELECT {value} FROM samples WHERE {among} AND {condition} AND time = %s)"
    return f"""SELECT n, sum, low, iif(n > 1, {squares}, 0.0) AS squares, min, max,
        {at % "first_time"} AS first, {at % "last_time"} AS last, first_time, last_time
        FROM (SELECT count(*) AS n, {upper} AS sum, {lower} AS low, {mean} AS mean, {least} AS min,
            {greatest} AS max, min(time) AS first_time, max(time) AS last_time {samples})
        WHERE n > 0"""


def roll_up(db: apsw.Connection, kind: Kind, hours: Iterable[tuple[int, int]]) -> None:
    """Make or correct the rollups of pairs of a series' number and an hour."""
    sql = f"INSERT OR REPLACE INTO rollups (series, hour, {COLUMNS}) SELECT ?1, ?4, * FROM ({{}})"
    rollup = select_rollup(kind, "?2", "?3")
    db.executemany(
        sql.format(rollup), ((number, hour * HOUR, (hour + 1) * HOUR, hour) for number, hour in hours)
    )


def has_lost_samples(db: apsw.Connection, number: int, hour: int) -> bool:
    """Whether the retention has deleted samples that are in the rollup of an hour."""
    sql = """SELECT n > (SELECT count(*) FROM samples WHERE series = ?1 AND time >= ?2 AND time < ?3)
        FROM rollups WHERE series = ?1 AND hour = ?4"""
    return bool(db.execute(sql, (number, hour * HOUR, (hour + 1) * HOUR, hour)).get)


def list_hours(db: apsw.Connection, number: int, first: int, end: int) -> list[int]:
    """Return the hours from `first` until before `end` in which a series has samples: a search for each."""
    sql = "SELECT min(time) FROM samples WHERE series = ? AND time >= ? AND time < ?"
    hours: list[int] = []
    while True:
        time: Any = db.execute(sql, (number, first * HOUR, end * HOUR)).get
        if time is None:
            return hours
        hours.append(time // HOUR)
        first = hours[-1] + 1
