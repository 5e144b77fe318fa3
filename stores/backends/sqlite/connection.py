"""How a file of the embedded stores is opened, by any number of connections and processes at once."""

import time
from pathlib import Path

import apsw


def connect(path: Path, deadline: float, *, schema: str, version: int, cache: int) -> apsw.Connection:
    """A connection that waits `deadline` seconds for others and keeps `cache` KiB of pages.

    A new file is given the `schema`. Raises `apsw.Error` for one that a newer gateway has made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(path), statementcachesize=256)
    try:
        db.set_busy_timeout(int(deadline * 1000))
        _log_ahead(db, time.monotonic() + deadline)
        db.pragma("synchronous", "full")
        db.pragma("cache_size", -cache)
        if db.pragma("user_version") < version:
            db.execute("BEGIN IMMEDIATE")
            if db.pragma("user_version") < version:  # no other connection made it meanwhile
                db.execute(f"{schema} PRAGMA user_version = {version}")
            db.execute("COMMIT")
        found = db.pragma("user_version")
        if found > version:
            raise apsw.Error(f"the file is of version {found}, this gateway knows {version}")
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
