"""Operations over several documents, on a server without transactions.

An operation excludes others in its database by a lock. It checks first what it needs, then records all its
writes in a hidden collection, which decides that it happens, and then applies them. Every write can be
applied again. An operation that was cut off is finished by the next one in its database, by any gateway that
starts, and by those that run, see `recovery.py`.

An operation that deletes stays recorded for `SWEEP_AFTER_S`, because clients may still be writing what it has
deleted: they check their guard after they have written, unless they die between the two. Its deletions are
applied once more then, and before that by each gateway that starts and with each operation in the database.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bson
from bson import Binary, ObjectId

from stores.backends.mongo.applying import Target, WriteApplier
from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.encoding import decode_writes, encode_writes
from stores.backends.mongo.locks import HIDDEN_PREFIX, Locks, digest
from stores.backends.mongo.repetitions import Repetitions
from stores.backends.mongo.uniqueness import expire_if_unknown
from stores.contracts.documents import (
    CODEC,
    DeleteMany,
    Document,
    DropCollections,
    Guard,
    IdempotencyKey,
    UpdateOne,
    Write,
)
from stores.contracts.errors import Conflict, GatewayError, Unavailable
from stores.contracts.outcomes import UNKNOWN, proves_refusal

log = logging.getLogger(__name__)
OPERATIONS = f"{HIDDEN_PREFIX}operations"
SWEEP_AFTER_S = 30.0  # longer than a client's call lasts between its write and its check


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller wants to happen as one."""

    writes: Sequence[Write]
    guard: Guard | None = None
    idempotency: IdempotencyKey | None = None
    result: Document | None = None


class Operations:
    """The operations in one database."""

    def __init__(
        self, connection: MongoConnection, locks: Locks, repetitions: Repetitions, applier: WriteApplier
    ) -> None:
        """`applier` finishes what others have begun. What is new may be applied by another, see `apply`."""
        self._connection, self._locks, self._repetitions = connection, locks, repetitions
        self._applier = applier
        self._database = applier.database

    async def apply(self, request: Request, applier: WriteApplier) -> Document | None:
        """Apply all writes of a request or none by `applier`; see `DocumentDatabase.write_all`."""
        async with self._locks.hold([digest("operation", self._database)]) as hold:
            await self._finish_recorded()
            if request.idempotency is not None:
                first = await self._repetitions.find(self._database, request.idempotency)
                if first is not None:
                    return bson.decode(first["result"], CODEC)
            await self._applier.check_guard(request.guard)
            target = await self._applier.prepare(request.writes)
            if target is None:
                return None
            with expire_if_unknown(hold):
                return await self._record_and_apply(request, target, applier)

    async def finish(self) -> None:
        """Finish what was cut off in this database, and sweep."""
        async with self._locks.hold([digest("operation", self._database)]) as hold:
            with expire_if_unknown(hold):
                await self._finish_recorded()

    async def _record_and_apply(
        self, request: Request, target: Target, applier: WriteApplier
    ) -> Document | None:
        operation = {
            "_id": ObjectId(),
            "database": self._database,
            "writes": Binary(encode_writes(request.writes)),
            "target": target.document_id,
            "once": None
            if request.idempotency is None
            else [request.idempotency.key, request.idempotency.fingerprint],
            "result": None if request.result is None else Binary(bson.encode(request.result)),
            "sweep_at": None,
        }
        async with self._connection.command(is_write=True):
            await self._open_collection().insert_one(operation)
        try:
            return await self._run(operation, applier, is_first_run=True)
        except Unavailable as error:
            error.extensions["outcome"] = UNKNOWN  # the operation is recorded, so it will be finished
            raise

    async def _finish_recorded(self) -> None:
        """Apply every recorded operation again; of those that were applied, the deletions."""
        async with self._connection.command():
            cursor = self._open_collection().find({"database": self._database}, sort=[("_id", 1)])
            operations: list[Document] = await cursor.to_list(None)
        for operation in operations:
            if operation["sweep_at"] is None:
                await self._run(operation, self._applier, is_first_run=False)
            else:
                await self._sweep(operation)

    async def _run(
        self, operation: Document, applier: WriteApplier, *, is_first_run: bool
    ) -> Document | None:
        writes = decode_writes(operation["writes"])
        first, target = writes[0], Target(operation["target"])
        try:
            document = await applier.apply_first(first, target)
        except GatewayError as error:
            if proves_refusal(error):
                await self._delete(operation)
            raise
        # The first write decides. It may have been applied before the operation was cut off.
        if document is None and (is_first_run or not await applier.is_applied(first, target)):
            await self._delete(operation)
            return None
        for write in writes[1:]:
            try:
                await applier.apply(write)
            except Conflict:
                log.exception("a write of an operation in %s is left out", self._database)
        result = bson.decode(operation["result"], CODEC) if operation["result"] else document or {}
        if operation["once"] is not None:
            await self._repetitions.record_done(self._database, IdempotencyKey(*operation["once"]), result)
        if _is_swept(writes):
            await self._keep_for_sweep(operation)
        else:
            await self._delete(operation)
        return result

    async def _sweep(self, operation: Document) -> None:
        """Repeat the deletions of an operation, unless what it has deleted was created again."""
        writes = decode_writes(operation["writes"])
        is_applied = await self._applier.is_applied(writes[0], Target(operation["target"]))
        if is_applied:
            for write in writes:
                if isinstance(write, DeleteMany | DropCollections):
                    await self._applier.apply(write)
        if not is_applied or operation["sweep_at"] < time.time():
            await self._delete(operation)

    async def _keep_for_sweep(self, operation: Document) -> None:
        async with self._connection.command():
            await self._open_collection().update_one(
                {"_id": operation["_id"]}, {"$set": {"sweep_at": time.time() + SWEEP_AFTER_S}}
            )

    async def _delete(self, operation: Document) -> None:
        async with self._connection.command():
            await self._open_collection().delete_one({"_id": operation["_id"]})

    def _open_collection(self) -> Any:
        return self._connection.collection(self._connection.default, OPERATIONS)


def _is_swept(writes: Sequence[Write]) -> bool:
    """Whether an operation deletes what belongs to the entry that its first write removes."""
    return isinstance(writes[0], UpdateOne) and any(
        isinstance(write, DeleteMany | DropCollections) for write in writes
    )
