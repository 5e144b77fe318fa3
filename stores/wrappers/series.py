"""A time-series store around a time-series store: every call passes through an `Interceptor`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.counters import CounterCell, CounterRule
from stores.contracts.deletions import Deletion
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.machine_moves import EarlierMachine, MoveReport
from stores.contracts.rewrites import RewriteReport
from stores.contracts.samples import (
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Neighbours,
    Occurrence,
    Point,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series import CellRule, SeriesDatabase, SeriesStore, WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, SourceQuery, Windows, presume_samples
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class WrappedSeriesStore(SeriesStore):
    """Passes each call, except `close`, to `store` through `interceptor`."""

    def __init__(self, store: SeriesStore, interceptor: Interceptor) -> None:
        self._store, self._interceptor = store, interceptor

    @property
    def is_suspended(self) -> bool:
        return self._interceptor.is_suspended or self._store.is_suspended

    def database(self, name: str) -> SeriesDatabase:
        return WrappedSeriesDatabase(self._store.database(name), self._interceptor)

    @property
    def damaged_samples(self) -> int:
        return self._store.damaged_samples

    @property
    def version(self) -> int:
        return self._store.version

    async def ping(self) -> None:
        await self._interceptor.run(StoreCall("ping"), self._store.ping)

    async def check_writes(self) -> None:
        await self._interceptor.run(StoreCall("check_writes"), self._store.check_writes)

    def get_cache_sizes(self) -> dict[str, int]:
        return self._store.get_cache_sizes()

    def get_cached_bytes(self) -> dict[str, int]:
        return self._store.get_cached_bytes()

    async def close(self) -> None:
        await self._store.close()


class WrappedWritableSeriesStore(WrappedSeriesStore, WritableSeriesStore):
    """The same around a store that can be written to."""

    def __init__(self, store: WritableSeriesStore, interceptor: Interceptor) -> None:
        super().__init__(store, interceptor)
        self._writable = store

    def combine(self, names: Sequence[str]) -> SeriesDatabase:
        return WrappedSeriesDatabase(self._writable.combine(names), self._interceptor)

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        call = StoreCall("write", database, is_write=True)
        return await self._interceptor.run(call, lambda: self._writable.write(database, points))

    async def retain(self, cutoff: int, rollup_cutoff: int | None = None) -> int:
        # Not one call but one transaction for each series, for which nobody waits.
        return await self._writable.retain(cutoff, rollup_cutoff)

    async def backfill(self) -> tuple[int, int]:
        return await self._writable.backfill()

    async def delete(self, database: str, deletion: Deletion) -> int:
        # As `retain`: it takes as long as there are points.
        return await self._writable.delete(database, deletion)

    async def list_machines(self, database: str, *, after: str = "", limit: int) -> list[str]:
        call = StoreCall("list_machines", database)
        return await self._interceptor.run(
            call, lambda: self._writable.list_machines(database, after=after, limit=limit)
        )

    async def list_earlier_machines(self, limit: int) -> tuple[list[EarlierMachine], int]:
        return await self._writable.list_earlier_machines(limit)

    async def settle_earlier_machines(self, machines: Sequence[EarlierMachine]) -> None:
        await self._writable.settle_earlier_machines(machines)

    async def move_machines(self, source: str, targets: Mapping[str, str]) -> MoveReport:
        # Without a deadline: merging series of many points takes longer than a call may.
        return await self._writable.move_machines(source, targets)

    async def list_rewrites(self, after: int | None) -> RewriteReport:
        return await self._interceptor.run(
            StoreCall("list_rewrites"), lambda: self._writable.list_rewrites(after)
        )


def wrap_series(store: SeriesStore, interceptor: Interceptor) -> SeriesStore:
    """The store around a store; one that can be written to stays so."""
    if isinstance(store, WritableSeriesStore):
        return WrappedWritableSeriesStore(store, interceptor)
    return WrappedSeriesStore(store, interceptor)


class WrappedSeriesDatabase(SeriesDatabase):
    """One database of a `WrappedSeriesStore`."""

    def __init__(self, series: SeriesDatabase, interceptor: Interceptor) -> None:
        self._series, self._interceptor = series, interceptor
        self.database = series.database

    def presume_window_samples(self, query: SeriesQuery, windows: Windows, rule: CellRule) -> int:
        return self._series.presume_window_samples(query, windows, rule)

    async def _read(self, operation: str, subject: str, proceed: Callable[[], Awaitable[T]]) -> T:
        return await self._interceptor.run(StoreCall(operation, subject), proceed)

    async def catalogue(self) -> Catalogue:
        return await self._read("catalogue", "", self._series.catalogue)

    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        fields = ",".join(f"{measurement} {field}" for measurement, field in query.fields or ())
        return await self._read("extents", fields, lambda: self._series.extents(query, limit))

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        return await self._read("latest", join_fields(query), lambda: self._series.latest(query))

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        call = StoreCall("points", join_fields(query), presume_samples=partial(presume_samples, query))
        return await self._interceptor.run(call, lambda: self._series.points(query, limit))

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        return await self._read(
            "changes", join_fields(query), lambda: self._series.changes(query, limit, period)
        )

    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        return await self._read("neighbours", join_fields(query), lambda: self._series.neighbours(query))

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        return await self._read_by_rule(
            "windows", query, windows, aggregation, lambda: self._series.windows(query, windows, aggregation)
        )

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        return await self._read_by_rule(
            "areas", query, windows, rule, lambda: self._series.areas(query, windows, rule)
        )

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> ByMachine[ByTags[list[CounterCell]]]:
        return await self._read_by_rule(
            "counters", query, windows, rule, lambda: self._series.counters(query, windows, rule, limit)
        )

    async def _read_by_rule(
        self,
        operation: str,
        query: SeriesQuery,
        windows: Windows,
        rule: CellRule,
        proceed: Callable[[], Awaitable[T]],
    ) -> T:
        presume = partial(self._series.presume_window_samples, query, windows, rule)
        call = StoreCall(operation, join_fields(query), presume_samples=presume)
        return await self._interceptor.run(call, proceed)

    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        return await self._read("last", "", lambda: self._series.last(queries, limit))

    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        return await self._read("last_by_machine", "", lambda: self._series.last_by_machine(query, limit))

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        return await self._read("counts", "", lambda: self._series.counts(query))

    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        sources = ",".join(f"{source.measurement} {source.field}" for source in query.sources)
        return await self._read("machines_with", sources, lambda: self._series.machines_with(query))

    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        return await self._read("machines", "", lambda: self._series.machines(start, stop, where))


def join_fields(query: SeriesQuery) -> str:
    """The measurement and the fields of a query, for a log line or a trace."""
    return f"{query.measurement} {','.join(query.fields)}"
