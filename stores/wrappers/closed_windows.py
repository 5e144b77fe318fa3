"""The cache of closed windows: which are closed, what is cached of them, and what is read once for all.

A window is closed when it ended so long ago that its samples have arrived. Its values are cached by all that
they depend on: the database, the conditions on tags, the field, the machine, the aggregate function and the
edges of the window.
"""

import time
from asyncio import Lock
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

from stores.contracts.rewrites import SETTLING_S, Rewrite, RewriteLog, RewriteReport
from stores.contracts.samples import SECOND, ByMachine, ByTags
from stores.contracts.series_queries import SeriesQuery, Windows
from stores.wrappers.shared_work import SharedCalls, SharedWork
from stores.wrappers.window_runs import Run, RunKey, Values, WindowRuns, pack

R = TypeVar("R", bound=Hashable)  # a rule by which the samples of a window become one value
V = TypeVar("V")
ReadWindows: TypeAlias = Callable[
    [SeriesQuery, Windows, R], Coroutine[Any, Any, ByMachine[ByTags[list[tuple[int, V]]]]]
]
FOREVER_AGO = float("-inf")
# A transaction that began before a window was closed has ended by then, so that its points count as late.
MIN_SETTLED_AFTER_S = 2 * SETTLING_S


@dataclass(frozen=True, slots=True)
class CacheRules:
    """When a window is closed, and for how long and in how many bytes closed windows are cached.

    `settled_after_s` is at least `MIN_SETTLED_AFTER_S`. `ttl_s` is for stores without a `RewriteLog`.
    """

    settled_after_s: float = 900.0
    ttl_s: float = 3600.0
    max_bytes: int = 64 * 1024 * 1024


class ClosedWindows:
    """The closed windows of one store. `log` tells which of them were rewritten; without it, they expire.

    `now` returns nanoseconds since 1970, `clock` seconds that only increase.
    """

    def __init__(
        self,
        rules: CacheRules,
        log: RewriteLog | None,
        now: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.runs = WindowRuns(rules.max_bytes)
        self._rules, self._log, self._now, self._clock = rules, log, now, clock
        self._latest_now = 0
        self._position: int | None = None  # in the log
        self._listing = Lock()
        self._next_listing: SharedWork[None] | None = None  # has not begun
        self._reads: SharedCalls[ByMachine[ByTags[list[tuple[int, Any]]]]] = SharedCalls()
        self._rewrites: dict[object, list[Rewrite]] = {}  # since each of the running reads began

    def find_closed(self, query: SeriesQuery, windows: Windows) -> tuple[int, int]:
        """Return the index of the first window that is closed and whole, and of the first one after these.

        They are equal if there are none, or if nothing is cached.
        """
        if not self._rules.max_bytes:
            return 0, 0
        now = self._now()
        if now < self._latest_now - SECOND:  # the clock was ahead: windows may not have been closed
            self.runs.clear()
        self._latest_now = now
        settled = now - int(self._rules.settled_after_s * SECOND)
        first = bisect_left(windows.edges, query.start)
        return first, bisect_right(windows.edges, min(query.stop, settled)) - 1

    async def refresh(self) -> None:
        """Forget what was rewritten before this call. Calls that wait together are one call to the store."""
        if self._log is None:
            return
        if self._next_listing is None or not self._next_listing.is_running:
            self._next_listing = SharedWork(self._list_rewrites(self._log))
        await self._next_listing.wait()

    async def _list_rewrites(self, log: RewriteLog) -> None:
        async with self._listing:
            self._next_listing = None  # whoever comes now has to know of what is written from now on
            self._apply(await log.list_rewrites(self._position))

    def _apply(self, report: RewriteReport) -> None:
        self._position = report.position
        if report.rewrites is None:
            self.runs.clear()
            self._rewrites.clear()
            return
        self.runs.forget(report.rewrites)
        for rewrites in self._rewrites.values():
            rewrites.extend(report.rewrites)

    def find(self, key: RunKey) -> Run | None:
        """Return what is cached of a series."""
        return self.runs.find(key, FOREVER_AGO if self._log else self._clock() - self._rules.ttl_s)

    async def read(
        self, database: str, query: SeriesQuery, windows: Windows, rule: R, read_stored: ReadWindows[R, V]
    ) -> ByMachine[ByTags[list[tuple[int, V]]]]:
        """Return closed windows from the store, in one call for all that ask for them now, and cache them."""
        kind = make_kind(query, windows, rule)
        fields, machines = tuple(query.fields), tuple(query.machines)
        key = database, kind, fields, machines, windows.edges, self._position
        return await self._reads.run(key, partial(self._read, database, query, windows, rule, read_stored))

    async def _read(
        self, database: str, query: SeriesQuery, windows: Windows, rule: R, read_stored: ReadWindows[R, V]
    ) -> ByMachine[ByTags[list[tuple[int, V]]]]:
        read, read_at = object(), self._clock()
        self._rewrites[read] = []
        try:
            cells = await read_stored(query, windows, rule)
        except BaseException:
            self._rewrites.pop(read, None)
            raise
        rewrites = self._rewrites.pop(read, None)
        if rewrites is not None:
            kind, count = make_kind(query, windows, rule), len(windows.edges) - 1
            values = {
                RunKey(database, machine, field, kind): {
                    tags: _list_values(of_tags, count)
                    for tags, of_tags in cells.get(machine, {}).get(field, {}).items()
                }
                for machine in query.machines
                for field in query.fields
            }
            self.runs.add(windows.edges, values, read_at)
            self.runs.forget(rewrites)
        return cells


def make_kind(query: SeriesQuery, windows: Windows, rule: Hashable) -> Hashable:
    """Return what the values of windows depend on beside the series and the edges.

    It contains how the edges follow each other, so that each kind of windows has a run of its own.
    """
    step = windows.step
    grid = (windows.unit, windows.zone) if step is None else (step, windows.edges[0] % step)
    return query.measurement, query.where, rule, grid


def _list_values(cells: Sequence[tuple[int, Any]], count: int) -> Values:
    """Return the value of each of `count` windows, None for those without samples."""
    values: list[Any] = [None] * count
    for index, value in cells:
        values[index] = value
    return pack(values)
