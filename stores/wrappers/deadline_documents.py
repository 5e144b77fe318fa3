"""A document store whose every call ends within a deadline, waiting included."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from stores.contracts.documents import (
    Change,
    Collection,
    DatabaseInfo,
    Document,
    DocumentDatabase,
    DocumentStore,
    Query,
    Where,
)
from stores.wrappers.deadlines import within_deadline

T = TypeVar("T")


async def _within(deadline_s: float, call: Awaitable[T]) -> T:
    return await within_deadline("document store", deadline_s, call)


class DeadlineDocumentStore(DocumentStore):
    """Passes each call to `store` and raises `Unavailable` when it takes longer than `deadline_s` seconds."""

    def __init__(self, store: DocumentStore, deadline_s: float) -> None:
        self._store, self._deadline_s = store, deadline_s
        self.default = store.default

    def database(self, name: str) -> DocumentDatabase:
        return DeadlineDocumentDatabase(self._store.database(name), self._deadline_s)

    async def list_databases(self) -> list[DatabaseInfo]:
        return await _within(self._deadline_s, self._store.list_databases())

    async def ping(self) -> None:
        await _within(self._deadline_s, self._store.ping())

    async def close(self) -> None:
        await self._store.close()


class DeadlineDocumentDatabase(DocumentDatabase):
    """One database of a `DeadlineDocumentStore`."""

    def __init__(self, documents: DocumentDatabase, deadline_s: float) -> None:
        self._documents, self._deadline_s = documents, deadline_s
        self.database = documents.database

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        return await _within(self._deadline_s, self._documents.find_many(collection, queries))

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        return await _within(self._deadline_s, self._documents.count(collections, where))

    async def insert(self, collection: Collection, document: Document) -> None:
        await _within(self._deadline_s, self._documents.insert(collection, document))

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        return await _within(
            self._deadline_s, self._documents.update(collection, where, change, insert=insert)
        )

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        return await _within(
            self._deadline_s, self._documents.delete(collection, where, first_only=first_only)
        )

    async def replace(self, collection: Collection, where: Where, documents: Sequence[Document]) -> None:
        await _within(self._deadline_s, self._documents.replace(collection, where, documents))

    async def create_collections(self, collections: Sequence[Collection]) -> None:
        await _within(self._deadline_s, self._documents.create_collections(collections))

    async def drop_collections(self, collections: Sequence[Collection]) -> None:
        await _within(self._deadline_s, self._documents.drop_collections(collections))

    async def list_collections(self) -> list[str]:
        return await _within(self._deadline_s, self._documents.list_collections())

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        await _within(self._deadline_s, self._documents.upsert(collection, documents))
