"""How a file of the embedded stores is opened, by any number of connections and processes at once."""

import time
from collections.abc import Callable
from pathlib import Path

import apsw


def connect(path: Path, deadline: float, prepare: Callable[[apsw.Connection], None]) -> apsw.Connection:
    """A connection that waits `deadline` seconds for others; `prepare` brings the file to its schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(path), statementcachesize=256)
    try:
        db.set_busy_timeout(int(deadline * 1000))
        _log_ahead(db, time.monotonic() + deadline)
        db.pragma("synchronous", "full")
        prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def _log_ahead(db: apsw.Connection, until: float) -> None:
    """Turn the file to WAL. Of two connections that do so SQLite fails one at once, busy timeout or not."""
    while True:
        try:
            db.pragma("journal_mode", "wal")
            return
        except apsw.BusyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)
