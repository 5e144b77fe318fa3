"""The time-series store on SQLite: one file, one writer, and readers that do not wait for it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from stores.backends.sqlite import series_moves as moves
from stores.backends.sqlite import series_occurrences as occurrences
from stores.backends.sqlite import series_queries as queries
from stores.backends.sqlite.file import SqliteFile
from stores.backends.sqlite.series_areas import read_areas, require_all_samples
from stores.backends.sqlite.series_backfill import backfill, count_derived_series
from stores.backends.sqlite.series_deletion import (
    delete_older,
    delete_range,
    list_series,
    list_series_to_delete,
    split_range,
)
from stores.backends.sqlite.series_extents import read_extents
from stores.backends.sqlite.series_rewrites import read_rewrites
from stores.backends.sqlite.series_samples import read_changes, read_points
from stores.backends.sqlite.series_schema import FORMAT, SampleDamage
from stores.backends.sqlite.series_windows import are_rolled
from stores.backends.sqlite.series_writer import SeriesCache, SqlitePointWriter
from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.counters import CounterCell, CounterRule
from stores.contracts.deletions import Deletion
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.machine_moves import EarlierMachine, MoveReport
from stores.contracts.rewrites import RewriteReport
from stores.contracts.samples import (
    ByMachine,
    ByTags,
    Cell,
    Kind,
    Neighbours,
    Occurrence,
    Point,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series import CellRule, SeriesDatabase, WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, SourceQuery, Windows

T = TypeVar("T")
READERS = 4
CACHE_KIB = 16_384  # pages that each connection caches


class SqliteSeriesStore(WritableSeriesStore):
    """All databases in the one file `path`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, FORMAT, name="time-series store", readers=READERS, cache_kib=CACHE_KIB)
        self._cache = SeriesCache()
        self.damage = SampleDamage()

    def database(self, name: str) -> "SqliteSeriesDatabase":
        return SqliteSeriesDatabase(self, [name])

    def combine(self, names: Sequence[str]) -> "SqliteSeriesDatabase":
        return SqliteSeriesDatabase(self, names)

    @property
    def damaged_samples(self) -> int:
        return self.damage.count

    async def ping(self) -> None:
        # The pages that every query begins with: a file that is damaged there answers nothing.
        sql = "SELECT * FROM {} LIMIT 1"
        await self.read(lambda db: [db.execute(sql.format(name)).fetchall() for name in FORMAT.tables])

    async def check_writes(self) -> None:
        await self._file.check_writes()

    async def close(self) -> None:
        await self._file.close()

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return the result of `work` on one snapshot."""
        return await self._file.read(work)

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        def write_points(db: apsw.Connection) -> tuple[list[str | None], SeriesCache, SeriesCache]:
            cache = self._cache
            writer = SqlitePointWriter(db, cache)
            return writer.write(database, points), cache, writer.new

        results, cache, new = await self._file.write(write_points)
        cache.add(new)  # to the one that was in use: a move has replaced it if series have other numbers now
        return results

    def get_cache_sizes(self) -> dict[str, int]:
        return {"tag_sets": len(self._cache)}

    async def retain(self, cutoff: int, rollup_cutoff: int | None = None) -> int:
        deleted = 0
        for number in await self.read(list_series):  # a transaction each, so that writers wait for one only
            work = partial(delete_older, number=number, cutoff=cutoff, rollup_cutoff=rollup_cutoff)
            deleted += await self._file.write(work)
        return deleted

    async def backfill(self) -> tuple[int, int]:
        done, total = await self.read(count_derived_series)
        if done < total:
            await self._file.write(backfill)
        return done, total

    async def delete(self, database: str, deletion: Deletion) -> int:
        deleted = 0
        for whole in await self.read(lambda db: list_series_to_delete(db, database, deletion)):
            parts = await self.read(partial(split_range, whole=whole))
            for part in parts:
                deleted += await self._file.write(partial(delete_range, part=part))
        return deleted

    async def list_machines(self, database: str, *, after: str = "", limit: int) -> list[str]:
        return await self.read(lambda db: moves.list_machines(db, database, after, limit))

    async def list_earlier_machines(self, limit: int) -> tuple[list[EarlierMachine], int]:
        return await self.read(lambda db: moves.list_earlier_machines(db, limit))

    async def settle_earlier_machines(self, machines: Sequence[EarlierMachine]) -> None:
        await self._file.write(lambda db: moves.settle_earlier_machines(db, machines))

    async def move_machines(self, source: str, targets: Mapping[str, str]) -> MoveReport:
        def move(db: apsw.Connection) -> MoveReport:
            self._cache = SeriesCache()  # in the thread of the writer, before its next write
            return moves.move_machines(db, source, targets)

        return await self._file.write(move)

    async def list_rewrites(self, after: int | None) -> RewriteReport:
        return await self.read(lambda db: read_rewrites(db, after))


class SqliteSeriesDatabase(SeriesDatabase):
    """One database of the file, or several together."""

    sampled_functions = frozenset(("quantile", "first", "last", "stddev"))

    def __init__(self, store: SqliteSeriesStore, names: Sequence[str]) -> None:
        self._store, self._names = store, list(names)
        self.database = ",".join(names)

    def presume_window_samples(self, query: SeriesQuery, windows: Windows, rule: CellRule) -> int:
        return 0 if are_rolled(query, windows, rule) else super().presume_window_samples(query, windows, rule)

    async def catalogue(self) -> dict[str, dict[str, Kind]]:
        return await self._store.read(lambda db: queries.read_catalogue(db, self._names))

    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        return await self._store.read(lambda db: read_extents(db, self._names, query, limit))

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        return await self._store.read(
            lambda db: queries.read_latest(db, self._names, query, self._store.damage)
        )

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        return await self._store.read(
            lambda db: read_points(db, self._names, query, limit, self._store.damage)
        )

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        return await self._store.read(
            lambda db: read_changes(db, self._names, query, limit, period, self._store.damage)
        )

    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        return await self._store.read(
            lambda db: queries.read_neighbours(db, self._names, query, self._store.damage)
        )

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        return await self._store.read(
            lambda db: queries.read_windows(db, self._names, query, windows, aggregation)
        )

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> ByMachine[ByTags[list[CounterCell]]]:
        await self._store.read(lambda db: require_all_samples(db, self._names, query))
        return await super().counters(query, windows, rule, limit)

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        return await self._store.read(lambda db: read_areas(db, self._names, query, windows, rule))

    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        return await self._store.read(
            lambda db: occurrences.read_last(db, self._names, queries, limit, self._store.damage)
        )

    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        return await self._store.read(
            lambda db: occurrences.read_last_by_machine(db, self._names, query, limit, self._store.damage)
        )

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        return await self._store.read(lambda db: occurrences.read_counts(db, self._names, query))

    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        return await self._store.read(lambda db: occurrences.find_machines_with(db, self._names, query))

    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        return await self._store.read(
            lambda db: occurrences.find_machines(db, self._names, start, stop, where)
        )
