"""Finding damage in the files of the embedded stores. A server may use them meanwhile."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import apsw

from stores.backends.sqlite.connection import FileFormat, FileRejected, open_connection
from stores.backends.sqlite.failures import EXPECTED, to_unavailable
from stores.backends.sqlite.rows import DAMAGE, decode
from stores.backends.sqlite.series_moves import list_earlier_machines, list_machines
from stores.backends.sqlite.series_schema import StoredSeries

MAX_FINDINGS = 100  # of SQLite's own check of a file
OBJECT_ID = b"\x07"  # how the keys of object ids begin in an index


def find_damage(path: Path, file_format: FileFormat, progress: Callable[[int, int], None]) -> Iterator[str]:
    """Yield a line for each fault of the file at `path`, in the words of an operator."""
    try:
        db = open_connection(path, file_format, cache_kib=16384, create=False)
    except FileRejected as rejected:
        yield str(rejected)
        return
    except EXPECTED as error:
        yield to_unavailable(path, error).message
        return
    try:
        db.execute("BEGIN")
        if "documents" in file_format.tables:
            yield from (f"{path}: {line}" for line in _find_damaged_documents(db, progress))
        if "series" in file_format.tables:
            yield from (f"{path}: {line}" for line in _find_damaged_series(db))
        for (line,) in db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall():
            if line != "ok":
                yield f"{path}: {line}"
    except apsw.Error as error:
        yield f"{path}: {error}"
    finally:
        db.close(True)


def _find_damaged_documents(db: apsw.Connection, progress: Callable[[int, int], None]) -> Iterator[str]:
    numbers = [cast(int, number) for (number,) in db.execute("SELECT number FROM documents").fetchall()]
    for done, number in enumerate(numbers, 1):
        try:
            decode(cast(bytes, db.execute("SELECT body FROM documents WHERE number = ?", (number,)).get))
        except DAMAGE as error:
            yield f"{_name(db, number)} is damaged ({error})"
        if done % 1000 == 0 or done == len(numbers):
            progress(done, len(numbers))


def _find_damaged_series(db: apsw.Connection) -> Iterator[str]:
    sql = "SELECT number, database, measurement, field FROM series WHERE NOT json_valid(tags)"
    for number, database, measurement, field in db.execute(sql).fetchall():
        yield f"{database}: the tags of series {number} ({measurement}, {field}) are damaged"
    sql = "SELECT number, machine, field, kind, tags, database, measurement FROM series"
    rows: list[Any] = db.execute(sql).fetchall()
    for *columns, database, measurement in rows:
        series = StoredSeries(*columns)
        for table in ("samples", "changes"):
            sql = f"SELECT count(*), min(time) FROM {table} WHERE series = ? AND NOT ({series.condition})"
            for count, time in db.execute(sql, (series.number,)).fetchall():
                if count:
                    name = f"series {series.number} ({measurement}, {series.field})"
                    yield f"{database}: {count} {table} of {name} are damaged, the first at {time} ns"


def _name(db: apsw.Connection, number: int) -> str:
    """The organization, the collection and the id of the document in a row, as far as they can be read."""
    sql = (
        "SELECT c.database, c.name, d.id FROM documents d LEFT JOIN collections c ON c.number = d.collection"
        " WHERE d.number = ?"
    )
    try:
        database, collection, key = db.execute(sql, (number,)).fetchall()[0]
    except apsw.Error:
        return f"the document in row {number}"
    document_id = repr(key)
    if isinstance(key, bytes) and key.startswith(OBJECT_ID):
        document_id = key.removeprefix(OBJECT_ID).hex()
    return f"{database}.{collection}: the document {document_id} in row {number}"


def find_unassigned_machines(path: Path, file_format: FileFormat, database: str) -> tuple[list[str], int]:
    """The machines of a database in the time-series file, and how many of them nobody has settled yet."""
    db = open_connection(path, file_format, cache_kib=1024, create=False)
    try:
        machines = list_machines(db, database, "", -1)
        return machines, list_earlier_machines(db, 0)[1]
    finally:
        db.close(True)
