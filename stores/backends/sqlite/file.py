"""A file of the embedded stores in use: one thread that writes, others that read beside it."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from stores.backends.sqlite.connection import NO_ROOM, FileFormat, FileRejected, open_connection
from stores.backends.sqlite.failures import EXPECTED, is_full, to_unavailable
from stores.backends.sqlite.workers import Abandoned, Call, Workers
from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import mark_sent

T = TypeVar("T")
log = logging.getLogger(__name__)
WRITER_CACHE_KIB = 16_384
MAX_WAITING = 1000  # calls that wait for the writer, or for a reader: more are refused at once


class SqliteFile:
    """The file at `path`, made by the first call if it is missing. A reader caches `cache_kib` KiB of it.

    A call that is cancelled is stopped, and a write among them rolled back, unless it has begun to commit.
    """

    def __init__(
        self, path: Path, file_format: FileFormat, *, name: str, readers: int, cache_kib: int
    ) -> None:
        self.path = path
        self._format, self._name = file_format, name
        self._writer = Workers(f"{name} writer", 1, partial(self._connect, WRITER_CACHE_KIB))
        self._readers = Workers(f"{name} reader", readers, partial(self._connect, cache_kib))
        self._was_opened = False
        self._write_failed = self._is_read_only = False

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return the result of `work`, which sees the file as it was at one moment. Raises `Unavailable`."""

        def transaction(call: Call[T], db: apsw.Connection) -> T:
            db.execute("BEGIN")
            try:
                return work(db)
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

        return await self._run(self._readers, transaction)

    async def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return the result of `work` once all that it wrote is on the disk. Raises `Unavailable`.

        If it raises, nothing is written.
        """

        def transaction(call: Call[T], db: apsw.Connection) -> T:
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
                call.begin_commit()
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # some errors end the transaction by themselves
                    db.execute("ROLLBACK")
                raise
            return result

        try:
            result = await self._run(self._writer, transaction)
        except Unavailable as unavailable:
            self._write_failed = isinstance(unavailable.__cause__, NO_ROOM)
            raise
        mark_sent()
        self._write_failed = False
        return result

    async def check_writes(self) -> None:
        """Return if the file can be written; raises `Unavailable` if it cannot. Nothing is left in the file.

        After a write that failed, a transaction that changes nothing is committed: only that shows whether
        the disk takes what is written.
        """
        if self._write_failed:
            version = self._format.version
            await self.write(lambda db: db.execute(f"PRAGMA user_version = {version}").fetchall())

        def transaction(call: Call[None], db: apsw.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute("CREATE TABLE probe (x); INSERT INTO probe VALUES (zeroblob(4096))")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

        await self._run(self._writer, transaction)
        if is_full(self.path):
            raise to_unavailable(self.path, apsw.FullError())

    async def close(self) -> None:
        """Abandon what runs and let go of the file."""
        for workers in (self._readers, self._writer):
            await asyncio.to_thread(workers.stop)

    async def _run(self, workers: Workers, work: Callable[[Call[T], apsw.Connection], T]) -> T:
        if workers.waiting >= MAX_WAITING:
            raise Unavailable(f"The {self._name} is overloaded: {MAX_WAITING} calls wait for it.")

        def translated(call: Call[T], db: apsw.Connection) -> T:
            try:
                return work(call, db)
            except EXPECTED as error:
                raise self._make_unavailable(error, db.system_errno) from error
            except Abandoned:
                raise Unavailable(f"The {self._name} is closed.") from None

        call = Call(translated)
        workers.submit(call)
        try:
            return await call.future
        except asyncio.CancelledError:
            if not call.abandon() and workers is self._writer:
                mark_sent()
            raise

    def _connect(self, cache_kib: int) -> apsw.Connection:
        try:
            connection = open_connection(
                self.path, self._format, cache_kib=cache_kib, create=not self._was_opened
            )
        except FileRejected as rejected:
            log.error("%s", rejected)
            raise Unavailable(str(rejected)) from None
        except EXPECTED as error:
            raise self._make_unavailable(error) from error
        self._was_opened = True
        if connection.readonly("main") != self._is_read_only:
            self._is_read_only = not self._is_read_only
            state = "cannot be written; it is only read" if self._is_read_only else "can be written again"
            log.warning("%s %s", self.path, state)
        return connection

    def _make_unavailable(self, error: apsw.Error | OSError, system_errno: int = 0) -> Unavailable:
        # A statement is interrupted only if nobody waits for it, for example because a client has left.
        level = logging.DEBUG if isinstance(error, apsw.InterruptError) else logging.WARNING
        log.log(level, "%s: %s: %s", self.path, type(error).__name__, error)
        return to_unavailable(self.path, error, system_errno)
