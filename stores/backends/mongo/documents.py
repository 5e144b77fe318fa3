"""The document store on MongoDB, through PyMongo's asynchronous client or through Motor."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from pymongo import ReplaceOne, ReturnDocument
from pymongo.errors import (
    CollectionInvalid,
    OperationFailure,
)

from stores.backends.mongo.connection import DUPLICATE, MongoConnection
from stores.backends.mongo.queries import behind, changes, dotted, every, filter_of, ordered_by_value, sort_of
from stores.contracts.changes import apply, later_than
from stores.contracts.document_store import DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    ID,
    AnyOf,
    Change,
    Collection,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Guard,
    Once,
    OneOf,
    Order,
    Query,
    ReplaceMany,
    UpdateOne,
    Where,
    Write,
    claimed_values,
    format_time,
    order_key,
    order_value,
)
from stores.contracts.errors import Conflict, Unavailable
from stores.contracts.values import list_forms
from stores.entities.organizations import Organization

log = logging.getLogger(__name__)
SYSTEM = {"admin", "local", "config"}
BATCH = 100_000  # documents in one answer: a list costs one command
MAX_COUNTED_TOGETHER = 100  # collections in one command
LONGEST_NAME = 255  # bytes of database and collection
MAX_IN_FACET = 5_000  # documents that one aggregation may answer, which has to fit 16 MB
NAMESPACE_EXISTS, INDEX_EXISTS = 48, (85, 86)
TOUCHES = 100  # tries to make a time later than those of the writers beside us


class MongoDocumentStore(MongoConnection, DocumentStore):
    """Every database of a MongoDB deployment."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        # Which collections have their unique indexes, where these could not be made, and who writes there.
        self.ensured: set[tuple[str, str]] = set()
        self.degraded: set[tuple[str, str]] = set()
        self.locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def database(self, name: str) -> "MongoDocumentDatabase":
        return MongoDocumentDatabase(self, name)

    async def list_databases(self) -> list[DatabaseInfo]:
        async with self.asked():
            cursor = await self.client.list_databases()
            found = [
                DatabaseInfo(each["name"], _whole(each.get("sizeOnDisk")), bool(each.get("empty", False)))
                for each in await cursor.to_list(None)
                if each["name"] not in SYSTEM
            ]
        return sorted(found, key=lambda info: info.name)

    async def ping(self) -> None:
        async with self.asked():
            await self.client.admin.command("ping")


def _whole(size: Any) -> int | None:
    return None if size is None else int(size)


