"""What follows from the changes of states: intervals, totals, and totals of windows.

A month of a plant has hundreds of thousands of changes, so that totals are found without an object for each.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from resolvers.series.windows import list_windows
from stores.contracts.lazy_lists import ObjectColumns
from stores.contracts.samples import SECOND, Sample, SampleColumns, Value
from stores.contracts.series_queries import Windows


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A state from `start` to `end`, in nanoseconds; `carried_in` if it began before the range."""

    value: Value
    start: int
    end: int
    carried_in: bool

    @property
    def duration(self) -> int:
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.duration / SECOND


@dataclass(frozen=True, slots=True)
class StateTotal:
    """How long a state lasted altogether, in nanoseconds, and its share of the time whose state is known.

    `entries` is how often it began; a state that began before the range, or the window, is not counted.
    """

    value: Value
    duration: int
    share: float
    entries: int

    @property
    def seconds(self) -> float:
        return self.duration / SECOND


@dataclass(frozen=True, slots=True)
class WindowTotals:
    """The totals of the states in a window. An incomplete window is cut by the range, or not over yet.

    `shift` is the name of the shift that the window is, if it is one.
    """

    start: int
    end: int
    complete: bool
    states: list[StateTotal]
    shift: str | None = None


@dataclass(frozen=True, slots=True)
class StateRuns:
    """The states of one series: state `values[i]` begins at `times[i]`; the last one ends at `stop`.

    `carried_in` is whether the first one began before the range. Neighbouring values differ.
    """

    times: Sequence[int]
    values: Sequence[Value]
    stop: int
    carried_in: bool

    def list_spans(self) -> ObjectColumns[StateSpan]:
        """Return the states as objects."""
        ends = (*self.times[1:], self.stop) if self.times else ()
        carried_in = [False] * len(self.times)
        carried_in[:1] = [self.carried_in] * len(carried_in[:1])
        return ObjectColumns(StateSpan, self.values, self.times, ends, carried_in)

    def cut(self, start: int, stop: int) -> "StateRuns":
        """Return the states of a part of the time. A state that goes on from before it is carried in."""
        stop = min(stop, self.stop)
        if start >= stop:
            return StateRuns((), (), stop, False)
        first, end = bisect_right(self.times, start) - 1, bisect_left(self.times, stop)
        if first < 0:
            return StateRuns(self.times[:end], self.values[:end], stop, self.carried_in and end > 0)
        times = max(self.times[first], start), *self.times[first + 1 : end]
        carried_in = self.times[first] < start or (first == 0 and self.carried_in)
        return StateRuns(times, self.values[first:end], stop, carried_in)


def find_states(carried: Sample | None, changes: SampleColumns, start: int, stop: int) -> StateRuns:
    """Return the states of a range of one series. The last one lasts to `stop`.

    `carried` is the last sample before the range, `changes` are those of the range.
    """
    times, values = tuple(changes.times), tuple(changes.values)
    if carried is None:
        return StateRuns(times, values, stop, carried_in=False)
    if values and values[0] == carried.value:
        return StateRuns((start, *times[1:]), values, stop, carried_in=True)
    if times and times[0] == start:
        return StateRuns(times, values, stop, carried_in=False)
    return StateRuns((start, *times), (carried.value, *values), stop, carried_in=True)


def count_states(series: Iterable[StateRuns]) -> int:
    """Return the number of states of all series."""
    return sum(len(runs.times) for runs in series)


def merge_spans(series: Sequence[StateRuns]) -> Sequence[StateSpan]:
    """Return the states of all series as objects, in the order in which they begin."""
    if not series:
        return []
    spans = ObjectColumns.join(StateSpan, [runs.list_spans() for runs in series])
    return spans.order_by(1) if len(series) > 1 else spans


def sum_states(series: Iterable[StateRuns]) -> list[StateTotal]:
    """Return the total of each state in all series, the longest first."""
    durations: defaultdict[Value, int] = defaultdict(int)
    entries: Counter[Value] = Counter()
    for runs in series:
        ends = chain(islice(runs.times, 1, None), (runs.stop,))
        for value, start, end in zip(runs.values, runs.times, ends, strict=False):
            durations[value] += end - start
        entries.update(runs.values)
        if runs.carried_in:
            entries[runs.values[0]] -= 1
    known = sum(durations.values())
    ordered = sorted(durations.items(), key=lambda item: (-item[1], str(item[0])))
    return [StateTotal(value, duration, duration / known, entries[value]) for value, duration in ordered]


def split_states(series: Sequence[StateRuns], windows: Windows, start: int, stop: int) -> list[WindowTotals]:
    """Return the total of each state in each window. A state is entered in the window in which it begins.

    Windows that are not within `start` and `stop` are not complete. The time between shifts is left out.
    """
    return [
        WindowTotals(
            begin,
            end,
            start <= begin and end <= stop,
            sum_states(runs.cut(begin, end) for runs in series),
            shift,
        )
        for _, begin, end, shift in list_windows(windows)
    ]
