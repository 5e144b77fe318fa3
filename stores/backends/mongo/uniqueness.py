"""Unique keys that hold between any number of gateways, and beside an old system.

A server's unique index knows neither two spellings of one key, nor that 5 and "5" are shown alike, and cannot
be created where stored documents already collide. Every insertion and every change of a unique key therefore
looks the value up under a lock of that value. The documents alone say which values are taken; nothing else is
stored. The indexes make the search fast, and the old system's concurrent writes safe.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cachetools import LRUCache
from pymongo.errors import DuplicateKeyError, OperationFailure

from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.failures import DUPLICATE_KEY
from stores.backends.mongo.filters import all_of, to_filter
from stores.backends.mongo.locks import Hold, Locks, digest
from stores.contracts.documents import AnyOf, Collection, Document, OneOf, Unique, equals, list_claimed_values
from stores.contracts.errors import Conflict
from stores.contracts.outcomes import proves_refusal
from stores.contracts.values import list_forms

log = logging.getLogger(__name__)
INDEX_EXISTS = (85, 86)  # with other options or another name
MAX_CHECKED = 10_000  # collections whose indexes are known to exist
INDEX_CHECK_S = 10.0  # an index that another process has dropped is created again after this time


class UniqueKeys:
    """The unique keys of the collections of a deployment."""

    def __init__(self, connection: MongoConnection, locks: Locks) -> None:
        self._connection, self._locks = connection, locks
        self._checked_at: LRUCache[tuple[str, str], float] = LRUCache(MAX_CHECKED)

    @contextlib.asynccontextmanager
    async def claim(self, database: str, collection: Collection, document: Document) -> AsyncIterator[None]:
        """Hold the unique values of `document` while it is written. Raises `Conflict` if one is taken."""
        claims = [
            (unique, text)
            for unique in collection.unique
            for text in sorted(list_claimed_values(document, unique))
        ]
        if not claims:
            yield
            return
        await self._ensure_indexes(database, collection)
        keys = [self._make_key(database, collection, document, unique, text) for unique, text in claims]
        async with self._locks.hold(keys, digest("document", document["_id"])) as hold:
            for unique, text in claims:
                await self._check(database, collection, document, unique, text)
            with expire_if_unknown(hold):
                yield

    def _make_key(
        self, database: str, collection: Collection, document: Document, unique: Unique, text: str
    ) -> bytes:
        within = [document.get(name) for name in unique.within]
        return digest("unique", database, collection.name, list(unique.fields), within, text)

    async def _check(
        self, database: str, collection: Collection, document: Document, unique: Unique, text: str
    ) -> None:
        """Look for another document that has the value under any spelling of the key."""
        filters = [equals(name, document.get(name)) for name in unique.within]
        other = all_of([to_filter(filters), {"_id": {"$ne": document["_id"]}}])
        target = self._connection.collection(database, collection.name)
        async with self._connection.command():
            if unique.ignore_case:  # no index and no filter folds the case of all letters
                stored = target.find(other, dict.fromkeys(unique.fields, 1))
                is_taken = any([text in list_claimed_values(d, unique) async for d in stored])
            else:
                forms = list_forms(text)
                spellings = AnyOf(tuple(OneOf((field,), forms) for field in unique.fields))
                same = all_of([to_filter([spellings]), other])
                is_taken = await target.find_one(same, {"_id": 1}) is not None
        if is_taken:
            raise Conflict(f"{unique.fields[0]} is taken.", fields=[unique.fields[0]])

    def forget(self, database: str, collection: Collection) -> None:
        """The collection was dropped, and its indexes with it."""
        self._checked_at.pop((database, collection.name), None)

    async def _ensure_indexes(self, database: str, collection: Collection) -> None:
        key = (database, collection.name)
        if time.monotonic() - self._checked_at.get(key, float("-inf")) < INDEX_CHECK_S:
            return
        for unique in collection.unique:
            for field in unique.fields:
                await self._ensure_index(database, collection, [(n, 1) for n in (*unique.within, field)])
        self._checked_at[key] = time.monotonic()

    async def _ensure_index(self, database: str, collection: Collection, keys: list[tuple[str, int]]) -> None:
        target: Any = self._connection.collection(database, collection.name)
        async with self._connection.command():
            try:
                await target.create_index(keys, unique=True, sparse=True)
            except (DuplicateKeyError, OperationFailure) as error:
                if error.code in INDEX_EXISTS:
                    return  # the old system created it, with other options
                if error.code != DUPLICATE_KEY:
                    raise
                field = keys[-1][0]
                log.warning(
                    "%s.%s has documents with the same %s: they stay, and new ones must differ from all",
                    database,
                    collection.name,
                    field,
                )
                with contextlib.suppress(OperationFailure):
                    await target.create_index(keys, name=f"sync_gateway_{field}")


@contextlib.contextmanager
def expire_if_unknown(hold: Hold) -> Iterator[None]:
    """Let the locks expire, instead of releasing them, if a write under them may still be on its way."""
    try:
        yield
    except BaseException as error:
        hold.expires = not proves_refusal(error)
        raise
