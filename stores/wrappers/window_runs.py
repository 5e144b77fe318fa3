"""The values of windows that are over, by series, within a limit of memory."""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, cast

from cachetools import LRUCache

from stores.contracts.rewrites import Rewrite
from stores.contracts.samples import END_OF_TIME, ByTags, Cell, SampleColumns, Tags, Value
from stores.wrappers.change_pieces import estimate_piece_bytes

Edges = tuple[int, ...]
Values = Sequence[Any]  # values, areas, parts of counters, pieces of changes, and None
RUN_BYTES = 700  # of a run, with its key and its entries in dictionaries
UNUSED_S = 3600.0  # after which windows that nobody asks for leave a run that grows
TAGS_BYTES = 300  # of the values of a tag set
# Of a window; the characters of strings come on top
EDGE_BYTES, VALUE_BYTES, FLOAT_BYTES, TUPLE_BYTES = 8, 40, 8, 280


class RunKey(NamedTuple):
    """The series, and in `kind` whatever its values depend on beside the windows."""

    database: str
    machine: str
    field: str
    kind: Hashable


@dataclass(slots=True)
class Run:
    """By tags, the values of consecutive windows, None for those without samples.

    `read_at` is when the oldest value was read, in seconds of a clock. `asked_from` is the earliest edge that
    was requested since `asked_since`. `memory` is the number of bytes that it takes, by estimate.
    """

    edges: Edges
    values: ByTags[Values]
    read_at: float
    asked_since: float
    asked_from: int = END_OF_TIME
    memory: int = field(init=False)

    def __post_init__(self) -> None:
        values_bytes = sum(map(_estimate_bytes, self.values.values()))
        self.memory = RUN_BYTES + EDGE_BYTES * len(self.edges) + values_bytes

    def find_overlap(self, edges: Edges, first: int, end: int) -> tuple[int, int]:
        """Return which of the windows from `first` to `end` the run has: the first one's index and the end.

        These are equal if it has none. `edges` are those of all windows.
        """
        start = max(first, bisect_left(edges, self.edges[0]))
        stop = min(end, bisect_right(edges, self.edges[-1]) - 1)
        if start < stop:
            offset = bisect_left(self.edges, edges[start])
            if self.edges[offset : offset + stop - start + 1] == edges[start : stop + 1]:
                return start, stop
        return first, first

    def list_cells(self, edges: Edges, start: int, stop: int) -> ByTags[list[Cell]]:
        """Return the windows from `start` to `stop` that have samples; the run has them all."""
        offset, indexes = bisect_left(self.edges, edges[start]), range(start, stop)
        return {
            tags: _list_cells(indexes, values[offset : offset + len(indexes)])
            for tags, values in self.values.items()
        }

    def cut(self, first: int, end: int) -> "Run":
        """Return the windows from `first` to `end` as a run of their own."""
        values = {tags: values[first:end] for tags, values in self.values.items()}
        return Run(self.edges[first : end + 1], values, self.read_at, self.asked_since, self.asked_from)

    def join(self, new: "Run") -> "Run":
        """Return both runs as one if one of them ends where the other one begins, else the new one."""
        before, after = (self, new) if self.edges[-1] == new.edges[0] else (new, self)
        if before.edges[-1] != after.edges[0]:
            return new
        edges = before.edges + after.edges[1:]
        values = {tags: _join(before, after, tags) for tags in before.values | after.values}
        run = Run(edges, values, min(self.read_at, new.read_at), self.asked_since, self.asked_from)
        if new.read_at - self.asked_since > UNUSED_S:  # a range that moves leaves windows behind
            run = run.cut(min(bisect_left(edges, self.asked_from), len(edges) - 2), len(edges) - 1)
            run.asked_since, run.asked_from = new.read_at, END_OF_TIME
        return run


def _list_cells(indexes: range, values: Values) -> list[Cell]:
    cells = zip(indexes, values, strict=True)
    if isinstance(values, array):
        return list(cast(Iterable[Cell], cells))
    return [(index, value) for index, value in cells if value is not None]


