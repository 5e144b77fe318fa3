"""A panel of machines over closed windows, for the tests of their cache, and a record of what it reads."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.counters import CounterCell, CounterRule
from stores.contracts.samples import (
    MACHINE,
    SECOND,
    ByMachine,
    ByTags,
    Cell,
    Point,
    SampleColumns,
    Value,
)
from stores.contracts.series import SeriesDatabase, SeriesStore, WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Windows
from stores.wrappers.cached_series import CachedSeriesStore
from stores.wrappers.closed_windows import CacheRules, ClosedWindows
from stores.wrappers.counting import CallCounter
from stores.wrappers.interception import StoreCall
from stores.wrappers.series import WrappedSeriesDatabase, WrappedSeriesStore, WrappedWritableSeriesStore

T = TypeVar("T")
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_700_006_400 * SECOND  # the start of an hour and of a day
SETTLED = 900 * SECOND
RULES = CacheRules(SETTLED / SECOND)
MEAN = Aggregation("mean")
MACHINES = ("M1", "M2", "M3")


class Clock:
    """The time of a test: `now` in nanoseconds since 1970."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def read_seconds(self) -> float:
        return self.now / SECOND


class Reads(CallCounter):
    """What was requested of a store: machines and range of each call that is cached, and all calls.

    `after` has by operation what happens before such a call returns, after the store was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[tuple[tuple[str, ...], int, int]] = []
        self.after: dict[str, Callable[[], Awaitable[None]]] = {}

    def clear(self) -> None:
        self.windows.clear()
        self.calls.clear()

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        result = await super().run(call, proceed)
        if call.operation in self.after:
            await self.after[call.operation]()
        return result


class _RecordedDatabase(WrappedSeriesDatabase):
    def __init__(self, series: SeriesDatabase, reads: Reads) -> None:
        super().__init__(series, reads)
        self._reads = reads

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        self._reads.windows.append((tuple(query.machines), query.start, query.stop))
        return await super().windows(query, windows, aggregation)

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        self._reads.windows.append((tuple(query.machines), query.start, query.stop))
        return await super().changes(query, limit, period)

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> ByMachine[ByTags[list[CounterCell]]]:
        self._reads.windows.append((tuple(query.machines), query.start, query.stop))
        return await super().counters(query, windows, rule, limit)

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        self._reads.windows.append((tuple(query.machines), query.start, query.stop))
        return await super().areas(query, windows, rule)


class _RecordedStore(WrappedSeriesStore):
    def __init__(self, store: SeriesStore, reads: Reads) -> None:
        super().__init__(store, reads)
        self._reads = reads

    def database(self, name: str) -> SeriesDatabase:
        return _RecordedDatabase(self._store.database(name), self._reads)


def cache(store: SeriesStore, clock: Clock, rules: CacheRules = RULES) -> tuple[CachedSeriesStore, Reads]:
    """The cache around a store, with what it asks of the store."""
    reads = Reads()
    recorded = _RecordedStore(store, reads)
    log = WrappedWritableSeriesStore(store, reads) if isinstance(store, WritableSeriesStore) else None
    closed = ClosedWindows(rules, log, lambda: clock.now, clock.read_seconds)
    return CachedSeriesStore(recorded, closed), reads


def hours(start: int, stop: int, step: int = HOUR) -> Windows:
    first = start // step * step
    return Windows(tuple(range(first, stop + step, step)), step)


def ask(
    start: int, stop: int, machines: Sequence[str] = MACHINES, step: int = HOUR, field: str = "x"
) -> tuple[SeriesQuery, Windows]:
    return SeriesQuery("state", [field], machines, start, stop), hours(start, stop, step)


def sample(machine: str, time: int, value: Value = 1.5, **tags: str) -> Point:
    return Point("state", tuple(sorted({**tags, MACHINE: machine}.items())), {"x": value}, time)


async def fill_and_cache(store: WritableSeriesStore) -> tuple[SeriesDatabase, Reads]:
    """Fill the database `d` with samples of 30 hours; return its cache, and what that asks of the store."""
    points = [sample(machine, START + n * HOUR // 2) for n in range(60) for machine in MACHINES]
    assert not any(await store.write("d", points))
    cached, reads = cache(store, Clock(START + 2 * DAY))
    return cached.database("d"), reads
