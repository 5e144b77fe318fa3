"""A document store that writes down each call it passes on: what a request costs, for traces and tests."""

from collections.abc import Sequence

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


class CountingDocumentStore(DocumentStore):
    """`calls` holds a line for each call, such as `find cnc_devices`, in the order they were made."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self.default = store.default
        self.calls: list[str] = []

    def database(self, name: str) -> DocumentDatabase:
        return CountingDocumentDatabase(self._store.database(name), self.calls)

    async def list_databases(self) -> list[DatabaseInfo]:
        self.calls.append("databases")
        return await self._store.list_databases()

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()


class CountingDocumentDatabase(DocumentDatabase):
    def __init__(self, documents: DocumentDatabase, calls: list[str]) -> None:
        self._documents, self._calls = documents, calls
        self.database = documents.database

    def _count(self, call: str, *collections: Collection) -> None:
        self._calls.append(" ".join([call, *(c.name for c in collections)]))

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        self._count("find", collection)
        return await self._documents.find_many(collection, queries)

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        self._count("count", *collections)
        return await self._documents.count(collections, where)

    async def insert(self, collection: Collection, document: Document) -> None:
        self._count("insert", collection)
        await self._documents.insert(collection, document)

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        self._count("update", collection)
        return await self._documents.update(collection, where, change, insert=insert)

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        self._count("delete", collection)
        return await self._documents.delete(collection, where, first_only=first_only)

    async def replace(self, collection: Collection, where: Where, documents: Sequence[Document]) -> None:
        self._count("replace", collection)
        await self._documents.replace(collection, where, documents)

    async def create_collections(self, collections: Sequence[Collection]) -> None:
        self._count("create", *collections)
        await self._documents.create_collections(collections)

    async def drop_collections(self, collections: Sequence[Collection]) -> None:
        self._count("drop", *collections)
        await self._documents.drop_collections(collections)

    async def list_collections(self) -> list[str]:
        self._count("collections")
        return await self._documents.list_collections()

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        self._count("upsert", collection)
        await self._documents.upsert(collection, documents)
