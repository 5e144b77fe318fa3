"""The changes of the embedded time-series file: the samples of a series that differ from the one before.

They are stored beside the samples for booleans and strings, which machines repeat in heartbeats. Numbers
change with nearly every sample: their changes are found among the samples.
"""

from collections.abc import Iterable

import apsw

from stores.backends.sqlite.series_schema import CONDITIONS
from stores.contracts.samples import Kind

STORED: tuple[Kind, ...] = ("boolean", "string")  # the kinds whose changes are stored
Span = tuple[int, int, int]  # the number of a series, and the first and the last time of what was written


def update_changes(db: apsw.Connection, kind: Kind, spans: Iterable[Span]) -> None:
    """Find the changes within spans of samples that were written or deleted, and behind each of them."""
    condition = CONDITIONS[kind]
    after = f"SELECT min(time) FROM samples WHERE series = ?1 AND time > ?3 AND {condition}"
    within = f"series = ?1 AND time >= ?2 AND time <= coalesce(({after}), ?3)"
    before = f"""SELECT value FROM samples b WHERE b.series = ?1 AND b.time < s.time
        AND {condition.replace("value", "b.value")} ORDER BY b.time DESC LIMIT 1"""
    spans = list(spans)
    db.executemany(f"DELETE FROM changes WHERE {within}", spans)
    sql = f"""INSERT OR REPLACE INTO changes SELECT series, time, value FROM samples s
        WHERE {within} AND {condition} AND value IS NOT ({before})"""
    db.executemany(sql, spans)
