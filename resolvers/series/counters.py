"""The increase of a machine's counter over time."""

from asyncio import gather
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.series.absence import has_written, hint_at_absence, hint_at_tags
from resolvers.series.budget import spend_points
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.tag_sets import ALL_SERIES, GroupTag, TagSelection, group_by_tags, select
from resolvers.series.windows import WindowRule, list_windows, resolve_windows
from stores.contracts.errors import BadUserInput
from stores.contracts.series import SECOND, Neighbours, Sample, Windows


class CounterStep(NamedTuple):
    """By how much a counter increased from one sample to the next, and whether it was reset between them."""

    earlier: int
    later: int
    increase: float
    is_reset: bool


@dataclass(frozen=True, slots=True)
class CounterSamples:
    """The samples of one counter in a range, the last one before the range and the first one after it."""

    before: Sample | None
    samples: Sequence[Sample]
    after: Sample | None

    def list_steps(self) -> Iterator[CounterStep]:
        """Yield the steps between consecutive samples that are numbers, oldest first.

        A value below the previous one is a reset: the counter started again at 0.
        """
        numbers = [
            (sample.time, sample.value)
            for sample in (self.before, *self.samples, self.after)
            if sample is not None and not isinstance(sample.value, str)
        ]
        for (earlier, before), (later, after) in pairwise(numbers):
            is_reset = after < before
            yield CounterStep(earlier, later, after if is_reset else after - before, is_reset)


@dataclass(frozen=True, slots=True)
class Increase:
    """By how much a counter increased from `start` to `end` (nanoseconds), and how often it was reset.

    `rate` is the increase per second, or None where it is not known. An incomplete window is cut by the
    range, or not over yet. `shift` is the name of the shift that the window is, if it is one.
    """

    start: int
    end: int
    increase: float
    rate: float | None
    resets: int
    complete: bool
    shift: str | None = None


@dataclass(frozen=True, slots=True)
class CounterRequest:
    """The arguments of a counter. Samples that are further apart than `max_gap` are not compared."""

    range: RequestedRange
    every: WindowRule | None = None
    max_gap: int | None = None  # nanoseconds; None for any distance
    tags: TagSelection = ALL_SERIES

    def __post_init__(self) -> None:
        if self.max_gap is not None and self.max_gap <= 0:
            raise BadUserInput("`maxGap` must be longer than zero.", fields=["maxGap"])


@dataclass(frozen=True, slots=True)
class CounterResult:
    """The increase of a counter in a range (see `Increase`), in each of its windows, and of each group."""

    increase: float
    rate: float | None
    resets: int
    windows: list[Increase]
    tags: tuple[GroupTag, ...] = ()
    groups: Sequence["CounterResult"] = ()


async def get_counter(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: CounterRequest
) -> CounterResult | Hinted:
    """Return the increase of a counter and, with `every`, of each window. All machines are two queries.

    The series of different tags are counters of their own, whose increases add up. If the machine has never
    written the field, the counter is None with a hint.
    """
    every = request.every
    requested = await localize(context, machine, request.range, every)
    start, stop = resolve_range(context, requested)
    windows = Windows(()) if every is None else resolve_windows(context, requested, every, start, stop)
    readings, key = get_readings(context, machine), (machine.machine_id, field)
    neighbours, samples = await gather(
        readings.neighbours(measurement, start, stop, request.tags.where).load(key),
        readings.points(measurement, start, stop, request.tags.where).load(key),
    )
    # On InfluxDB 3 Core, the samples nearest to the range may be out of reach.
    is_silent, where = not neighbours and not samples, request.tags.where
    if is_silent and not await has_written(context, machine, measurement, [field], where):
        return hint_at_absence(machine, measurement, field, request.tags)
    counters = {
        tags: CounterSamples(next_to.before, samples.get(tags, ()), _until(next_to.after, context.now))
        for tags, next_to in ({tags: Neighbours() for tags in samples} | neighbours).items()
    }
    span = start, min(stop, context.now + 1)

    def count(chosen: Sequence[CounterSamples], tags: tuple[GroupTag, ...] = ()) -> CounterResult:
        spend_points(context, len(windows.edges))
        increases = find_increases(chosen, windows.edges, span, request.max_gap) if windows.edges else []
        [total] = find_increases(chosen, (start, stop), span, request.max_gap)
        listed = [replace(increases[index], shift=shift) for index, _, _, shift in list_windows(windows)]
        return CounterResult(total.increase, total.rate, total.resets, listed, tags)

    total = count(list(counters.values()))
    if not request.tags.by:
        return total
    groups = group_by_tags(counters, request.tags.by)
    total = replace(
        total, groups=[count(select(counters, members), tags) for tags, members in groups.items()]
    )
    return hint_at_tags(hint_at_absence(machine, measurement, field, request.tags, total), counters)


def _until(sample: Sample | None, now: int) -> Sample | None:
    """Return a sample unless it lies in the future."""
    return sample if sample is not None and sample.time <= now else None


def find_increases(
    counters: Sequence[CounterSamples],
    edges: Sequence[int],
    span: tuple[int, int],
    max_gap: int | None = None,
) -> list[Increase]:
    """Return the increase of all counters together between consecutive edges, within a span of time.

    An increase belongs to the window of its later sample, so that increases are whole and add up. The rate is
    that of the lines between the samples, over the time that they cover. Samples further apart than `max_gap`
    are not compared.
    """
    start, stop = span
    count = len(edges) - 1
    increases, resets = [0.0] * count, [0] * count
    rates: list[float | None] = [None] * count
    for counter in counters:
        slopes, covered = [0.0] * count, [0] * count
        for earlier, later, increase, is_reset in counter.list_steps():
            if max_gap is not None and later - earlier > max_gap:
                continue
            if start <= later < stop:
                index = bisect_right(edges, later) - 1
                increases[index] += increase
                resets[index] += is_reset
            for index in range(max(bisect_right(edges, earlier) - 1, 0), count):
                low, high = max(edges[index], start, earlier), min(edges[index + 1], stop, later)
                if low < high:
                    slopes[index] += increase * ((high - low) / (later - earlier))
                    covered[index] += high - low
                if edges[index + 1] >= later:
                    break
        for index, duration in enumerate(covered):
            if duration:
                rates[index] = (rates[index] or 0.0) + slopes[index] * SECOND / duration
    complete = [start <= edge and following <= stop for edge, following in pairwise(edges)]
    columns = edges, edges[1:], increases, rates, resets, complete
    return [Increase(*window) for window in zip(*columns, strict=False)]