class MongoDocumentDatabase(DocumentDatabase):
    """One database of the deployment."""

    def __init__(self, store: MongoDocumentStore, database: str) -> None:
        self._store = store
        self.database = database

    def _of(self, collection: Collection) -> Any:
        return self._store.collection(self.database, collection.name)

    def _may_exist(self, collection: Collection) -> bool:
        """Whether the server would take the name: others hold nothing, and asking would be an error."""
        name = collection.name
        short = len(f"{self.database}.{name}".encode()) <= LONGEST_NAME
        return short and not (".." in name or "$" in name or "\0" in name or name.strip(".") != name)

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        if not self._may_exist(collection):
            return [[] for _ in queries]
        async with self._store.asked():
            together = [q for q in queries if q.order.path == ID and q.limit is not None]
            if len(queries) == len(together) > 1 and sum(q.limit or 0 for q in queries) <= MAX_IN_FACET:
                return await self._facet(collection, queries)
            return list(await asyncio.gather(*(self._find(collection, query) for query in queries)))

    async def _facet(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        """Several queries by one command."""
        facets: Document = {}
        for i, query in enumerate(queries):
            matched = every([filter_of(query.where), behind(query.order, query.after) if query.after else {}])
            stages: list[Document] = [
                {"$match": matched},
                {"$sort": dict(sort_of(query.order))},
                {"$limit": query.limit},
            ]
            if query.keys is not None:
                stages.append({"$project": _projection(query.keys)})
            facets[f"q{i}"] = stages if query.limit else [{"$match": {"_id": {"$in": []}}}]
        found = await self._store.aggregate(self._of(collection), [{"$facet": facets}])
        answered = found[0] if found else {}  # some servers answer nothing for a collection that is missing
        return [answered.get(f"q{i}", []) for i in range(len(queries))]

    async def _find(self, collection: Collection, query: Query) -> list[Document]:
        if query.limit == 0:
            return []
        if query.order.path == ID:
            place = behind(query.order, query.after) if query.after else {}
            return await self._read(collection, query, place, query.order)
        if query.limit is None and query.after is None:
            found = await self._read(collection, query, {}, Order())
            found.sort(
                key=lambda d: (order_key(order_value(d, query.order.path)), order_key(d["_id"])),
                reverse=query.order.descending,
            )
            return found
        return await self._find_ordered(collection, query)

    async def _find_ordered(self, collection: Collection, query: Query) -> list[Document]:
        """A page by value. What counts as null, an object and a list too, is a group of its own, by id.

        MongoDB would place objects and lists among the scalars, where no cursor could find them again.
        """
        order, path = query.order, query.order.path
        found: list[Document] = []
        for scalar in (True, False) if order.descending else (False, True):
            seen = query.after
            group = ordered_by_value(path, scalar)
            within = order if scalar else Order(descending=order.descending)
            if seen is not None and (seen[0] is None) == scalar:
                # The position lies in the other group: this one is behind it, or in front of it.
                if scalar == order.descending:
                    continue
            elif seen is not None:
                group = every([group, behind(within, seen)])
            rest = replace(query, limit=None if query.limit is None else query.limit - len(found))
            if rest.limit != 0:
                found += await self._read(collection, rest, group, within)
        return found

    async def _read(
        self, collection: Collection, query: Query, place: Document, order: Order
    ) -> list[Document]:
        cursor = self._of(collection).find(
            every([filter_of(query.where), place]),
            None if query.keys is None else _projection(query.keys | {query.order.path[0]}),
            sort=sort_of(order),
            limit=query.limit or 0,
            batch_size=BATCH,
        )
        found: list[Document] = await cursor.to_list(None)
        return found

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        async with self._store.asked():
            there = [c for c in collections if self._may_exist(c)]
            found = filter_of(where)
            counts = (
                await self._counted_together(there, found) if 1 < len(there) <= MAX_COUNTED_TOGETHER else None
            )
            if counts is None:
                counts = await asyncio.gather(*(self._of(c).count_documents(found) for c in there))
        known = dict(zip(there, counts, strict=True))
        return [known.get(collection, 0) for collection in collections]

    async def _counted_together(self, collections: Sequence[Collection], found: Document) -> list[int] | None:
        """Counts by one command, which has to begin at a document; None where there is none to begin at.

        Nor does a server before 5.1 look into collections that are sharded.
        """
        counted: list[Document] = [{"$match": found}, {"$count": "n"}]
        stages: list[Document] = [{"$limit": 1}, {"$project": {"_id": 1}}]
        for i, each in enumerate(collections):
            stages.append({"$lookup": {"from": each.name, "pipeline": counted, "as": f"c{i}"}})
        try:
            rows = await self._store.aggregate(self._of(Organization.collection_of()), stages)
        except OperationFailure:
            return None
        if not rows:
            return None
        # A collection that holds none answers no count.
        return [sum(each["n"] for each in rows[0][f"c{i}"]) for i in range(len(collections))]

    async def find_across(self, collections: Sequence[Collection], query: Query) -> list[list[Document]]:
        return [await self.find(collection, query) for collection in collections]

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        once: Once | None = None,
    ) -> Document:
        async with self._writing(collection), self._store.asked():
            await self._check_spellings(collection, document, None)
            # The driver would put a missing _id into the caller's own dict.
            await self._of(collection).insert_one(dict(document))
        return document

    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        async with self._writing(collection), self._store.asked():
            await self._check_change(collection, where, change)
            changed = await self._update(collection, where, change)
        if changed is not None or insert is None:
            return changed
        fresh = apply(insert, change)
        try:
            await self.insert(collection, fresh)
        except Conflict:
            return None
        return fresh

    async def _update(self, collection: Collection, where: Where, change: Change) -> Document | None:
        """Without a touch one command; with one, the time is made later until no stored time is."""
        stamp, found = later_than(None), filter_of(where)
        for _ in range(TOUCHES):
            condition = found
            if change.touch is not None:
                mark = format_time(stamp) if change.touch.as_string else stamp
                condition = every([found, {dotted(change.touch.path): {"$not": {"$gte": mark}}}])
            changed: Document | None = await self._of(collection).find_one_and_update(
                condition, changes(change, stamp), sort=[("_id", 1)], return_document=ReturnDocument.AFTER
            )
            if changed is not None or change.touch is None:
                return changed
            stored = await self._of(collection).find_one(found, sort=[("_id", 1)])
            if stored is None:
                return None
            stamp = later_than(order_value(stored, change.touch.path))
        raise Unavailable("the document store is too busy with this document")

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        async with self._store.asked():
            found = filter_of(where)
            if first_only:
                gone = await self._of(collection).find_one_and_delete(found, sort=[("_id", 1)])
                return int(gone is not None)
            deleted = await self._of(collection).delete_many(found)
            return int(deleted.deleted_count)

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        once: Once | None = None,
        result: Document | None = None,
    ) -> Document | None:
        results: list[Document | None] = []
        for index, write in enumerate(writes):
            results.append(await self._apply(write))
            if index == 0 and results[0] is None:
                return None
        return result if result is not None else results[0]

    async def _apply(self, write: Write) -> Document | None:
        match write:
            case UpdateOne(collection, where, change, insert):
                return await self.update(collection, where, change, insert=insert)
            case DeleteMany(collection, where):
                await self.delete(collection, where)
            case ReplaceMany(collection, where, documents):
                await self._replace(collection, where, documents)
            case CreateCollections(collections):
                await self._create(collections)
            case DropCollections(collections):
                await self._drop(collections)
        return {}

    async def _replace(self, collection: Collection, where: Where, documents: Sequence[Document]) -> None:
        """A single server has no transactions: where a new document is refused, the old ones are put back."""
        async with self._writing(collection), self._store.asked():
            target = self._of(collection)
            old = await target.find(filter_of(where), batch_size=BATCH).to_list(None)
            await target.delete_many({"_id": {"$in": [each["_id"] for each in old]}})
            try:
                if documents:
                    await target.insert_many([dict(each) for each in documents])
            except BaseException:
                await asyncio.shield(self._restore(target, old, documents))
                raise

    async def _restore(self, target: Any, old: Sequence[Document], new: Sequence[Document]) -> None:
        await target.delete_many({"_id": {"$in": [each["_id"] for each in new]}})
        if old:
            await target.insert_many(list(old))

    async def _create(self, collections: Sequence[Collection]) -> None:
        async with self._store.asked():
            database = self._store.client[self.database]
            for collection in collections:
                try:
                    await database.create_collection(collection.name)
                except CollectionInvalid:
                    continue  # it exists
                except OperationFailure as error:
                    if error.code != NAMESPACE_EXISTS:
                        raise

    async def _drop(self, collections: Sequence[Collection]) -> None:
        async with self._store.asked():
            for collection in collections:
                await self._of(collection).drop()
                self._store.ensured.discard((self.database, collection.name))

    async def list_collections(self) -> list[str]:
        async with self._store.asked():
            names = await self._store.client[self.database].list_collection_names()
        return sorted(name for name in names if not name.startswith("system."))

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        if documents:
            async with self._store.asked():
                writes = [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in documents]
                await self._of(collection).bulk_write(writes, ordered=False)

    # Uniqueness

    @contextlib.asynccontextmanager
    async def _writing(self, collection: Collection) -> AsyncIterator[None]:
        """A write to a collection whose unique indexes are there; one at a time where they do not suffice."""
        place = (self.database, collection.name)
        if collection.unique and place not in self._store.ensured:
            async with self._store.asked():
                await self._ensure(collection)
        if self._looks_up(collection):
            async with self._store.locks[place]:
                yield
        else:
            yield

    def _looks_up(self, collection: Collection) -> bool:
        """Whether indexes alone do not keep keys unique: a key has two spellings, or collides already."""
        degraded = (self.database, collection.name) in self._store.degraded
        return degraded or any(len(unique.fields) > 1 for unique in collection.unique)

    async def _ensure(self, collection: Collection) -> None:
        place = (self.database, collection.name)
        for unique in collection.unique:
            for field in unique.fields:
                keys = [(name, 1) for name in (*unique.within, field)]
                try:
                    await self._of(collection).create_index(keys, unique=True, sparse=True)
                except OperationFailure as error:
                    if error.code in INDEX_EXISTS:
                        continue  # the old system made it, without `sparse`
                    if error.code != DUPLICATE:
                        raise
                    self._store.degraded.add(place)
                    log.warning(
                        "%s.%s holds documents of one %s: new ones are looked up instead of indexed",
                        *place,
                        field,
                    )
        self._store.ensured.add(place)

    async def _check_spellings(self, collection: Collection, document: Document, own_id: Any) -> None:
        """Look for a claimed value under every spelling of its key."""
        if not self._looks_up(collection):
            return
        for unique in collection.unique:
            values = tuple(form for key in claimed_values(document, unique) for form in list_forms(key))
            if not values:
                continue
            named = AnyOf(tuple(OneOf((field,), values) for field in unique.fields))
            within = [OneOf((name,), (document.get(name),)) for name in unique.within]
            other = every([filter_of([named, *within]), {"_id": {"$ne": own_id}} if own_id else {}])
            if await self._of(collection).find_one(other, {"_id": 1}) is not None:
                raise Conflict(f"{unique.fields[0]} is taken", fields=[unique.fields[0]])

    async def _check_change(self, collection: Collection, where: Where, change: Change) -> None:
        claims = {name for unique in collection.unique for name in unique.fields}
        if any(len(path) == 1 and path[0] in claims for path in change.set) and self._looks_up(collection):
            stored = await self._of(collection).find_one(filter_of(where), sort=[("_id", 1)])
            if stored is not None:
                await self._check_spellings(collection, apply(stored, change), stored["_id"])


def _projection(keys: frozenset[str]) -> dict[str, int]:
    return dict.fromkeys(sorted(keys | {"_id"}), 1)
