"""A document store around a document store: every call passes through an `Interceptor`."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from stores.contracts.document_store import DatabaseCollection, DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    Change,
    Collection,
    Document,
    Guard,
    IdempotencyKey,
    Query,
    Where,
    Write,
    list_written,
)
from stores.contracts.journal import CappedCollection, Journal, JournalEntry
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class WrappedDocumentStore(DocumentStore):
    """Passes each call, except `close`, to `store` through `interceptor`.

    Reads that every request makes return the coroutine of the interceptor: one of their own would only wait.
    """

    def __init__(self, store: DocumentStore, interceptor: Interceptor) -> None:
        self._store, self._interceptor = store, interceptor
        self.default = store.default

    @property
    def damaged_documents(self) -> int:
        return self._store.damaged_documents

    @property
    def is_suspended(self) -> bool:
        return self._interceptor.is_suspended or self._store.is_suspended

    def database(self, name: str) -> DocumentDatabase:
        return WrappedDocumentDatabase(self._store.database(name), self._interceptor)

    async def list_databases(self) -> list[DatabaseInfo]:
        return await self._interceptor.run(StoreCall("databases"), self._store.list_databases)

    async def ping(self) -> None:
        await self._interceptor.run(StoreCall("ping"), self._store.ping)

    async def check_writes(self) -> None:
        await self._interceptor.run(StoreCall("check_writes"), self._store.check_writes)

    def find_across(
        self, collections: Sequence[DatabaseCollection], query: Query
    ) -> Coroutine[Any, Any, list[list[Document] | Exception]]:
        call = StoreCall("find", partial(_join_names_across, collections))
        return self._interceptor.run(call, partial(self._store.find_across, collections, query))

    def count_across(
        self, collections: Sequence[DatabaseCollection]
    ) -> Coroutine[Any, Any, list[int | Exception]]:
        call = StoreCall("count", partial(_join_names_across, collections))
        return self._interceptor.run(call, partial(self._store.count_across, collections))

    def get_cache_sizes(self) -> dict[str, int]:
        return self._store.get_cache_sizes()

    async def close(self) -> None:
        await self._store.close()


class WrappedDocumentDatabase(DocumentDatabase):
    """One database of a `WrappedDocumentStore`."""

    def __init__(self, documents: DocumentDatabase, interceptor: Interceptor) -> None:
        self._documents, self._interceptor = documents, interceptor
        self.database = documents.database

    def with_journal(self, journal: Journal) -> "WrappedDocumentDatabase":
        return WrappedDocumentDatabase(self._documents.with_journal(journal), self._interceptor)

    def _read(
        self, operation: str, subject: str, proceed: Callable[[], Awaitable[T]]
    ) -> Coroutine[Any, Any, T]:
        return self._interceptor.run(StoreCall(operation, subject), proceed)

    def _write(
        self, operation: str, subject: str, proceed: Callable[[], Awaitable[T]]
    ) -> Coroutine[Any, Any, T]:
        return self._interceptor.run(StoreCall(operation, subject, is_write=True), proceed)

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        return await self._read(
            "find", collection.name, lambda: self._documents.find_many(collection, queries)
        )

    async def find_columns(
        self, collection: Collection, queries: Sequence[Query]
    ) -> list[Sequence[Document]]:
        return await self._read(
            "find", collection.name, lambda: self._documents.find_columns(collection, queries)
        )

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        return await self._read(
            "count", join_names(collections), lambda: self._documents.count(collections, where)
        )

    async def find_across(
        self, collections: Sequence[Collection], query: Query, *, total: int | None = None
    ) -> list[list[Document]]:
        return await self._read(
            "find",
            join_names(collections),
            lambda: self._documents.find_across(collections, query, total=total),
        )

    async def list_collections(self) -> list[str]:
        return await self._read("collections", "", self._documents.list_collections)

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Document:
        return await self._write(
            "insert",
            collection.name,
            lambda: self._documents.insert(collection, document, guard=guard, idempotency=idempotency),
        )

    async def update(
        self, collection: Collection, where: Where, change: Change, *, insert: Document | None = None
    ) -> Document | None:
        return await self._write(
            "update",
            collection.name,
            lambda: self._documents.update(collection, where, change, insert=insert),
        )

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        return await self._write(
            "delete",
            collection.name,
            lambda: self._documents.delete(collection, where, first_only=first_only),
        )

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
        result: Document | None = None,
    ) -> Document | None:
        return await self._write(
            "write",
            join_names(list_written(writes)),
            lambda: self._documents.write_all(writes, guard=guard, idempotency=idempotency, result=result),
        )

    async def append(self, target: CappedCollection, entries: Sequence[JournalEntry]) -> None:
        await self._write("append", target.collection.name, lambda: self._documents.append(target, entries))

    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        return await self._read(
            "read raw", collection.name, lambda: self._documents.read_raw(collection, query)
        )

    async def write_raw(self, collection: Collection, documents: Sequence[bytes]) -> None:
        await self._write(
            "write raw", collection.name, lambda: self._documents.write_raw(collection, documents)
        )

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        await self._write("upsert", collection.name, lambda: self._documents.upsert(collection, documents))


def join_names(collections: Sequence[Collection]) -> str:
    """The different names of collections, for a log line or a trace."""
    if len(collections) == 1:
        return collections[0].name
    return " ".join(dict.fromkeys(collection.name for collection in collections))


def _join_names_across(collections: Sequence[DatabaseCollection]) -> str:
    return join_names([collection for _, collection in collections])
