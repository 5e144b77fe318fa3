"""Results of writes that are applied once for each idempotency key, stored for 24 hours."""

import time

import apsw
import bson

from stores.contracts.documents import CODEC, Document, IdempotencyKey
from stores.contracts.errors import Conflict

REPETITIONS_TTL_S = 24 * 3600
TABLE = """CREATE TABLE IF NOT EXISTS repetitions (
    database TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, result BLOB NOT NULL,
    written_at REAL NOT NULL, PRIMARY KEY (database, key)) WITHOUT ROWID"""


def find_first_result(
    db: apsw.Connection, database: str, idempotency: IdempotencyKey | None
) -> Document | None:
    """The result of an earlier write under the key. Raises `Conflict` if that was another request."""
    if idempotency is None:
        return None
    db.execute(TABLE)
    db.execute("DELETE FROM repetitions WHERE written_at < ?", (time.time() - REPETITIONS_TTL_S,))
    row = db.execute(
        "SELECT fingerprint, result FROM repetitions WHERE database = ? AND key = ?",
        (database, idempotency.key),
    ).fetchone()
    if row is None:
        return None
    fingerprint, result = row
    if fingerprint != idempotency.fingerprint:
        raise Conflict("The idempotency key was used for another request.", fields=["idempotencyKey"])
    return bson.decode(result, CODEC)


def record_result(
    db: apsw.Connection, database: str, idempotency: IdempotencyKey | None, result: Document | None
) -> None:
    """Record the result of a write, in the transaction of the write."""
    if idempotency is not None:
        db.execute(
            "INSERT INTO repetitions (database, key, fingerprint, result, written_at) VALUES (?, ?, ?, ?, ?)",
            (database, idempotency.key, idempotency.fingerprint, bson.encode(result or {}), time.time()),
        )
