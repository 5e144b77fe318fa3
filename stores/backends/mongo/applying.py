"""Applying the writes of the document contract to one database, each so that it can be applied again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import BulkWriteError, CollectionInvalid, OperationFailure

from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.failures import DUPLICATE_KEY
from stores.backends.mongo.filters import Filter, all_of, match_id, split_namable, to_filter
from stores.backends.mongo.reading import BATCH, Reader, may_exist
from stores.backends.mongo.uniqueness import UniqueKeys
from stores.backends.mongo.updating import BUSY, MAX_ATTEMPTS, update_first
from stores.contracts.changes import apply, is_bson_equal
from stores.contracts.documents import (
    Collection,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Guard,
    Query,
    ReplaceMany,
    UpdateOne,
    Where,
    Write,
    equals,
    find_values_at,
    list_claimed_values,
    list_written,
)
from stores.contracts.errors import BadUserInput, Conflict, NotFound, Unavailable
from stores.contracts.journal import DocumentChange
from stores.contracts.outcomes import NOT_APPLIED

NAMESPACE_EXISTS = 48


@dataclass(frozen=True, slots=True)
class Target:
    """What the first write of an operation applies to: the document that an update changes or inserts."""

    document_id: Any = None


class WriteApplier:
    """Writes to one database. What they change is added to `changes`, if it is given."""

    def __init__(
        self,
        connection: MongoConnection,
        unique_keys: UniqueKeys,
        database: str,
        changes: list[DocumentChange] | None = None,
    ) -> None:
        self.database = database
        self._changes = changes
        self._connection, self._unique_keys = connection, unique_keys
        self._reader = Reader(connection, database)

    async def find_first(self, collection: Collection, where: Where) -> Document | None:
        [documents] = await self._reader.find_many(collection, [Query(where=where, limit=1)])
        return documents[0] if documents else None

    async def check_guard(self, guard: Guard | None) -> None:
        if guard is not None and await self.find_first(guard.collection, guard.where) is None:
            raise NotFound(f"{guard.what} not found")

    async def is_stored(self, collection: Collection, document_id: Any) -> bool:
        return await self.find_first(collection, [equals("_id", document_id)]) is not None

    async def insert(self, collection: Collection, document: Document, guard: Guard | None = None) -> None:
        """Insert a document. The guard is checked before and after; the document is deleted if it fails then.

        A process that dies between the two leaves a document only if an operation has deleted its
        surroundings meanwhile, and then that operation's sweep deletes it, too.
        """
        if not may_exist(self.database, collection.name):
            raise BadUserInput(f"The store cannot have a collection of the name {collection.name}.")
        await self.check_guard(guard)
        async with self._unique_keys.claim(self.database, collection, document):
            async with self._connection.command(is_write=True):
                # The driver would add a missing _id to the caller's own dict.
                await self._open_collection(collection).insert_one(
                    dict(document), comment=self._connection.write_comment
                )
            try:
                await self.check_guard(guard)
            except NotFound:
                async with self._connection.command():
                    await self._open_collection(collection).delete_one(
                        match_id(document["_id"]), comment=self._connection.write_comment
                    )
                raise
        self._note(collection, None, document)

    async def update(self, write: UpdateOne) -> Document | None:
        """Change the first document that matches, or insert the given one.

        Returns None if there is neither, or if the one to insert collides with another.
        """
        changed = await self._update(write)
        if changed is not None or write.insert is None:
            return changed
        fresh = apply(write.insert, write.change)
        try:
            await self.insert(write.collection, fresh)
        except Conflict:
            return None
        return fresh

    async def _update(self, write: UpdateOne) -> Document | None:
        if not may_exist(self.database, write.collection.name):
            return None
        claims = {(name,) for unique in write.collection.unique for name in unique.fields}
        if claims.isdisjoint(write.change.set):
            return await self._update_first(write)
        for _ in range(MAX_ATTEMPTS):
            stored = await self.find_first(write.collection, write.where)
            if stored is None:
                return None
            changed = apply(stored, write.change)
            async with self._unique_keys.claim(self.database, write.collection, changed):
                where = [*write.where, equals("_id", stored["_id"])]
                result = await self._update_first(UpdateOne(write.collection, where, write.change))
            if result is not None:
                return result
        raise Unavailable(BUSY, reason="OVERLOADED", outcome=NOT_APPLIED)

    async def _update_first(self, write: UpdateOne) -> Document | None:
        target, with_before = self._open_collection(write.collection), self._changes is not None
        updated = await update_first(
            self._connection, target, write.where, write.change, with_before=with_before
        )
        if updated is None:
            return None
        self._note(write.collection, updated.before, updated.after)
        return updated.after

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        if not may_exist(self.database, collection.name):
            return 0
        namable, others = split_namable(where)
        matched = to_filter(namable)
        if others:
            [documents] = await self._reader.find_many(
                collection, [Query(where=where, limit=1 if first_only else None)]
            )
            matched = all_of([matched, {"_id": {"$in": [document["_id"] for document in documents]}}])
        target = self._open_collection(collection)
        async with self._connection.command(is_write=True):
            comment = self._connection.write_comment
            if not first_only:
                return int((await target.delete_many(matched, comment=comment)).deleted_count)
            deleted: Document | None = await target.find_one_and_delete(
                matched, sort=[("_id", 1)], comment=comment
            )
        if deleted is not None:
            self._note(collection, deleted, None)
        return int(deleted is not None)

    # Writes of operations

    async def prepare(self, writes: Sequence[Write]) -> "Target | None":
        """The `_id` of the document that the first write, an update, changes or inserts; None if it has none.

        Raises `Conflict` if documents collide, and `BadUserInput` if a collection cannot exist: nothing is
        written then.
        """
        for collection in list_written(writes):
            if not may_exist(self.database, collection.name) and not isinstance(writes[0], UpdateOne):
                raise BadUserInput("No collection can have this name.")
        for write in writes:
            if isinstance(write, ReplaceMany):
                await self._check_replacement(write)
        first = writes[0]
        if not isinstance(first, UpdateOne):
            return Target()
        stored = await self.find_first(first.collection, first.where)
        if stored is not None:
            return Target(stored["_id"])
        return None if first.insert is None else Target(first.insert["_id"])

    async def apply_first(self, write: Write, target: "Target") -> Document | None:
        """As `apply`; an update is applied to no other document than its target."""
        if not isinstance(write, UpdateOne):
            return await self.apply(write)
        where = [*write.where, equals("_id", target.document_id)]
        return await self.update(UpdateOne(write.collection, where, write.change, write.insert))

    async def apply(self, write: Write) -> Document | None:
        """Apply one write. None means that an update changed and inserted nothing."""
        match write:
            case UpdateOne():
                return await self.update(write)
            case DeleteMany(collection, where):
                await self.delete(collection, where)
            case ReplaceMany():
                await self._replace(write)
            case CreateCollections(collections):
                await self._create(collections)
            case DropCollections(collections):
                await self._drop(collections)
        return {}

    async def is_applied(self, write: Write, target: "Target") -> bool:
        """Whether an update was applied already: the document is as it would leave it."""
        if not isinstance(write, UpdateOne):
            return True
        document = await self.find_first(write.collection, [equals("_id", target.document_id)])
        if document is None:
            return False
        if write.change.unset:
            return not any(find_values_at(document, path) for path in write.change.unset)
        return all(
            any(is_bson_equal(stored, value) for stored in find_values_at(document, path))
            for path, value in write.change.set.items()
        )

    async def _check_replacement(self, write: ReplaceMany) -> None:
        """Raise `Conflict` if the new documents collide with one another or with one that stays."""
        namable, _ = split_namable(write.where)
        stays: Filter = {"$nor": [to_filter(namable)]} if namable else {"_id": {"$in": []}}
        for unique in write.collection.unique:
            seen: set[tuple[Any, ...]] = set()
            for document in write.documents:
                for text in list_claimed_values(document, unique):
                    key = (*(str(document.get(name)) for name in unique.within), text)
                    if key in seen:
                        raise Conflict(f"{unique.fields[0]} is taken.", fields=[unique.fields[0]])
                    seen.add(key)
        ids: Filter = {"_id": {"$in": [document["_id"] for document in write.documents]}}
        async with self._connection.command():
            taken = await self._open_collection(write.collection).find_one(all_of([ids, stays]), {"_id": 1})
        if taken is not None:
            raise Conflict("_id is taken.", fields=["_id"])

    async def _replace(self, write: ReplaceMany) -> None:
        """Delete the old documents, insert the new ones. What somebody inserts meanwhile counts as older."""
        target = self._open_collection(write.collection)
        ids = [document["_id"] for document in write.documents]
        if self._changes is not None:
            for document in (await self._reader.find_many(write.collection, [Query(where=write.where)]))[0]:
                self._note(write.collection, document, None)
            for document in write.documents:
                self._note(write.collection, None, document)
        for _ in range(MAX_ATTEMPTS):
            async with self._connection.command(is_write=True):
                comment = self._connection.write_comment
                old = all_of([to_filter(write.where), {"_id": {"$nin": ids}}])
                await target.delete_many(old, comment=comment)
                stored = await target.find({"_id": {"$in": ids}}, {"_id": 1}, batch_size=BATCH).to_list(None)
                known = [document["_id"] for document in stored]
                missing = [document for document in write.documents if document["_id"] not in known]
                try:
                    if missing:
                        fresh = [dict(document) for document in missing]
                        await target.insert_many(fresh, ordered=False, comment=comment)
                    return
                except BulkWriteError as error:
                    if any(e.get("code") != DUPLICATE_KEY for e in error.details.get("writeErrors", ())):
                        raise
        raise Unavailable(BUSY, reason="OVERLOADED")

    async def _create(self, collections: Sequence[Collection]) -> None:
        async with self._connection.command(is_write=True):
            for collection in collections:
                try:
                    await self._connection.client[self.database].create_collection(collection.name)
                except CollectionInvalid:
                    continue  # it exists
                except OperationFailure as error:
                    if error.code != NAMESPACE_EXISTS:
                        raise

    async def _drop(self, collections: Sequence[Collection]) -> None:
        for collection in collections:
            if may_exist(self.database, collection.name):
                async with self._connection.command(is_write=True):
                    await self._open_collection(collection).drop()
            self._unique_keys.forget(self.database, collection)

    def _note(self, collection: Collection, before: Document | None, after: Document | None) -> None:
        if self._changes is not None:
            self._changes.append(DocumentChange(collection, before, after))

    def _open_collection(self, collection: Collection) -> Any:
        return self._connection.collection(self.database, collection.name)
