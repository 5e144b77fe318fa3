"""A time-series store whose closed windows are computed once, for all requests."""

from asyncio import gather
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

from stores.contracts.areas import Area, AreaRule
from stores.contracts.counters import CounterPart, CounterRule
from stores.contracts.deletions import Deletion
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import END_OF_TIME, ByMachine, ByTags, Point, SampleColumns, Value
from stores.contracts.series import CellRule, SeriesDatabase, SeriesStore, WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Windows, presume_samples
from stores.wrappers.change_pieces import (
    PIECE,
    PieceCells,
    join_pieces,
    make_pieces,
    split_changes,
)
from stores.wrappers.closed_windows import CacheRules, ClosedWindows, R, ReadWindows, make_kind
from stores.wrappers.interception import Chain
from stores.wrappers.series import WrappedSeriesDatabase, WrappedSeriesStore, WrappedWritableSeriesStore
from stores.wrappers.window_runs import Edges, Run, RunKey

MAX_SLICE_SAMPLES = 600_000  # of areas, for which a store compares each sample with the next one
MAX_SLICE_STATES = 30_000_000  # of changes, which a store finds without sending or comparing each sample
MAX_GROUPS = 2  # of machines of which different windows are cached: what each lacks is a call of its own


class CachedSeriesStore(WrappedSeriesStore):
    """Passes each call to `store`, but asks it for closed windows only if they are not cached."""

    def __init__(self, store: SeriesStore, closed: ClosedWindows) -> None:
        super().__init__(store, Chain())
        self._closed = closed

    def database(self, name: str) -> SeriesDatabase:
        return CachedSeriesDatabase(self._store.database(name), self._closed)

    def get_cache_sizes(self) -> dict[str, int]:
        return {**super().get_cache_sizes(), "closed_windows": len(self._closed.runs)}

    def get_cached_bytes(self) -> dict[str, int]:
        return {**super().get_cached_bytes(), "closed_windows": self._closed.runs.memory}


class CachedWritableSeriesStore(CachedSeriesStore, WrappedWritableSeriesStore):
    """The same around a store that can be written to."""

    def __init__(self, store: WritableSeriesStore, closed: ClosedWindows) -> None:
        WrappedWritableSeriesStore.__init__(self, store, Chain())
        self._closed, self._changes = closed, 0

    @property
    def version(self) -> int:
        return self._changes

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        try:
            return await super().write(database, points)
        finally:
            self._changes += 1

    async def delete(self, database: str, deletion: Deletion) -> int:
        try:
            return await super().delete(database, deletion)
        finally:
            self._changes += 1


def cache_closed_windows(store: SeriesStore, rules: CacheRules) -> CachedSeriesStore:
    """Return the store around a store; one that can be written to stays so."""
    if isinstance(store, WritableSeriesStore):
        return CachedWritableSeriesStore(store, ClosedWindows(rules, store))
    return CachedSeriesStore(store, ClosedWindows(rules, None))


class WindowPart(NamedTuple):
    """Consecutive windows of some machines: the indexes of the first one and of the one after the last."""

    machines: Sequence[str]
    start: int
    stop: int


V = TypeVar("V")
Cells: TypeAlias = ByMachine[ByTags[list[tuple[int, V]]]]
Runs: TypeAlias = ByMachine[Run | None]


