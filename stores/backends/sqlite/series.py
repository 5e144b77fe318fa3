"""The time-series store on SQLite: one file, one writer, and readers that do not wait for it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import apsw

from stores.backends.sqlite import series_queries as queries
from stores.backends.sqlite.connection import connect
from stores.backends.sqlite.series_schema import SCHEMA, VERSION
from stores.backends.sqlite.series_writer import SeriesWriter, delete_older, list_series
from stores.contracts.errors import Unavailable
from stores.contracts.series import (
    Aggregation,
    ByMachine,
    Cell,
    Kind,
    Occurrence,
    Point,
    Sample,
    SeriesDatabase,
    SeriesQuery,
    SourceQuery,
    Value,
    Windows,
    WritableSeriesStore,
)

T = TypeVar("T")
log = logging.getLogger(__name__)
READERS = 4
CACHE_KIB = 16_384  # pages that each connection caches
CHECKPOINT_PAGES = 4000


class SqliteSeriesStore(WritableSeriesStore):
    """All databases in the one file `path`; a read takes at most `deadline` seconds, waiting included."""

    def __init__(self, path: Path, *, deadline: float = 5.0) -> None:
        self._path = path
        self._deadline = deadline
        self._write_executor = ThreadPoolExecutor(1, thread_name_prefix="series-writer")
        self._read_executor = ThreadPoolExecutor(READERS, thread_name_prefix="series-reader")
        self._local = threading.local()
        self._connections: list[apsw.Connection] = []
        self._writer = SeriesWriter()

    def database(self, name: str) -> "SqliteSeriesDatabase":
        return SqliteSeriesDatabase(self, name)

    async def ping(self) -> None:
        await self.read(lambda db: db.execute("SELECT 1").get)

    async def close(self) -> None:
        for executor in (self._read_executor, self._write_executor):
            await asyncio.to_thread(executor.shutdown)
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run `work` on a connection of a reader thread, within one snapshot."""
        running: list[apsw.Connection] = []

        def run() -> T:
            db = self._connection()
            running.append(db)
            db.execute("BEGIN")
            try:
                return work(db)
            finally:
                db.execute("COMMIT")

        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.get_running_loop().run_in_executor(self._read_executor, run)
        except TimeoutError:
            for db in running:
                db.interrupt()
            raise Unavailable("the time-series store does not answer in time") from None
        except (apsw.Error, OSError) as error:
            log.warning("time-series store: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store does not answer") from None

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        return await self._write(lambda db: self._writer.write(db, database, points))

    async def retain(self, cutoff: int) -> int:
        deleted = 0
        for number in await self.read(list_series):  # a transaction each, so that writers wait for one only
            deleted += await self._write(partial(delete_older, number=number, cutoff=cutoff))
        return deleted

    async def _write(self, work: Callable[[apsw.Connection], T]) -> T:
        def run_transaction() -> T:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
            except BaseException:
                db.execute("ROLLBACK")
                self._writer.clear()
                raise
            db.execute("COMMIT")
            return result

        try:
            # If the caller is cancelled, the transaction still runs to its end.
            loop = asyncio.get_running_loop()
            return await asyncio.shield(loop.run_in_executor(self._write_executor, run_transaction))
        except (apsw.Error, OSError) as error:
            log.warning("time-series store: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store cannot be written") from None

    def _connection(self) -> apsw.Connection:
        """Return the connection of the current thread."""
        if not hasattr(self._local, "connection"):
            db = connect(self._path, self._deadline, schema=SCHEMA, version=VERSION, cache=CACHE_KIB)
            db.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            self._local.connection = db
            self._connections.append(db)
        return cast(apsw.Connection, self._local.connection)


class SqliteSeriesDatabase(SeriesDatabase):
    """One database of the file."""

    def __init__(self, store: SqliteSeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> dict[str, dict[str, Kind]]:
        return await self._store.read(lambda db: queries.read_catalogue(db, self.database))

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        return await self._store.read(lambda db: queries.read_latest(db, self.database, query))

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[list[Sample]]:
        return await self._store.read(lambda db: queries.read_points(db, self.database, query, limit))

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[list[Cell]]:
        return await self._store.read(
            lambda db: queries.read_windows(db, self.database, query, windows, aggregation)
        )

    async def last(self, query: SourceQuery, limit: int) -> list[Occurrence]:
        return await self._store.read(lambda db: queries.read_last(db, self.database, query, limit))

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        return await self._store.read(lambda db: queries.read_counts(db, self.database, query))

    async def machines_with(self, query: SourceQuery, value: Value) -> set[str | None]:
        return await self._store.read(lambda db: queries.find_machines_with(db, self.database, query, value))
