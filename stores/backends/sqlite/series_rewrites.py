"""The log of changes to the past in the embedded time-series file, for the caches of all processes.

Whatever writes points into the past, deletes points or moves them calls `record_rewrites` in its transaction.
"""

import time
from collections.abc import Iterable, Sequence

import apsw

from stores.contracts.rewrites import SETTLING_S, Rewrite, RewriteReport
from stores.contracts.samples import MACHINE, SECOND, Point

MAX_ROWS = 10_000  # of the log; a reader that is further behind must assume that anything may have changed
MAX_MACHINES = 20  # that a transaction names one by one
ANY_MACHINE = ""


def record_rewrites(db: apsw.Connection, rewrites: Iterable[Rewrite]) -> None:
    """Record changes to the past, which become visible together with all else that the transaction does."""
    rows = [(database, machine or ANY_MACHINE, start, stop) for database, machine, start, stop in rewrites]
    if rows:
        sql = "INSERT OR REPLACE INTO rewrites (database, machine, start, stop) VALUES (?, ?, ?, ?)"
        db.executemany(sql, rows)
        db.execute(
            "DELETE FROM rewrites WHERE position <= (SELECT max(position) FROM rewrites) - ?", (MAX_ROWS,)
        )


def record_late_points(db: apsw.Connection, database: str, points: Sequence[Point]) -> None:
    """Record which of the points that are written now are of the past."""
    settled = time.time_ns() - SETTLING_S * SECOND
    late = [point for point in points if point.time < settled]
    if not late:
        return
    times = [point.time for point in late]
    named: set[str | None] = set()
    for point in late:
        named.add(dict(point.tags).get(MACHINE))
        if len(named) > MAX_MACHINES:
            named = {None}
            break
    record_rewrites(db, (Rewrite(database, machine, min(times), max(times) + 1) for machine in named))


def read_rewrites(db: apsw.Connection, after: int | None) -> RewriteReport:
    """See `RewriteLog.list_rewrites`."""
    position = int(db.execute("SELECT coalesce(max(position), 0) FROM rewrites").get)
    if after is None or after == position:
        return RewriteReport(position, [])
    if not position - MAX_ROWS <= after < position:
        return RewriteReport(position, None)
    sql = "SELECT database, machine, start, stop FROM rewrites WHERE position > ?"
    rows = db.execute(sql, (after,))
    return RewriteReport(position, [Rewrite(name, machine or None, *times) for name, machine, *times in rows])
