"""The rows of documents: how they are found, written and removed on a connection, inside its transaction.

No statement is left open: all rows of a result are fetched before anything can raise.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import apsw
import bson
from bson.errors import BSONError

from stores.backends.sqlite.connection import FileFormat
from stores.backends.sqlite.queries import (
    can_use_index,
    count_statement,
    make_index_key,
    make_index_rows,
    select_statement,
)
from stores.contracts.changes import matches
from stores.contracts.documents import CODEC, Collection, Document, Query, Unique, Where, list_claimed_values
from stores.contracts.errors import Conflict
from stores.contracts.values import list_forms

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
FORMAT = FileFormat(
    application_id=0x53474443,  # "SGDC"
    schema=SCHEMA,
    tables=frozenset({"collections", "documents", "lookups"}),
)


DAMAGE = (BSONError, apsw.CorruptError, ValueError, TypeError)  # what reading a damaged document raises


class CollectionRows:
    """The rows of one collection of one database."""

    def __init__(self, db: apsw.Connection, database: str, collection: Collection) -> None:
        self._db = db
        self._database, self._collection = database, collection

    def number(self) -> int | None:
        """The collection's number in the file, None if it does not exist."""
        sql = "SELECT number FROM collections WHERE database = ? AND name = ?"
        number: int | None = self._db.execute(sql, (self._database, self._collection.name)).get
        return number

    def create(self) -> int:
        """Create the collection if it does not exist. Returns its number."""
        sql = "INSERT OR IGNORE INTO collections (database, name) VALUES (?, ?)"
        self._db.execute(sql, (self._database, self._collection.name))
        return cast(int, self.number())

    def drop(self) -> None:
        number = self.number()
        if number is not None:
            for table in ("lookups", "documents"):
                self._db.execute(f"DELETE FROM {table} WHERE collection = ?", (number,))
            self._db.execute("DELETE FROM collections WHERE number = ?", (number,))

    def bodies(self, queries: Sequence[Query]) -> list[list[bytes]]:
        """The encoded documents of each query."""
        number = self.number()
        if number is None:
            return [[] for _ in queries]
        return [
            [row[0] for row in self._db.execute(*select_statement(self._collection, number, query))]
            for query in queries
        ]

    def find_undamaged(self, query: Query) -> tuple[list[Document], list[int]]:
        """The documents of a query that can be read, and the row numbers of those that cannot.

        Each is read by a statement of its own, because a damaged one ends the statement.
        """
        collection = self.number()
        if collection is None:
            return [], []
        sql, values = select_statement(self._collection, collection, query, "d.number")
        documents, damaged = [], []
        for (number,) in self._db.execute(sql, values).fetchall():
            try:
                body = self._db.execute("SELECT body FROM documents WHERE number = ?", (number,)).get
                documents.append(decode(body))
            except DAMAGE:
                damaged.append(cast(int, number))
        return documents, damaged

    def count(self, where: Where) -> int:
        number = self.number()
        if number is None:
            return 0
        return cast(int, self._db.execute(*count_statement(self._collection, number, where)).get)

    def matching(self, where: Where, limit: int | None = None) -> Iterator[tuple[int, Document]]:
        """The documents that match, by id, with their row numbers.

        Conditions on paths without an index are tried on one document after the other.
        """
        number = self.number()
        if number is None:
            return
        indexed = Query(where=[c for c in where if can_use_index(self._collection, c)])
        sql, values = select_statement(self._collection, number, indexed, "d.number, d.body")
        count = 0
        for row, body in self._db.execute(sql, values).fetchall():
            try:
                document = decode(cast(bytes, body))
            except DAMAGE:
                log.error(
                    "%s.%s: the document in row %d is damaged", self._database, self._collection.name, row
                )
                continue
            if matches(document, where):
                yield cast(int, row), document
                count += 1
                if count == limit:
                    return

    def first(self, where: Where) -> tuple[int, Document] | None:
        return next(self.matching(where, 1), None)

    def insert(self, document: Document) -> None:
        """Store a new document. Raises `Conflict`."""
        self._check_unique(document, None)
        with _report_conflict_as("_id"):
            self._store(None, document)

    def update(self, number: int, document: Document) -> None:
        """Store a document in place of row `number`. Raises `Conflict`."""
        self._check_unique(document, number)
        self._store(number, document)

    def upsert(self, document: Document, body: bytes | None = None) -> None:
        """Store a document in place of the one of the same id. Unique keys are not checked.

        `body` is the document as BSON, if it must be stored as it is.
        """
        sql = "SELECT number FROM documents WHERE collection = ? AND id = ?"
        number = self._db.execute(sql, (self.create(), make_index_key(document["_id"]))).get
        self._store(number, document, body)

    def delete(self, numbers: Iterable[int]) -> None:
        rows = [(number,) for number in numbers]
        self._db.executemany("DELETE FROM lookups WHERE document = ?", rows)
        self._db.executemany("DELETE FROM documents WHERE number = ?", rows)

    def delete_oldest(self, count: int) -> None:
        """Delete all documents but the `count` ones with the highest ids."""
        collection = self.number()
        sql = "SELECT id FROM documents WHERE collection = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        newest = self._db.execute(sql, (collection, count)).get
        if newest is not None:
            sql = "SELECT number FROM documents WHERE collection = ? AND id <= ?"
            rows = self._db.execute(sql, (collection, newest)).fetchall()
            self.delete(cast(int, number) for (number,) in rows)

    def _check_unique(self, document: Document, number: int | None) -> None:
        """Raise `Conflict` if a document other than row `number` has one of this document's unique keys."""
        for unique in self._collection.unique:
            for value in list_claimed_values(document, unique):
                for name in unique.fields:
                    if self._is_taken(unique, name, value, document, number):
                        raise Conflict(f"{name} is taken.", fields=[name])

    def _is_taken(
        self, unique: Unique, name: str, value: str, document: Document, number: int | None
    ) -> bool:
        sql = (
            "SELECT d.body FROM lookups l JOIN documents d ON d.number = l.document"
            " WHERE l.collection = ? AND l.path = ? AND l.document IS NOT ?"
        )
        values: list[object] = [self.number(), name, number]
        if not unique.ignore_case:  # the index knows no case, so that all have to be compared without it
            forms = list_forms(value)
            sql += f" AND l.value IN ({', '.join('?' * len(forms))})"
            values += map(make_index_key, forms)
        others = [decode(cast(bytes, body)) for (body,) in self._db.execute(sql, values).fetchall()]
        return any(
            value in list_claimed_values(other, unique)
            and all(other.get(field) == document.get(field) for field in unique.within)
            for other in others
        )

    def _store(self, number: int | None, document: Document, body: bytes | None = None) -> None:
        collection = self.create()
        body = bson.encode(document) if body is None else body
        identity = make_index_key(document["_id"])
        if number is None:
            self._db.execute(
                "INSERT INTO documents (collection, id, body) VALUES (?, ?, ?)",
                (collection, identity, body),
            )
            number = self._db.last_insert_rowid()
        else:
            sql = "UPDATE documents SET body = ? WHERE number = ?"
            self._db.execute(sql, (body, number))
            self._db.execute("DELETE FROM lookups WHERE document = ?", (number,))
        self._db.executemany(
            "INSERT INTO lookups (document, collection, path, value, id, kind) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, collection, path, value, identity, kind)
                for path, value, kind in make_index_rows(self._collection, document)
            ],
        )


def decode(body: bytes) -> Document:
    return bson.decode(body, CODEC)


@contextlib.contextmanager
def _report_conflict_as(name: str) -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError:
        raise Conflict(f"{name} is taken.", fields=[name]) from None