class CachedSeriesDatabase(WrappedSeriesDatabase):
    """One database of a `CachedSeriesStore`."""

    def __init__(self, series: SeriesDatabase, closed: ClosedWindows) -> None:
        super().__init__(series, Chain())
        self._closed = closed

    def presume_window_samples(self, query: SeriesQuery, windows: Windows, rule: CellRule) -> int:
        """As the store, without the windows that are cached."""
        samples = self._series.presume_window_samples(query, windows, rule)
        first, end = self._closed.find_closed(query, windows) if samples else (0, 0)
        if first < end:
            runs = self._find_runs(query, windows, rule)
            for span in _group_by_span(runs, windows.edges, first, end):
                if span.start < span.stop:
                    samples -= self._series.presume_window_samples(*_narrow(query, windows, span), rule)
        return max(samples, 0)

    async def windows(self, query: SeriesQuery, windows: Windows, aggregation: Aggregation) -> Cells[Value]:
        return await self._read_windows(query, windows, aggregation, self._series.windows, END_OF_TIME)

    async def areas(self, query: SeriesQuery, windows: Windows, rule: AreaRule) -> Cells[Area]:
        return await self._read_windows(query, windows, rule, self._series.areas, MAX_SLICE_SAMPLES)

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> Cells[CounterPart]:
        async def read(query: SeriesQuery, windows: Windows, rule: CounterRule) -> Cells[CounterPart]:
            return await self._series.counters(query, windows, rule, limit)

        return await self._read_windows(query, windows, rule, read, limit)

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        pieces = make_pieces(query)
        first, end = self._closed.find_closed(query, pieces)
        if first >= end or period is not None:
            return await super().changes(query, limit, period)

        async def read(query: SeriesQuery, pieces: Windows, rule: str) -> PieceCells:
            first_samples = len(query.machines) * len(query.fields) * (len(pieces.edges) - 1)
            changes = await self._series.changes(query, limit + first_samples, PIECE)
            return await split_changes(changes, pieces)

        try:
            cells = await self._read_windows(query, pieces, "changes", read, MAX_SLICE_STATES)
        except LimitExceeded:  # of many tag sets, there may be too many first samples of days alone
            return await super().changes(query, limit)
        return await join_pieces(cells, limit)

    async def _read_windows(
        self,
        query: SeriesQuery,
        windows: Windows,
        rule: R,
        read_stored: ReadWindows[R, V],
        max_samples: int,
    ) -> Cells[V]:
        """Return what windows come to by a rule, from the store as far as it is not cached.

        A call to the store is for about `max_samples` at most: it has a deadline, and what it returns is
        cached even if the others take too long.
        """
        first, end = self._closed.find_closed(query, windows)
        count, runs, cached = len(windows.edges) - 1, {}, []
        if first < end:
            await self._closed.refresh()
            runs = self._find_runs(query, windows, rule)
            cached = _group_by_span(runs, windows.edges, first, end)
            missing = [WindowPart(query.machines, 0, first), WindowPart(query.machines, end, count)]
        else:
            missing = [WindowPart(query.machines, 0, count)]
        for machines, start, stop in cached:
            missing += [WindowPart(machines, first, start), WindowPart(machines, stop, end)]

        async def read(span: WindowPart) -> tuple[int, Cells[V]]:
            part = _narrow(query, windows, span)
            is_closed = first <= span.start and span.stop <= end
            if not is_closed:
                return span.start, _shift(await read_stored(*part, rule), span.start)
            cells: Cells[V] = await self._closed.read(self.database, *part, rule, read_stored)
            return span.start, _shift(cells, span.start)

        async def read_in_turn(spans: Sequence[WindowPart]) -> list[tuple[int, Cells[V]]]:
            return [await read(span) for span in spans]

        parts = [(span.start, _list_cells(runs, windows.edges, span)) for span in cached]
        slices = [
            piece
            for span in missing
            if span.start < span.stop
            for piece in _slice(query, windows, span, max_samples)
        ]
        parts += chain.from_iterable(await gather(*map(read_in_turn, slices)))
        return _join(cells for _, cells in sorted(parts, key=itemgetter(0)))

    def _find_runs(self, query: SeriesQuery, windows: Windows, rule: Hashable) -> Runs:
        kind = make_kind(query, windows, rule)
        return {
            machine: {
                field: self._closed.find(RunKey(self.database, machine, field, kind))
                for field in query.fields
            }
            for machine in query.machines
        }


