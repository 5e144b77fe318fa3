"""Recording changes on a server without transactions: right after the write, as one more command."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from pymongo import DESCENDING

from stores.backends.mongo.connection import MongoConnection
from stores.contracts.documents import Document
from stores.contracts.errors import GatewayError
from stores.contracts.journal import (
    CappedCollection,
    DocumentChange,
    Journal,
    JournalEntry,
    TrimSchedule,
)

THREAD_CHANGES = 100  # of a write; more are described in a thread


class JournalWriter:
    """Stores the entries of journals. The write is applied already, so that a failure does not undo it."""

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection
        self._trims = TrimSchedule()

    async def record(self, journal: Journal, database: str, changes: Sequence[DocumentChange]) -> None:
        """Store the entries of a write. If that fails, the journal is notified, and the write succeeds."""
        describe = partial(journal.describe, database, changes)
        try:
            entries = await asyncio.to_thread(describe) if len(changes) > THREAD_CHANGES else describe()
        except asyncio.CancelledError as error:
            journal.report_written(describe(), error)
            raise
        try:
            await self.append(journal.target, database, entries)
        except GatewayError as error:
            journal.report_written(entries, error)
            return
        except BaseException as error:
            journal.report_written(entries, error)
            raise
        journal.report_written(entries)

    async def append(self, target: CappedCollection, database: str, entries: Sequence[JournalEntry]) -> None:
        """Store entries, each in the database that it names. `database` is one that has collections."""
        groups: defaultdict[str, list[Document]] = defaultdict(list)
        for entry in entries:
            groups[entry.database].append(entry.document)
        for name in [name for name in groups if name not in (database, self._connection.default)]:
            async with self._connection.command():
                exists = await self._connection.client[name].list_collection_names()
            if not exists:
                groups[self._connection.default] += groups.pop(name)
        for name, documents in groups.items():
            await self._insert(target, name, documents)

    async def _insert(self, target: CappedCollection, database: str, documents: Sequence[Document]) -> None:
        collection = self._connection.collection(database, target.collection.name)
        async with self._connection.command(is_write=True):
            await collection.insert_many(documents, comment=self._connection.write_comment)
        if self._trims.is_due(database, target, len(documents)):
            async with self._connection.command(is_write=True):
                oldest = await collection.find_one(
                    {}, {"_id": 1}, sort=[("_id", DESCENDING)], skip=target.max_documents
                )
                if oldest is not None:
                    await collection.delete_many({"_id": {"$lte": oldest["_id"]}})
