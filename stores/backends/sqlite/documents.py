"""The document store on SQLite: one file, one connection, one thread that owns it.

A document is kept as BSON, so that its types and key order are MongoDB's own. What conditions and
orders ask for is kept beside it, one row for each value at each lookup path, so that a filter or a page
is a search in an index whatever the collection's size.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath
from typing import TypeVar, cast

import apsw
import bson
from bson.errors import BSONError

from stores.backends.sqlite.connection import connect
from stores.backends.sqlite.queries import answers, key, lookups, select, tally
from stores.contracts.changes import apply, fits
from stores.contracts.documents import (
    CODEC,
    Change,
    Collection,
    DatabaseInfo,
    Document,
    DocumentDatabase,
    DocumentStore,
    Query,
    Where,
    claimed_values,
)
from stores.contracts.errors import BadUserInput, Conflict, Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    number INTEGER PRIMARY KEY, database TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (database, name));
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY, collection INTEGER NOT NULL, id NOT NULL, body BLOB NOT NULL,
    UNIQUE (collection, id));
CREATE TABLE IF NOT EXISTS lookups (
    document INTEGER NOT NULL, collection INTEGER NOT NULL, path TEXT NOT NULL, value, id NOT NULL,
    kind INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS lookups_by_value ON lookups (collection, path, value, id, document, kind);
CREATE INDEX IF NOT EXISTS lookups_by_document ON lookups (document);
"""
VERSION = 1


def decode(body: bytes) -> Document:
    return bson.decode(body, CODEC)


class SqliteDocumentStore(DocumentStore):
    """Every database in the one file `path`; `deadline` in seconds bounds a call, waiting included."""

    def __init__(self, path: FilePath, *, default: str = "test", deadline: float = 5.0) -> None:
        self.default = default
        self._path = path
        self._deadline = deadline
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="documents")
        self._connection: apsw.Connection | None = None

    def database(self, name: str) -> "SqliteDocumentDatabase":
        return SqliteDocumentDatabase(self, name)

    async def list_databases(self) -> list[DatabaseInfo]:
        def read(db: apsw.Connection) -> list[DatabaseInfo]:
            rows = db.execute(
                "SELECT c.database, sum(length(d.body)), count(d.number) FROM collections c"
                " LEFT JOIN documents d ON d.collection = c.number"
                " GROUP BY c.database ORDER BY c.database"
            )
            return [DatabaseInfo(name, size or 0, count == 0) for name, size, count in rows]

        return await self.run(read)

    async def ping(self) -> None:
        await self.run(lambda db: db.execute("SELECT 1").fetchall())

    async def close(self) -> None:
        def close() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._owner, close)
        self._owner.shutdown()

    async def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do `work` on the owner thread: one hop for a whole batch of statements."""
        future = asyncio.get_running_loop().run_in_executor(self._owner, self._work, work)
        try:
            async with asyncio.timeout(self._deadline):
                return await future
        except TimeoutError:
            raise Unavailable("the document store does not answer") from None
        except (BSONError, OverflowError):
            raise BadUserInput("the document cannot be stored") from None
        except (apsw.Error, OSError) as error:
            log.warning("document store: %s: %s", type(error).__name__, error)
            raise Unavailable("the document store does not answer") from None

    async def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do `work` in one transaction: all of it is kept, or nothing."""

        def transaction(db: apsw.Connection) -> T:
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            return result

        # A caller that gives up does not cut a write off between its statements and its answer.
        return await asyncio.shield(self.run(transaction))

    def _work(self, work: Callable[[apsw.Connection], T]) -> T:
        if self._connection is None:
            self._connection = connect(
                self._path, self._deadline, schema=SCHEMA, version=VERSION, cache=65536
            )
        return work(self._connection)


