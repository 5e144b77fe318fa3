"""The states that a machine was in over time."""

from asyncio import gather
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.series.absence import has_written, hint_at_absence, hint_at_tags
from resolvers.series.budget import CHANGES, spend_points
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.tag_sets import ALL_SERIES, GroupTag, TagSelection, group_by_tags
from resolvers.series.windows import WindowRule, list_windows, resolve_windows
from stores.contracts.series import END_OF_TIME, SECOND, ByTags, Neighbours, Sample, Tags, Value, Windows
from stores.entities.machine_events import EXECUTION, STATE, STATUS

CHANGES_PER_SLICE = 500  # that become states at once, before other requests get a turn


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
class StateHistory:
    """The states of a machine from `start` to `stop`, in nanoseconds since 1970, and the windows.

    The intervals of series with different tags overlap. `groups` are the same of some of the series.
    """

    start: int
    stop: int
    windows: Windows
    power: list[StateSpan]
    execution: list[StateSpan]
    mode: list[StateSpan]
    tags: tuple[GroupTag, ...] = ()
    groups: Sequence["StateHistory"] = ()


async def get_states(
    context: Context,
    machine: HasMachineId,
    requested: RequestedRange,
    every: WindowRule | None = None,
    selection: TagSelection = ALL_SERIES,
) -> StateHistory | Hinted:
    """Return a machine's states. All machines are two queries: the changes, and the states before.

    If the machine has never written a state, they are None with a hint.
    """
    requested = await localize(context, machine, requested, every)
    start, stop = resolve_range(context, requested)
    windows = Windows(()) if every is None else resolve_windows(context, requested, every, start, stop)
    stop = max(min(stop, context.now), start + 1)  # future states are not known
    readings, keys = get_readings(context, machine), [(machine.machine_id, field) for field in STATUS]
    neighbours, changes = await gather(
        readings.neighbours(STATE, start, END_OF_TIME, selection.where).load_many(keys),
        readings.changes(STATE, start, stop, selection.where).load_many(keys),
    )
    is_silent, where = not any(neighbours) and not any(changes), selection.where
    if is_silent and not await has_written(context, machine, STATE, STATUS, where):
        return hint_at_absence(machine, STATE, EXECUTION, selection)
    await _spend_changes(context, changes)
    spans = [_find_spans_of_field(*field, start, stop) for field in zip(neighbours, changes, strict=True)]

    def combine(members: Sequence[Tags], tags: tuple[GroupTag, ...] = ()) -> StateHistory:
        power, execution, mode = (
            _join_spans(of_field.get(member, []) for member in members) for of_field in spans
        )
        return StateHistory(start, stop, windows, power, execution, mode, tags)

    all_tags = list(dict.fromkeys(tags for of_field in spans for tags in of_field))
    history = combine(all_tags)
    if not selection.by:
        return history
    groups = group_by_tags(all_tags, selection.by)
    history = replace(history, groups=[combine(members, tags) for tags, members in groups.items()])
    field = next((name for name, of_field in zip(STATUS, spans, strict=True) if of_field), EXECUTION)
    return hint_at_tags(hint_at_absence(machine, STATE, field, selection, history), all_tags)


def _find_spans_of_field(
    neighbours: ByTags[Neighbours], changes: ByTags[list[Sample]], start: int, stop: int
) -> ByTags[list[StateSpan]]:
    return {
        tags: find_spans(next_to.before, changes.get(tags, ()), start, stop)
        for tags, next_to in ({tags: Neighbours() for tags in changes} | neighbours).items()
    }


async def _spend_changes(context: Context, changes: Iterable[Mapping[Tags, Sequence[Sample]]]) -> None:
    """Count the changes of a machine, and pause if they are many: those of all machines arrive at once."""
    count = sum(len(of_tags) for by_tags in changes for of_tags in by_tags.values())
    spend_points(context, count, CHANGES)
    if count > CHANGES_PER_SLICE:
        await context.turn.pause()


def _join_spans(all_spans: Iterable[list[StateSpan]]) -> list[StateSpan]:
    return sorted(chain.from_iterable(all_spans), key=lambda span: span.start)


def find_spans(carried: Sample | None, samples: Sequence[Sample], start: int, stop: int) -> list[StateSpan]:
    """Return the states of a range. A sample that repeats a state extends it; the last one lasts to `stop`.

    `carried` is the last sample before the range. If several samples have the same time, the last one wins.
    """
    changes: list[tuple[int, Value, bool]] = [] if carried is None else [(start, carried.value, True)]
    for sample in samples:
        if changes and changes[-1][0] == sample.time and not changes[-1][2]:
            changes.pop()
        if not changes or changes[-1][1] != sample.value:
            changes.append((sample.time, sample.value, False))
    ends = [time for time, _, _ in changes[1:]] + [stop] * bool(changes)
    return [
        StateSpan(value, time, end, carried_in)
        for (time, value, carried_in), end in zip(changes, ends, strict=True)
        if end > time
    ]


def sum_states(spans: Sequence[StateSpan]) -> list[StateTotal]:
    """Return the total of each state, the longest first."""
    durations: Counter[Value] = Counter()
    entries: Counter[Value] = Counter()
    for span in spans:
        durations[span.value] += span.duration
        entries[span.value] += not span.carried_in
    known = sum(durations.values())
    ordered = sorted(durations.items(), key=lambda item: (-item[1], str(item[0])))
    return [StateTotal(value, duration, duration / known, entries[value]) for value, duration in ordered]


def split_states(history: StateHistory, spans: Sequence[StateSpan]) -> list[WindowTotals]:
    """Return the total of each state in each window. A state is entered in the window in which it begins."""
    edges = history.windows.edges
    parts: list[list[StateSpan]] = [[] for _ in edges[1:]]
    for span in spans:
        index = max(bisect_right(edges, span.start) - 1, 0)
        is_first = True
        while index < len(parts) and edges[index] < span.end:
            start, end = max(span.start, edges[index]), min(span.end, edges[index + 1])
            parts[index].append(StateSpan(span.value, start, end, span.carried_in or not is_first))
            index, is_first = index + 1, False
    return [
        WindowTotals(
            start, end, history.start <= start and end <= history.stop, sum_states(parts[index]), shift
        )
        for index, start, end, shift in list_windows(history.windows)
    ]