def _join(before: Run, after: Run, tags: Tags) -> Values:
    parts = (run.values.get(tags) or [None] * (len(run.edges) - 1) for run in (before, after))
    return pack(list(chain.from_iterable(parts)))


def pack(values: list[Value | None]) -> Values:
    """Return the values in less memory if they are floats."""
    return array("d", cast(list[float], values)) if set(map(type, values)) == {float} else values


def _estimate_bytes(values: Values) -> int:
    if isinstance(values, array):
        return TAGS_BYTES + FLOAT_BYTES * len(values)
    size = TAGS_BYTES + VALUE_BYTES * len(values)
    for class_, count in Counter(map(type, values)).items():  # there may be 50,000 values of one class
        if class_ is str:
            size += sum(len(value) for value in values if type(value) is str)
        elif class_ is SampleColumns:
            size += sum(estimate_piece_bytes(value) for value in values if type(value) is SampleColumns)
        elif issubclass(class_, tuple):  # areas, and parts of counters
            size += TUPLE_BYTES * count
    return size


class WindowRuns:
    """Runs by their keys. The least recently used ones make room for others."""

    def __init__(self, max_bytes: int) -> None:
        self._keys: defaultdict[tuple[str, str], set[RunKey]] = defaultdict(set)  # by database and machine
        self._runs = _Runs(max_bytes, self._forget_key)

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def memory(self) -> int:
        """The bytes that all runs take, by estimate."""
        return int(self._runs.currsize)

    def clear(self) -> None:
        """Remove all runs."""
        self._runs.clear()
        self._keys.clear()

    def find(self, key: RunKey, read_after: float) -> Run | None:
        """Return the run of a key unless it was read too long ago."""
        run = self._runs.get(key)
        if run is not None and run.read_at < read_after:
            self._remove(key)
            return None
        return run

    def add(self, edges: Edges, new: Mapping[RunKey, ByTags[Values]], read_at: float) -> None:
        """Add the values of windows. The run of a series grows if they continue it, or else is replaced."""
        shared: dict[Edges, Edges] = {}
        for key, values in new.items():
            old, run = self._runs.get(key), Run(edges, values, read_at, read_at)
            run = run if old is None else old.join(run)
            run.edges = shared.setdefault(run.edges, run.edges)
            self._put(key, run)

    def forget(self, rewrites: Iterable[Rewrite]) -> None:
        """Remove the windows that rewritten points are in."""
        for database, machine, start, stop in rewrites:
            for key in self._list_keys(database, machine):
                run = self._runs[key]
                first = max(bisect_right(run.edges, start) - 1, 0)
                end = bisect_left(run.edges, stop, hi=len(run.edges) - 1)
                if first < end:
                    self._cut(key, run, first, end)

    def _list_keys(self, database: str, machine: str | None) -> list[RunKey]:
        if machine is not None:
            return list(self._keys.get((database, machine), ()))
        return [key for key in self._runs if key.database == database]

    def _cut(self, key: RunKey, run: Run, first: int, end: int) -> None:
        """Remove windows from a run: the longer of the parts before and after them stays."""
        part = max(range(first), range(end, len(run.edges) - 1), key=len)
        if part:
            self._put(key, run.cut(part.start, part.stop))
        else:
            self._remove(key)

    def _put(self, key: RunKey, run: Run) -> None:
        if run.memory <= self._runs.maxsize:
            self._runs[key] = run
            self._keys[key.database, key.machine].add(key)

    def _remove(self, key: RunKey) -> None:
        del self._runs[key]
        self._forget_key(key)

    def _forget_key(self, key: RunKey) -> None:
        keys = self._keys[key.database, key.machine]
        keys.discard(key)
        if not keys:
            del self._keys[key.database, key.machine]


class _Runs(LRUCache[RunKey, Run]):
    def __init__(self, max_bytes: int, when_evicted: Callable[[RunKey], None]) -> None:
        super().__init__(max_bytes, lambda run: run.memory)
        self._when_evicted = when_evicted

    def popitem(self) -> tuple[RunKey, Run]:
        key, run = super().popitem()
        self._when_evicted(key)
        return key, run
