"""What all wrappers of a document store share: every call is passed on through one method."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stores.contracts.document_store import DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import Change, Collection, Document, Guard, Once, Query, Where, Write

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreCall:
    """A call: its name, the collections that it names, and whether it can change documents."""

    name: str
    collections: Sequence[Collection] = ()
    writes: bool = False


class PassingDocumentStore(DocumentStore):
    """Passes every call to `store`. Subclasses override `pass_on`, through which all calls go."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self.default = store.default

    async def pass_on(self, call: StoreCall, run: Callable[[], Awaitable[T]]) -> T:
        """Make the call by `run` and return its result."""
        return await run()

    def database(self, name: str) -> DocumentDatabase:
        return PassingDocumentDatabase(self, self._store.database(name))

    async def list_databases(self) -> list[DatabaseInfo]:
        return await self.pass_on(StoreCall("databases"), self._store.list_databases)

    async def ping(self) -> None:
        await self.pass_on(StoreCall("ping"), self._store.ping)

    async def close(self) -> None:
        await self._store.close()


class PassingDocumentDatabase(DocumentDatabase):
    """One database of a `PassingDocumentStore`."""

    def __init__(self, store: PassingDocumentStore, documents: DocumentDatabase) -> None:
        self._pass_on, self._documents = store.pass_on, documents
        self.database = documents.database

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        call = StoreCall("find", (collection,))
        return await self._pass_on(call, lambda: self._documents.find_many(collection, queries))

    async def find_across(self, collections: Sequence[Collection], query: Query) -> list[list[Document]]:
        call = StoreCall("find", collections)
        return await self._pass_on(call, lambda: self._documents.find_across(collections, query))

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        call = StoreCall("count", collections)
        return await self._pass_on(call, lambda: self._documents.count(collections, where))

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        once: Once | None = None,
    ) -> Document:
        call = StoreCall("insert", (collection,), writes=True)
        return await self._pass_on(
            call, lambda: self._documents.insert(collection, document, guard=guard, once=once)
        )

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        call = StoreCall("update", (collection,), writes=True)
        return await self._pass_on(
            call, lambda: self._documents.update(collection, where, change, insert=insert)
        )

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        call = StoreCall("delete", (collection,), writes=True)
        return await self._pass_on(
            call, lambda: self._documents.delete(collection, where, first_only=first_only)
        )

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        once: Once | None = None,
        result: Document | None = None,
    ) -> Document | None:
        call = StoreCall("write_all", writes=True)
        return await self._pass_on(
            call, lambda: self._documents.write_all(writes, guard=guard, once=once, result=result)
        )

    async def list_collections(self) -> list[str]:
        return await self._pass_on(StoreCall("collections"), self._documents.list_collections)

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        call = StoreCall("upsert", (collection,), writes=True)
        await self._pass_on(call, lambda: self._documents.upsert(collection, documents))
