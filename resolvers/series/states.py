"""The states that a machine was in over time."""

from asyncio import gather
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.series.absence import has_written, hint_at_absence, hint_at_tags
from resolvers.series.budget import CHANGES, spend_points
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.state_totals import (
    StateRuns,
    StateSpan,
    StateTotal,
    WindowTotals,
    count_states,
    find_states,
    merge_spans,
    split_states,
    sum_states,
)
from resolvers.series.tag_sets import ALL_SERIES, GroupTag, TagSelection, group_by_tags
from resolvers.series.windows import WindowRule, resolve_windows
from resolvers.turns import begin_to_compute
from stores.contracts.samples import END_OF_TIME, ByTags, Neighbours, Sample, SampleColumns, Tags
from stores.contracts.series_queries import Windows
from stores.entities.machine_events import EXECUTION, MODE, POWER, STATE, STATUS

NO_CHANGES = SampleColumns((), ())
CHANGES_PER_SLICE = 500  # that become states at once, before other requests get a turn


@dataclass(frozen=True, slots=True)
class StateHistory:
    """The states of a machine from `start` to `stop`, in nanoseconds since 1970, and the windows.

    The intervals of series with different tags overlap. `groups` are the same of some of the series.
    """

    start: int
    stop: int
    windows: Windows
    series: Mapping[str, Sequence[StateRuns]]  # by field
    tags: tuple[GroupTag, ...] = ()
    groups: Sequence["StateHistory"] = ()

    @property
    def power(self) -> Sequence[StateSpan]:
        return merge_spans(self.series[POWER])

    @property
    def execution(self) -> Sequence[StateSpan]:
        return merge_spans(self.series[EXECUTION])

    @property
    def mode(self) -> Sequence[StateSpan]:
        return merge_spans(self.series[MODE])

    def sum(self, field: str) -> list[StateTotal] | Awaitable[list[StateTotal]]:
        """Return the total of each state of a field, or an awaitable if that takes long."""
        series = self.series[field]
        return begin_to_compute(partial(sum_states, series), count_states(series))

    def split(self, field: str) -> list[WindowTotals] | Awaitable[list[WindowTotals]]:
        """Return the total of each state of a field in each window, or an awaitable if that takes long."""
        series = self.series[field]
        work = partial(split_states, series, self.windows, self.start, self.stop)
        return begin_to_compute(work, count_states(series))


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
    stop = max(min(stop, context.now), start)  # future states are not known
    readings, keys = get_readings(context, machine), [(machine.machine_id, field) for field in STATUS]
    neighbours, changes = await gather(
        readings.neighbours(STATE, start, END_OF_TIME, selection.where).load_many(keys),
        readings.changes(STATE, start, max(stop, start + 1), selection.where).load_many(keys),
    )
    is_silent, where = not any(neighbours) and not any(changes), selection.where
    if is_silent and not await has_written(context, machine, STATE, STATUS, where):
        return hint_at_absence(machine, STATE, EXECUTION, selection)
    await _spend_changes(context, changes)
    series = [_find_states_of_field(*field, start, stop) for field in zip(neighbours, changes, strict=True)]

    def combine(members: Sequence[Tags], tags: tuple[GroupTag, ...] = ()) -> StateHistory:
        of_members = {
            field: [of_field[member] for member in members if member in of_field]
            for field, of_field in zip(STATUS, series, strict=True)
        }
        return StateHistory(start, stop, windows, of_members, tags)

    all_tags = list(dict.fromkeys(tags for of_field in series for tags in of_field))
    history = combine(all_tags)
    if not selection.by:
        return history
    groups = group_by_tags(all_tags, selection.by)
    history = replace(history, groups=[combine(members, tags) for tags, members in groups.items()])
    field = next((name for name, of_field in zip(STATUS, series, strict=True) if of_field), EXECUTION)
    return hint_at_tags(hint_at_absence(machine, STATE, field, selection, history), all_tags)


def _find_states_of_field(
    neighbours: ByTags[Neighbours], changes: ByTags[SampleColumns], start: int, stop: int
) -> ByTags[StateRuns]:
    if stop <= start:  # the range has not begun yet
        return dict.fromkeys((*neighbours, *changes), find_states(None, NO_CHANGES, start, stop))
    return {
        tags: find_states(next_to.before, changes.get(tags, NO_CHANGES), start, stop)
        for tags, next_to in ({tags: Neighbours() for tags in changes} | neighbours).items()
    }


async def _spend_changes(context: Context, changes: Iterable[Mapping[Tags, Sequence[Sample]]]) -> None:
    """Count the changes of a machine, and pause if they are many: those of all machines arrive at once."""
    count = sum(len(of_tags) for by_tags in changes for of_tags in by_tags.values())
    spend_points(context, count, CHANGES)
    if count > CHANGES_PER_SLICE:
        await context.turn.pause()
