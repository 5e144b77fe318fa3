"""The document store on MongoDB, through PyMongo's asynchronous client or through Motor."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne

from stores.backends.mongo.applying import WriteApplier
from stores.backends.mongo.connection import RAW, MongoConnection
from stores.backends.mongo.filters import match_id
from stores.backends.mongo.journals import JournalWriter
from stores.backends.mongo.locks import HIDDEN_PREFIX, Locks
from stores.backends.mongo.operations import Operations, Request
from stores.backends.mongo.reading import Reader
from stores.backends.mongo.recovery import Recovery
from stores.backends.mongo.repetitions import Repetitions
from stores.backends.mongo.uniqueness import UniqueKeys
from stores.contracts.document_store import DatabaseInfo, DocumentDatabase, DocumentStore
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
)
from stores.contracts.journal import CappedCollection, DocumentChange, JournalEntry
from stores.contracts.outcomes import track_writes

SYSTEM_DATABASES = {"admin", "local", "config"}


class MongoDocumentStore(MongoConnection, DocumentStore):
    """Every database of a MongoDB deployment."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.locks = Locks(self)
        self.unique_keys = UniqueKeys(self, self.locks)
        self.repetitions = Repetitions(self)
        self.journals = JournalWriter(self)
        self.recovery = Recovery(self, self.repetitions, lambda name: self.operations(name).finish())

    def database(self, name: str) -> "MongoDocumentDatabase":
        return MongoDocumentDatabase(self, name)

    def applier(self, database: str, changes: list[DocumentChange] | None = None) -> WriteApplier:
        return WriteApplier(self, self.unique_keys, database, changes)

    def operations(self, database: str) -> Operations:
        return Operations(self, self.locks, self.repetitions, self.applier(database))

    async def list_databases(self) -> list[DatabaseInfo]:
        async with self.command():
            cursor = await self.client.list_databases()
            databases = await cursor.to_list(None)
        infos = (
            DatabaseInfo(
                entry["name"], _read_integer(entry.get("sizeOnDisk")), bool(entry.get("empty", False))
            )
            for entry in databases
            if entry["name"] not in SYSTEM_DATABASES
        )
        return sorted(infos, key=lambda info: info.name)

    async def ping(self) -> None:
        async with self.command():
            await self.client.admin.command("ping")

    async def close(self) -> None:
        await self.recovery.close()
        await self.locks.close()
        await super().close()


def _read_integer(size: Any) -> int | None:
    return None if size is None else int(size)


class MongoDocumentDatabase(DocumentDatabase):
    """One database of the deployment."""

    def __init__(self, store: MongoDocumentStore, database: str) -> None:
        self._store = store
        self.database = database
        self._reader = Reader(store, database)

    async def _ensure_recovered(self) -> None:
        if not self._store.recovery.is_done:
            await self._store.recovery.recover_before_first_use()

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        await self._ensure_recovered()
        return await self._reader.find_many(collection, queries)

    async def find_columns(
        self, collection: Collection, queries: Sequence[Query]
    ) -> list[Sequence[Document]]:
        await self._ensure_recovered()
        return await self._reader.find_columns(collection, queries)

    async def find_across(
        self, collections: Sequence[Collection], query: Query, *, total: int | None = None
    ) -> list[list[Document]]:
        await self._ensure_recovered()
        return await self._reader.find_across(collections, query, total)

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        await self._ensure_recovered()
        return await self._reader.count(collections, where)

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Document:
        async with self._note_changes() as applier:
            if idempotency is None:
                await applier.insert(collection, document, guard)
                return document
            return await self._store.repetitions.insert_once(
                self.database,
                idempotency,
                document,
                lambda recorded: applier.insert(collection, recorded, guard),
                lambda document_id: applier.is_stored(collection, document_id),
            )

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        async with self._note_changes() as applier:
            return await applier.update(UpdateOne(collection, where, change, insert))

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        async with self._note_changes() as applier:
            return await applier.delete(collection, where, first_only=first_only)

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
        result: Document | None = None,
    ) -> Document | None:
        request = Request(writes, guard, idempotency, result)
        async with self._note_changes() as applier:
            return await self._store.operations(self.database).apply(request, applier)

    @asynccontextmanager
    async def _note_changes(self) -> AsyncIterator[WriteApplier]:
        """What applies one write. Afterwards, its changes are recorded in the journal, if there is one."""
        await self._ensure_recovered()
        if self.journal is None:
            yield self._store.applier(self.database)
            return
        changes: list[DocumentChange] = []
        with track_writes() as writes:
            try:
                yield self._store.applier(self.database, changes)
            except BaseException:
                if writes.may_be_applied:
                    self.journal.report_unknown()
                raise
        await self._store.journals.record(self.journal, self.database, changes)

    async def append(self, target: CappedCollection, entries: Sequence[JournalEntry]) -> None:
        await self._ensure_recovered()
        await self._store.journals.append(target, self.database, entries)

    async def list_collections(self) -> list[str]:
        await self._ensure_recovered()
        async with self._store.command():
            names = await self._store.client[self.database].list_collection_names()
        return sorted(name for name in names if not name.startswith(("system.", HIDDEN_PREFIX)))

    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        await self._ensure_recovered()
        return await self._reader.read_raw(collection, query)

    async def write_raw(self, collection: Collection, documents: Sequence[bytes]) -> None:
        await self._replace(collection, [RawBSONDocument(document, RAW) for document in documents])

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        await self._replace(collection, documents)

    async def _replace(self, collection: Collection, documents: Sequence[Mapping[str, Any]]) -> None:
        await self._ensure_recovered()
        if documents:
            writes = [ReplaceOne(match_id(d["_id"]), d, upsert=True) for d in documents]
            async with self._store.command(is_write=True):
                target = self._store.collection(self.database, collection.name)
                await target.bulk_write(writes, ordered=False, comment=self._store.write_comment)
