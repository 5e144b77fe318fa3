"""The writes of the document contract, inside the transaction that makes them one."""

from collections.abc import Sequence

import apsw

from stores.backends.sqlite.rows import CollectionRows
from stores.contracts.changes import apply
from stores.contracts.documents import (
    Collection,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Guard,
    ReplaceMany,
    UpdateOne,
    Where,
    Write,
)
from stores.contracts.errors import Conflict, NotFound
from stores.contracts.journal import CappedCollection, DocumentChange, JournalEntry, TrimSchedule


class Transaction:
    """Writes to one database on a connection. `changes` are what they have changed."""

    def __init__(self, db: apsw.Connection, database: str) -> None:
        self.db, self.database = db, database
        self.changes: list[DocumentChange] = []

    def rows(self, collection: Collection) -> CollectionRows:
        return CollectionRows(self.db, self.database, collection)

    def check_guard(self, guard: Guard | None) -> None:
        """Raise `NotFound` if the guard fails."""
        if guard is not None and self.rows(guard.collection).first(guard.where) is None:
            raise NotFound(f"{guard.what} not found")

    def insert(self, collection: Collection, document: Document) -> None:
        """Insert a document. Raises `Conflict`."""
        self.rows(collection).insert(document)
        self.changes.append(DocumentChange(collection, None, document))

    def update(self, write: UpdateOne) -> Document | None:
        """The changed or inserted document; None if there is neither, or it collides with another."""
        rows = self.rows(write.collection)
        row = rows.first(write.where)
        if row is not None:
            number, document = row
            changed = apply(document, write.change)
            rows.update(number, changed)
            self.changes.append(DocumentChange(write.collection, document, changed))
            return changed
        if write.insert is None:
            return None
        changed = apply(write.insert, write.change)
        try:
            self.insert(write.collection, changed)
        except Conflict:
            return None
        return changed

    def delete(self, collection: Collection, where: Where, limit: int | None = None) -> int:
        """Delete the first documents that match. Returns how many there were."""
        matches = list(self.rows(collection).matching(where, limit))
        self.rows(collection).delete([number for number, _ in matches])
        self.changes += [DocumentChange(collection, document, None) for _, document in matches]
        return len(matches)

    def apply(self, write: Write) -> Document | None:
        """Apply one write of several. None means that it neither changed nor inserted a document."""
        match write:
            case UpdateOne():
                return self.update(write)
            case DeleteMany(collection, where):
                rows = self.rows(collection)
                rows.delete([number for number, _ in rows.matching(where)])
            case ReplaceMany(collection, where, documents):
                self.delete(collection, where)
                for document in documents:
                    self.insert(collection, document)
            case CreateCollections(collections):
                for collection in collections:
                    self.rows(collection).create()
            case DropCollections(collections):
                for collection in collections:
                    self.rows(collection).drop()
        return {}

    def append(
        self, target: CappedCollection, entries: Sequence[JournalEntry], trims: TrimSchedule, default: str
    ) -> None:
        """Add entries to a capped collection, each in the database that it names, or in the default one."""
        for entry in entries:
            exists = entry.database == self.database or self._has_collections(entry.database)
            database = entry.database if exists else default
            rows = CollectionRows(self.db, database, target.collection)
            rows.insert(entry.document)
            if trims.is_due(database, target, 1):
                rows.delete_oldest(target.max_documents)

    def _has_collections(self, database: str) -> bool:
        sql = "SELECT 1 FROM collections WHERE database = ? LIMIT 1"
        return self.db.execute(sql, (database,)).get is not None