class SqliteDocumentDatabase(DocumentDatabase):
    """One database of the file."""

    def __init__(self, store: SqliteDocumentStore, database: str) -> None:
        self._store = store
        self.database = database

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        def read(db: apsw.Connection) -> list[list[bytes]]:
            number = self._number(db, collection)
            if number is None:
                return [[] for _ in queries]
            found = []
            for query in queries:
                sql, values = select(collection, number, query)
                found.append([row[0] for row in db.execute(sql, values)])
            return found

        bodies = await self._store.run(read)
        return [[decode(body) for body in each] for each in bodies]

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        def read(db: apsw.Connection) -> list[int]:
            counts = []
            for collection in collections:
                number = self._number(db, collection)
                if number is None:
                    counts.append(0)
                else:
                    counts.append(db.execute(*tally(collection, number, where)).get)
            return counts

        return await self._store.run(read)

    async def insert(self, collection: Collection, document: Document) -> None:
        await self._store.write(lambda db: self._insert(db, collection, document))

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        def write(db: apsw.Connection) -> Document | None:
            row = self._first(db, collection, where)
            if row is not None:
                number, document = row
                changed = apply(document, change)
                self._check_unique(db, collection, changed, number)
                self._keep(db, collection, number, changed)
                return changed
            if insert is None:
                return None
            changed = apply(insert, change)
            try:
                self._insert(db, collection, changed)
            except Conflict:
                return None
            return changed

        return await self._store.write(write)

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        def write(db: apsw.Connection) -> int:
            numbers = [n for n, _ in self._fitting(db, collection, where, 1 if first_only else None)]
            self._remove(db, numbers)
            return len(numbers)

        return await self._store.write(write)

    async def replace(self, collection: Collection, where: Where, documents: Sequence[Document]) -> None:
        def write(db: apsw.Connection) -> None:
            self._remove(db, [number for number, _ in self._fitting(db, collection, where, None)])
            for document in documents:
                self._insert(db, collection, document)

        await self._store.write(write)

    async def create_collections(self, collections: Sequence[Collection]) -> None:
        def write(db: apsw.Connection) -> None:
            for collection in collections:
                self._made(db, collection)

        await self._store.write(write)

    async def drop_collections(self, collections: Sequence[Collection]) -> None:
        def write(db: apsw.Connection) -> None:
            for collection in collections:
                number = self._number(db, collection)
                if number is not None:
                    for table in ("lookups", "documents"):
                        db.execute(f"DELETE FROM {table} WHERE collection = ?", (number,))
                    db.execute("DELETE FROM collections WHERE number = ?", (number,))

        await self._store.write(write)

    async def list_collections(self) -> list[str]:
        sql = "SELECT name FROM collections WHERE database = ? ORDER BY name"
        rows = await self._store.run(lambda db: db.execute(sql, (self.database,)).fetchall())
        return [cast(str, name) for (name,) in rows]

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        def write(db: apsw.Connection) -> None:
            made = self._made(db, collection)
            for document in documents:
                sql = "SELECT number FROM documents WHERE collection = ? AND id = ?"
                number = db.execute(sql, (made, key(document["_id"]))).get
                self._keep(db, collection, number, document)

        await self._store.write(write)

    # What follows runs on the owner thread.

    def _number(self, db: apsw.Connection, collection: Collection) -> int | None:
        sql = "SELECT number FROM collections WHERE database = ? AND name = ?"
        number: int | None = db.execute(sql, (self.database, collection.name)).get
        return number

    def _made(self, db: apsw.Connection, collection: Collection) -> int:
        db.execute(
            "INSERT OR IGNORE INTO collections (database, name) VALUES (?, ?)",
            (self.database, collection.name),
        )
        number = self._number(db, collection)
        assert number is not None
        return number

    def _fitting(
        self, db: apsw.Connection, collection: Collection, where: Where, limit: int | None
    ) -> Iterator[tuple[int, Document]]:
        """Documents that fit, by id; conditions on paths that are no lookups are tried one by one."""
        number = self._number(db, collection)
        if number is None:
            return
        indexed = Query(where=[c for c in where if answers(collection, c)])
        sql, values = select(collection, number, indexed, "d.number, d.body")
        found = 0
        for row, body in db.execute(sql, values).fetchall():
            document = decode(cast(bytes, body))
            if fits(document, where):
                yield cast(int, row), document
                found += 1
                if found == limit:
                    return

    def _first(
        self, db: apsw.Connection, collection: Collection, where: Where
    ) -> tuple[int, Document] | None:
        return next(self._fitting(db, collection, where, 1), None)

    def _insert(self, db: apsw.Connection, collection: Collection, document: Document) -> None:
        self._check_unique(db, collection, document, None)
        with _taken("_id"):
            self._keep(db, collection, None, document)

    def _check_unique(
        self, db: apsw.Connection, collection: Collection, document: Document, number: int | None
    ) -> None:
        made = self._made(db, collection)
        for unique in collection.unique:
            for value in claimed_values(document, unique):
                for name in unique.fields:
                    rows = db.execute(
                        "SELECT d.number, d.body FROM lookups l JOIN documents d ON d.number = l.document"
                        " WHERE l.collection = ? AND l.path = ? AND l.value = ? AND l.document IS NOT ?",
                        (made, name, key(value), number),
                    )
                    for _, body in rows:
                        other = decode(body)
                        if all(other.get(f) == document.get(f) for f in unique.within):
                            raise Conflict(f"{name} is taken", fields=[name])

    def _keep(
        self, db: apsw.Connection, collection: Collection, number: int | None, document: Document
    ) -> None:
        made = self._made(db, collection)
        identity = key(document["_id"])
        if number is None:
            db.execute(
                "INSERT INTO documents (collection, id, body) VALUES (?, ?, ?)",
                (made, identity, bson.encode(document)),
            )
            number = db.last_insert_rowid()
        else:
            db.execute("UPDATE documents SET body = ? WHERE number = ?", (bson.encode(document), number))
            db.execute("DELETE FROM lookups WHERE document = ?", (number,))
        db.executemany(
            "INSERT INTO lookups (document, collection, path, value, id, kind) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, made, path, value, identity, kind)
                for path, value, kind in lookups(collection, document)
            ],
        )

    def _remove(self, db: apsw.Connection, numbers: Iterable[int]) -> None:
        rows = [(number,) for number in numbers]
        db.executemany("DELETE FROM lookups WHERE document = ?", rows)
        db.executemany("DELETE FROM documents WHERE number = ?", rows)


@contextlib.contextmanager
def _taken(name: str) -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError:
        raise Conflict(f"{name} is taken", fields=[name]) from None
