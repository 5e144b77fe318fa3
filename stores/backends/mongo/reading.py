"""Reading documents and counting them: how each query becomes one command."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bson import MinKey
from pymongo.errors import OperationFailure

from stores.backends.mongo.connection import RAW, MongoConnection
from stores.backends.mongo.filters import (
    Filter,
    all_of,
    is_ordered_by_scalar,
    match_after_position,
    split_namable,
    to_filter,
    to_sort,
)
from stores.contracts.changes import matches
from stores.contracts.columns import DocumentColumns
from stores.contracts.documents import ID, Collection, Document, Order, Query, Where
from stores.contracts.ordering import get_order_value, order_key
from stores.contracts.request_record import get_request_id

BATCH = 100_000  # documents in one reply, so that a list costs one command
MAX_JOINED = 100  # collections in one command
MAX_IN_REPLY = 5_000  # documents in the reply of one aggregation, which must fit into 16 MB
MAX_NAME_BYTES = 255  # of database and collection
NOTHING = MinKey()  # stands for a missing value in a reply, and no field could show it
SCANNED = 500  # documents that are read at a time where a filter cannot express the conditions


def may_exist(database: str, name: str) -> bool:
    """Whether the server accepts the name of a collection. Any other collection is empty."""
    is_short = len(f"{database}.{name}".encode()) <= MAX_NAME_BYTES
    return is_short and not (".." in name or "$" in name or "\0" in name or name.strip(".") != name)


def projection(keys: frozenset[str]) -> dict[str, int]:
    return dict.fromkeys(sorted(keys | {"_id"}), 1)


class Reader:
    """Reads one database."""

    def __init__(self, connection: MongoConnection, database: str) -> None:
        self._connection, self._database = connection, database

    def _open_collection(self, collection: Collection) -> Any:
        return self._connection.collection(self._database, collection.name)

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        if not may_exist(self._database, collection.name):
            return [[] for _ in queries]
        if len(queries) > 1 and _fit_one_reply(queries):
            return await self._find_by_facets(collection, queries)
        async with self._connection.command():
            if len(queries) == 1:
                return [await self._find(collection, queries[0])]
            return list(await asyncio.gather(*(self._find(collection, query) for query in queries)))

    async def find_columns(
        self, collection: Collection, queries: Sequence[Query]
    ) -> list[Sequence[Document]]:
        if len(queries) == 1 and may_exist(self._database, collection.name) and _can_be_columns(queries[0]):
            columns = await self._group_into_columns(collection, queries[0])
            if columns is not None:
                return [columns]
        return [*await self.find_many(collection, queries)]

    async def _group_into_columns(self, collection: Collection, query: Query) -> DocumentColumns | None:
        """The documents of a query, key by key; None if the server refuses, as where 16 MB are exceeded.

        The driver decodes one list of a thousand values in a quarter of the time of a thousand documents.
        """
        assert query.keys is not None
        names = {f"c{index}": key for index, key in enumerate(sorted(query.keys - {"_id"}))}
        pushes: Document = {name: {"$push": {"$ifNull": [f"${key}", NOTHING]}} for name, key in names.items()}
        pushes["ids"] = {"$push": "$_id"}
        stages = [*_make_pipeline(replace(query, keys=None)), {"$group": {"_id": None, **pushes}}]
        async with self._connection.command():
            try:
                rows = await self._connection.aggregate(self._open_collection(collection), stages)
            except OperationFailure:
                return None
        if not rows:
            return DocumentColumns({"_id": []})
        columns = {key: _read_column(rows[0][name]) for name, key in names.items()}
        columns["_id"] = rows[0]["ids"]
        # Not every server collects nulls, and an id may be one.
        is_whole = len(set(map(len, columns.values()))) == 1
        return DocumentColumns(columns) if is_whole else None

    async def _find_by_facets(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        """Several queries by one command."""
        facets = {f"q{i}": _make_pipeline(query) for i, query in enumerate(queries)}
        async with self._connection.command():
            rows = await self._connection.aggregate(self._open_collection(collection), [{"$facet": facets}])
        pages = rows[0] if rows else {}  # some servers return nothing for a collection that does not exist
        return [pages.get(name, []) for name in facets]

    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        """The documents of a query in the order of ids, byte for byte."""
        if not may_exist(self._database, collection.name):
            return []
        position = match_after_position(query.order, query.after) if query.after else {}
        async with self._connection.command():
            target = self._open_collection(collection).with_options(codec_options=RAW)
            cursor = target.find(
                all_of([to_filter(query.where), position]),
                sort=to_sort(query.order),
                limit=query.limit or 0,
                batch_size=BATCH,
                comment=get_request_id(),
            )
            return [document.raw for document in await cursor.to_list(None)]

    async def find_across(
        self, collections: Sequence[Collection], query: Query, total: int | None
    ) -> list[list[Document]]:
        existing = [c for c in collections if may_exist(self._database, c.name)]
        pages: dict[Collection, list[Document]] = {}
        count = 0
        # A reply has room for a limited number of documents: a page that is cut off there is read again.
        limit = MAX_IN_REPLY // MAX_JOINED if query.limit is None else query.limit
        size = max(min(MAX_JOINED, MAX_IN_REPLY // max(limit, 1)), 1)
        can_join = query.order.path == ID and not split_namable(query.where)[1]
        for start in range(0, len(existing), size):
            batch = existing[start : start + size]
            joined = None
            if len(batch) > 1 and can_join:
                joined = await self._join(batch, _make_pipeline(replace(query, limit=limit)))
            for index, collection in enumerate(batch):
                if total is not None and count >= total:
                    break
                is_whole = joined is not None and (query.limit is not None or len(joined[index]) < limit)
                page = joined[index] if joined is not None and is_whole else None
                page = (await self.find_many(collection, [query]))[0] if page is None else page
                pages[collection] = page if total is None else page[: total - count]
                count += len(pages[collection])
            if total is not None and count >= total:
                break
        return [pages.get(collection, []) for collection in collections]

    async def count(self, collections: Sequence[Collection], where: Where) -> list[int]:
        namable, others = split_namable(where)
        existing = [c for c in collections if may_exist(self._database, c.name)]
        counts: dict[Collection, int] = {}
        if others:
            query = Query(where=where)
            counts = {c: len((await self.find_many(c, [query]))[0]) for c in existing}
            existing = []
        matched = to_filter(namable)
        for start in range(0, len(existing), MAX_JOINED):
            batch = existing[start : start + MAX_JOINED]
            joined = None
            if len(batch) > 1:
                joined = await self._join(batch, [{"$match": matched}, {"$count": "n"}])
            if joined is not None:
                counts |= {c: sum(row["n"] for row in rows) for c, rows in zip(batch, joined, strict=True)}
                continue
            async with self._connection.command():
                numbers = [
                    self._open_collection(c).count_documents(matched, comment=get_request_id()) for c in batch
                ]
                counts |= zip(batch, await asyncio.gather(*numbers), strict=True)
        return [counts.get(collection, 0) for collection in collections]

    async def _join(
        self, collections: Sequence[Collection], pipeline: list[Document]
    ) -> list[list[Document]] | None:
        """The rows of a pipeline in each collection, by one command; None if the server cannot join them.

        A join begins at a document of the collections' anchor. Servers before 5.1 do not join sharded ones.
        """
        anchors = {collection.anchor for collection in collections}
        if len(anchors) > 1 or None in anchors:
            return None
        [anchor] = anchors
        stages: list[Document] = [{"$limit": 1}, {"$project": {"_id": 1}}]
        stages += [
            {"$lookup": {"from": collection.name, "pipeline": pipeline, "as": f"c{i}"}}
            for i, collection in enumerate(collections)
        ]
        async with self._connection.command():
            try:
                target = self._connection.collection(self._database, str(anchor))
                rows = await self._connection.aggregate(target, stages)
            except OperationFailure:
                return None
        return [rows[0][f"c{i}"] for i in range(len(collections))] if rows else None

    async def _find(self, collection: Collection, query: Query) -> list[Document]:
        if query.limit == 0:
            return []
        namable, others = split_namable(query.where)
        if others:
            return await self._scan(collection, replace(query, where=tuple(namable)), others)
        if query.order.path == ID:
            position = match_after_position(query.order, query.after) if query.after else {}
            return await self._read(collection, query, position, query.order)
        if query.limit is None and query.after is None:
            documents = await self._read(collection, query, {}, Order())
            path = query.order.path
            documents.sort(
                key=lambda d: (order_key(get_order_value(d, path)), order_key(d["_id"])),
                reverse=query.order.descending,
            )
            return documents
        return await self._find_by_value(collection, query)

    async def _find_by_value(self, collection: Collection, query: Query) -> list[Document]:
        """A page in the order of a value.

        What counts as null (a missing value, an object, a list) is a group of its own, in the order of ids:
        MongoDB would place objects and lists among the scalars, where no cursor could find them again.
        """
        order, path = query.order, query.order.path
        documents: list[Document] = []
        for scalar in (True, False) if order.descending else (False, True):
            group = is_ordered_by_scalar(path, scalar)
            within = order if scalar else Order(descending=order.descending)
            if query.after is not None and (query.after[0] is None) == scalar:
                # The position is in the other group, which comes after this one if it is read second.
                if scalar == order.descending:
                    continue
            elif query.after is not None:
                group = all_of([group, match_after_position(within, query.after)])
            rest = replace(query, limit=None if query.limit is None else query.limit - len(documents))
            if rest.limit != 0:
                documents += await self._read(collection, rest, group, within)
        return documents

    async def _scan(self, collection: Collection, query: Query, where: Where) -> list[Document]:
        """The documents that also match `where`, which a filter cannot express: it is tested here."""
        documents: list[Document] = []
        page = replace(query, limit=SCANNED, keys=None)
        while True:
            read = await self._find(collection, page)
            documents += [document for document in read if matches(document, where)]
            if len(read) < SCANNED or (query.limit is not None and len(documents) >= query.limit):
                return documents[: query.limit]
            last = read[-1]
            page = replace(page, after=(get_order_value(last, query.order.path), last["_id"]))

    async def _read(
        self, collection: Collection, query: Query, position: Filter, order: Order
    ) -> list[Document]:
        cursor = self._open_collection(collection).find(
            all_of([to_filter(query.where), position]),
            None if query.keys is None else projection(query.keys | {query.order.path[0]}),
            sort=to_sort(order),
            limit=query.limit or 0,
            batch_size=BATCH,
            comment=get_request_id(),
        )
        documents: list[Document] = await cursor.to_list(None)
        return documents


def _fit_one_reply(queries: Sequence[Query]) -> bool:
    by_id = all(q.order.path == ID and q.limit is not None for q in queries)
    namable = all(not split_namable(q.where)[1] for q in queries)
    return by_id and namable and sum(q.limit or 0 for q in queries) <= MAX_IN_REPLY


def _can_be_columns(query: Query) -> bool:
    named = query.keys is not None and all(_is_field_path(key) for key in query.keys)
    return named and query.limit is not None and _fit_one_reply([query])


def _read_column(values: list[Any]) -> list[Any]:
    if MinKey not in set(map(type, values)):
        return values
    return [None if type(value) is MinKey else value for value in values]


def _is_field_path(key: str) -> bool:
    """Whether an expression can name a top-level key."""
    return bool(key) and not ("." in key or "$" in key or "\0" in key)


def _make_pipeline(query: Query) -> list[Document]:
    """A query in the order of ids as stages of an aggregation."""
    if not query.limit:
        return [{"$match": {"_id": {"$in": []}}}]
    position = match_after_position(query.order, query.after) if query.after else {}
    stages: list[Document] = [
        {"$match": all_of([to_filter(query.where), position])},
        {"$sort": dict(to_sort(query.order))},
        {"$limit": query.limit},
    ]
    if query.keys is not None:
        stages.append({"$project": projection(query.keys)})
    return stages
