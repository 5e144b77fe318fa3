"""The document store on SQLite.

A document is stored as BSON, so that its types and key order are MongoDB's own. The values of its
collection's indexes are stored beside it, one row for each value at each path, so that a filter or a page is
a search in an index, whatever the collection's size.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import TypeVar, cast

import apsw
from bson.errors import BSONError

from stores.backends.sqlite.file import SqliteFile
from stores.backends.sqlite.repetitions import find_first_result, record_result
from stores.backends.sqlite.rows import DAMAGE, FORMAT, CollectionRows, decode
from stores.backends.sqlite.writes import Transaction
from stores.contracts.document_store import DatabaseCollection, DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    Change,
    Collection,
    Document,
    Guard,
    IdempotencyKey,
    Query,
    UpdateOne,
    Where,
    Write,
    first_of,
)
from stores.contracts.errors import BadUserInput, Unavailable
from stores.contracts.journal import CappedCollection, JournalEntry, TrimSchedule

T = TypeVar("T")
log = logging.getLogger(__name__)
DOCUMENTS_PER_SLICE = 250  # that are decoded before others have their turns
Work = Callable[[apsw.Connection], T]


class SqliteDocumentStore(DocumentStore):
    """Every database of a deployment in the one file `path`."""

    def __init__(self, path: FilePath, *, default: str = "test") -> None:
        self.default = default
        self._damaged_documents = 0
        self.trims = TrimSchedule()
        self._file = SqliteFile(path, FORMAT, name="document store", readers=1, cache_kib=65536)

    def database(self, name: str) -> "SqliteDocumentDatabase":
        return SqliteDocumentDatabase(self, name)

    @property
    def damaged_documents(self) -> int:
        return self._damaged_documents

    def count_damaged(self, documents: int) -> None:
        self._damaged_documents += documents

    async def list_databases(self) -> list[DatabaseInfo]:
        def read(db: apsw.Connection) -> list[DatabaseInfo]:
            rows = db.execute(
                "SELECT c.database, sum(length(d.body)), count(d.number) FROM collections c"
                " LEFT JOIN documents d ON d.collection = c.number"
                " GROUP BY c.database ORDER BY c.database"
            )
            return [DatabaseInfo(name, size or 0, count == 0) for name, size, count in rows]

        return await self.read(read)

    async def ping(self) -> None:
        # The pages that every list begins with: a file that is damaged there answers nothing.
        sql = "SELECT count(*) FROM collections UNION ALL SELECT number FROM documents LIMIT 2"
        await self.read(lambda db: db.execute(sql).fetchall())

    async def check_writes(self) -> None:
        await self._file.check_writes()

    async def find_across(
        self, collections: Sequence[DatabaseCollection], query: Query
    ) -> list[list[Document] | Exception]:
        def read(db: apsw.Connection) -> list[list[bytes]]:
            return [CollectionRows(db, *collection).bodies([query])[0] for collection in collections]

        try:
            return [[decode(body) for body in bodies] for bodies in await self.read(read)]
        except DAMAGE:
            pass
        except Unavailable as unavailable:
            if not isinstance(unavailable.__cause__, DAMAGE):
                raise
        return await super().find_across(collections, query)  # which leaves damaged documents out

    async def count_across(self, collections: Sequence[DatabaseCollection]) -> list[int | Exception]:
        return await self.read(
            lambda db: [CollectionRows(db, *collection).count(()) for collection in collections]
        )

    async def close(self) -> None:
        await self._file.close()

    async def read(self, work: Work[T]) -> T:
        """Return the result of `work` on one snapshot, with one hop to a thread for all its statements."""
        try:
            return await self._file.read(work)
        except OverflowError:
            raise BadUserInput("A number is too large.") from None

    async def write(self, work: Work[T]) -> T:
        """Return the result of `work`, done in one transaction: all of it is stored, or nothing."""
        try:
            return await self._file.write(work)
        except (BSONError, OverflowError):
            raise BadUserInput("The document cannot be stored.") from None


class SqliteDocumentDatabase(DocumentDatabase):
    """One database of the file."""

    def __init__(self, store: SqliteDocumentStore, database: str) -> None:
        self._store = store
        self.database = database

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        return await self._find(
            lambda db: self._open_rows(db, collection).bodies(queries),
            [(collection, query) for query in queries],
        )

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        return await self._store.read(
            lambda db: [self._open_rows(db, collection).count(where) for collection in collections]
        )

    async def find_across(
        self, collections: Sequence[Collection], query: Query, *, total: int | None = None
    ) -> list[list[Document]]:
        def read(db: apsw.Connection) -> list[list[bytes]]:
            results: list[list[bytes]] = []
            count = 0
            for collection in collections:
                rest = query if total is None else first_of(query, total - count)
                results.append(self._open_rows(db, collection).bodies([rest])[0] if rest.limit != 0 else [])
                count += len(results[-1])
            return results

        return await self._find(read, [(collection, query) for collection in collections])

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Document:
        def write(transaction: Transaction) -> Document:
            first = find_first_result(transaction.db, self.database, idempotency)
            if first is not None:
                return first
            transaction.check_guard(guard)
            transaction.insert(collection, document)
            record_result(transaction.db, self.database, idempotency, document)
            return document

        return await self._write(write)

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        write = UpdateOne(collection, where, change, insert)
        return await self._write(lambda transaction: transaction.update(write))

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
        result: Document | None = None,
    ) -> Document | None:
        def write(transaction: Transaction) -> Document | None:
            first = find_first_result(transaction.db, self.database, idempotency)
            if first is not None:
                return first
            transaction.check_guard(guard)
            results = []
            for index, entry in enumerate(writes):
                results.append(transaction.apply(entry))
                if index == 0 and results[0] is None:
                    return None
            returned = result if result is not None else results[0]
            record_result(transaction.db, self.database, idempotency, returned)
            return returned

        return await self._write(write)

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        limit = 1 if first_only else None
        return await self._write(lambda transaction: transaction.delete(collection, where, limit))

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of `work`, whose changes are recorded in the same transaction."""
        journal = self.journal
        if journal is None:
            return await self._store.write(lambda db: work(Transaction(db, self.database)))

        def write(db: apsw.Connection) -> tuple[T, Sequence[JournalEntry]]:
            transaction = Transaction(db, self.database)
            result = work(transaction)
            entries = journal.describe(self.database, transaction.changes)
            transaction.append(journal.target, entries, self._store.trims, self._store.default)
            return result, entries

        result, entries = await self._store.write(write)
        journal.report_written(entries)
        return result

    async def append(self, target: CappedCollection, entries: Sequence[JournalEntry]) -> None:
        store = self._store
        await store.write(
            lambda db: Transaction(db, self.database).append(target, entries, store.trims, store.default)
        )

    async def list_collections(self) -> list[str]:
        sql = "SELECT name FROM collections WHERE database = ? ORDER BY name"
        rows = await self._store.read(lambda db: db.execute(sql, (self.database,)).fetchall())
        return [cast(str, name) for (name,) in rows]

    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        return await self._store.read(lambda db: self._open_rows(db, collection).bodies([query])[0])

    async def write_raw(self, collection: Collection, documents: Sequence[bytes]) -> None:
        def write(db: apsw.Connection) -> None:
            rows = self._open_rows(db, collection)
            rows.create()
            for body in documents:
                rows.upsert(decode(body), body)

        await self._store.write(write)

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        def write(db: apsw.Connection) -> None:
            rows = self._open_rows(db, collection)
            rows.create()
            for document in documents:
                rows.upsert(document)

        await self._store.write(write)

    async def _find(
        self, read: Work[list[list[bytes]]], queries: Sequence[tuple[Collection, Query]]
    ) -> list[list[Document]]:
        """The documents whose bodies `read` returns. If one is damaged, the queries are made without it."""
        try:
            results = await self._store.read(read)
            return [await _decode_all(bodies) for bodies in results]
        except DAMAGE:
            pass
        except Unavailable as unavailable:
            if not isinstance(unavailable.__cause__, DAMAGE):
                raise
        return [await self.find_undamaged(collection, query) for collection, query in queries]

    async def find_undamaged(self, collection: Collection, query: Query) -> list[Document]:
        """The documents of a query, without those that are damaged: they are logged and counted."""
        documents, damaged = await self._store.read(
            lambda db: self._open_rows(db, collection).find_undamaged(query)
        )
        if damaged:
            self._store.count_damaged(len(damaged))
            rows = ", ".join(map(str, damaged))
            log.error(
                "%s.%s: %d damaged documents were left out of a list (rows %s); run `sync-gateway check`",
                self.database,
                collection.name,
                len(damaged),
                rows,
            )
        return documents

    def _open_rows(self, db: apsw.Connection, collection: Collection) -> CollectionRows:
        return CollectionRows(db, self.database, collection)


async def _decode_all(bodies: Sequence[bytes]) -> list[Document]:
    """Decode documents, many of them in slices between which others have their turns."""
    documents: list[Document] = []
    for start in range(0, len(bodies), DOCUMENTS_PER_SLICE):
        if start:
            await asyncio.sleep(0)
        documents += map(decode, bodies[start : start + DOCUMENTS_PER_SLICE])
    return documents
