"""Writes that are applied once for each idempotency key: what they wrote, recorded before it is written."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import bson
from bson import Binary
from pymongo.errors import DuplicateKeyError

from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.locks import HIDDEN_PREFIX, digest
from stores.contracts.documents import CODEC, Document, IdempotencyKey
from stores.contracts.errors import Conflict, GatewayError
from stores.contracts.outcomes import proves_refusal

REPETITIONS = f"{HIDDEN_PREFIX}repetitions"
REPETITIONS_TTL_S = 24 * 3600


class Repetitions:
    """The records of a deployment, each with the key's digest, the request's fingerprint and the result."""

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    async def insert_once(
        self,
        database: str,
        idempotency: IdempotencyKey,
        document: Document,
        insert: Callable[[Document], Awaitable[None]],
        is_stored: Callable[[Any], Awaitable[bool]],
    ) -> Document:
        """Insert a document under a key, or return the one that the first call inserted.

        The document is recorded first: a call that was cut off is finished by its repetition, with the same
        `_id`, which is stored at most once.
        """
        while not await self._record(database, idempotency, document, is_done=False):
            first = await self.find(database, idempotency)
            if first is None:
                continue  # another call under the key has failed, or its record was too old
            if first["done"]:
                return bson.decode(first["result"], CODEC)
            document = bson.decode(first["result"], CODEC)
            break
        try:
            await insert(document)
        except GatewayError as error:
            is_first = isinstance(error, Conflict) and await is_stored(document["_id"])
            if not is_first:
                if proves_refusal(error):
                    await self._delete_pending(database, idempotency)
                raise
        await self.record_done(database, idempotency, document)
        return document

    async def find(self, database: str, idempotency: IdempotencyKey) -> Document | None:
        """The record of a key. Raises `Conflict` if it is of another request."""
        key = digest("once", database, idempotency.key)
        async with self._connection.command():
            record: Document | None = await self._open_collection().find_one({"_id": key})
            if record is not None and record["at"] < time.time() - REPETITIONS_TTL_S:
                await self._open_collection().delete_one({"_id": key, "at": record["at"]})
                return None
        if record is not None and record["fingerprint"] != idempotency.fingerprint:
            raise Conflict("The idempotency key was used for another request.", fields=["idempotencyKey"])
        return record

    async def record_done(self, database: str, idempotency: IdempotencyKey, result: Document) -> None:
        """Record the result of a write that was applied."""
        record = _record(database, idempotency, result, is_done=True)
        async with self._connection.command():
            await self._open_collection().replace_one({"_id": record["_id"]}, record, upsert=True)

    async def purge(self) -> None:
        """Delete records that are too old."""
        async with self._connection.command():
            await self._open_collection().delete_many({"at": {"$lt": time.time() - REPETITIONS_TTL_S}})

    async def _record(
        self, database: str, idempotency: IdempotencyKey, document: Document, *, is_done: bool
    ) -> bool:
        async with self._connection.command():
            try:
                await self._open_collection().insert_one(_record(database, idempotency, document, is_done))
            except DuplicateKeyError:
                return False
        return True

    async def _delete_pending(self, database: str, idempotency: IdempotencyKey) -> None:
        key = digest("once", database, idempotency.key)
        async with self._connection.command():
            await self._open_collection().delete_one({"_id": key, "done": False})

    def _open_collection(self) -> Any:
        return self._connection.collection(self._connection.default, REPETITIONS)


def _record(database: str, idempotency: IdempotencyKey, result: Document, is_done: bool) -> Document:
    return {
        "_id": digest("once", database, idempotency.key),
        "fingerprint": idempotency.fingerprint,
        "result": Binary(bson.encode(result)),
        "done": is_done,
        "at": time.time(),
    }