def _group_by_span(runs: Runs, edges: Edges, first: int, end: int) -> list[WindowPart]:
    """Return the machines by the windows that are cached of all their fields; those are none for a rest."""
    overlaps: dict[int, tuple[int, int]] = {}  # by the identity of the edges of runs, which many runs share
    groups: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for machine, by_field in runs.items():
        start, stop = first, end
        for run in by_field.values():
            if run is None:
                start, stop = first, first
                break
            overlap = overlaps.get(id(run.edges))
            if overlap is None:
                overlap = overlaps[id(run.edges)] = run.find_overlap(edges, first, end)
            start, stop = max(start, overlap[0]), min(stop, overlap[1])
        groups[(start, stop) if start < stop else (first, first)].append(machine)
    rest = groups.pop((first, first), [])
    largest = sorted(groups, key=lambda span: len(groups[span]), reverse=True)
    rest += [machine for span in largest[MAX_GROUPS:] for machine in groups[span]]
    spans = [WindowPart(groups[span], *span) for span in largest[:MAX_GROUPS]]
    return [*spans, WindowPart(rest, first, first)] if rest else spans


def _slice(
    query: SeriesQuery, windows: Windows, span: WindowPart, max_samples: int
) -> list[list[WindowPart]]:
    """Return the parts of a span for some machines each; if one has many samples, for some of its windows.

    These are in order, so that what is cached of a machine grows.
    """
    samples = presume_samples(_narrow(query, windows, span)[0])
    if samples <= max_samples:
        return [[span]]
    of_machine = samples // len(span.machines)
    machines = max(max_samples // max(of_machine, 1), 1)
    width = max((span.stop - span.start) * max_samples // max(of_machine, max_samples), 1)
    return [
        [
            WindowPart(span.machines[i : i + machines], start, min(start + width, span.stop))
            for start in range(span.start, span.stop, width)
        ]
        for i in range(0, len(span.machines), machines)
    ]


def _narrow(query: SeriesQuery, windows: Windows, span: WindowPart) -> tuple[SeriesQuery, Windows]:
    """Return the query for some machines and windows of it."""
    edges = windows.edges[span.start : span.stop + 1]
    start, stop = max(query.start, edges[0]), min(query.stop, edges[-1])
    return (
        replace(query, machines=span.machines, start=start, stop=stop),
        replace(windows, edges=edges),
    )


def _list_cells(runs: Runs, edges: Edges, span: WindowPart) -> Cells[Any]:
    """Return the cached windows of a span that have samples."""
    cells: Cells[Any] = {}
    for machine in span.machines:
        for field, run in runs[machine].items():
            if run is not None and span.start < span.stop:
                run.asked_from = min(run.asked_from, edges[span.start])
                cells.setdefault(machine, {})[field] = run.list_cells(edges, span.start, span.stop)
    return cells


def _shift(cells: Cells[V], first: int) -> Cells[V]:
    """Return cells whose windows count from another one, of which `first` is the index."""
    if first == 0:
        return cells
    return {
        machine: {
            field: {tags: _shift_indexes(of_tags, first) for tags, of_tags in by_tags.items()}
            for field, by_tags in by_field.items()
        }
        for machine, by_field in cells.items()
    }


def _shift_indexes(cells: list[tuple[int, V]], first: int) -> list[tuple[int, V]]:
    """Return the cells of a series. There may be 50,000, and no Python is run for each."""
    indexes = map(first.__add__, map(itemgetter(0), cells))
    return list(zip(indexes, map(itemgetter(1), cells), strict=True))


def _join(parts: Iterable[Cells[V]]) -> Cells[V]:
    """Return the cells of parts in the order of the windows as one. Series without any are missing."""
    joined: Cells[V] = {}
    for part in parts:
        for machine, by_field in part.items():
            for field, by_tags in by_field.items():
                for tags, cells in by_tags.items():
                    if cells:
                        all_tags = joined.setdefault(machine, {}).setdefault(field, {})
                        all_tags[tags] = all_tags[tags] + cells if tags in all_tags else cells
    return joined
