"""The time-series store on SQLite: one file, one writer, and readers that do not wait for it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from stores.backends.sqlite import series_queries as queries
from stores.backends.sqlite.file import SqliteFile
from stores.backends.sqlite.series_schema import FORMAT
from stores.backends.sqlite.series_writer import SeriesCache, SqlitePointWriter, delete_older, list_series
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
READERS = 4
CACHE_KIB = 16_384  # pages that each connection caches


class SqliteSeriesStore(WritableSeriesStore):
    """All databases in the one file `path`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, FORMAT, name="time-series store", readers=READERS, cache_kib=CACHE_KIB)
        self._cache = SeriesCache()

    def database(self, name: str) -> "SqliteSeriesDatabase":
        return SqliteSeriesDatabase(self, name)

    async def ping(self) -> None:
        await self.read(lambda db: db.execute("SELECT 1").fetchall())

    async def check_writes(self) -> None:
        await self._file.check_writes()

    async def close(self) -> None:
        await self._file.close()

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return the result of `work` on one snapshot."""
        return await self._file.read(work)

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        def write_points(db: apsw.Connection) -> tuple[list[str | None], SeriesCache]:
            writer = SqlitePointWriter(db, self._cache)
            return writer.write(database, points), writer.new

        results, new = await self._file.write(write_points)
        self._cache.add(new)
        return results

    async def retain(self, cutoff: int) -> int:
        deleted = 0
        for number in await self.read(list_series):  # a transaction each, so that writers wait for one only
            deleted += await self._file.write(partial(delete_older, number=number, cutoff=cutoff))
        return deleted


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
