"""The increase of a machine's counter over time."""

from asyncio import gather
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.limits import DAY
from resolvers.series.absence import find_written_kind, hint_at_absence, hint_at_tags
from resolvers.series.budget import spend_points
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.tag_sets import ALL_SERIES, GroupTag, TagSelection, group_by_tags, select
from resolvers.series.windows import WindowRule, list_windows, resolve_windows
from resolvers.turns import compute
from stores.contracts.counters import CounterCell, CounterPart, CounterRule, find_step
from stores.contracts.errors import BadUserInput
from stores.contracts.samples import SECOND, Neighbours, Sample, Tags
from stores.contracts.series_queries import Windows

# The windows of a counter that is answered as a whole: those that are over are cached.
HOUR, LONG_RANGE = 3600 * SECOND, 100 * DAY


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
            yield CounterStep(earlier, later, *find_step(before, after))


@dataclass(frozen=True, slots=True)
class CounterParts:
    """One counter in a range: what it did in each window, and the samples before and after the range."""

    before: Sample | None
    cells: Sequence[CounterCell]
    after: Sample | None

    def list_joints(self) -> Iterator[CounterStep]:
        """Yield the steps between the samples of different windows, oldest first."""
        parts = [*_as_part(self.before), *(part for _, part in self.cells), *_as_part(self.after)]
        for before, after in pairwise(parts):
            yield CounterStep(before.last_time, after.first_time, *find_step(before.last, after.first))


def _as_part(sample: Sample | None) -> list[CounterPart]:
    """Return a sample as the only one of a window; none if it is no number."""
    if sample is None or isinstance(sample.value, str):
        return []
    return [CounterPart(sample.time, sample.value, sample.time, sample.value)]


@dataclass(frozen=True, slots=True)
class Increase:
    """By how much a counter increased from `start` to `end` (nanoseconds), and how often it was reset.

    The increase is None if it overflows; `rate`, per second, if it is not known. An incomplete window is cut
    by the range, or not over yet. `shift` is the name of the shift that the window is, if it is one.
    """

    start: int
    end: int
    increase: float | None
    rate: float | None
    resets: int
    complete: bool
    shift: str | None = None


@dataclass(slots=True)
class WindowSums:
    """What the counters of a machine come to in a window together; each has a rate of its own."""

    increase: float = 0.0
    resets: int = 0
    rate: float | None = None  # by the second

    def add(self, increase: float, resets: int) -> None:
        self.increase += increase
        self.resets += resets

    def add_rate(self, increase: float, duration: int) -> None:
        """Add the rate of one counter, which increased along lines that cover a duration."""
        if duration:
            self.rate = (self.rate or 0.0) + increase * SECOND / duration

    def make_increase(self, start: int, end: int, *, complete: bool) -> Increase:
        increase, rate = (n if n is not None and isfinite(n) else None for n in (self.increase, self.rate))
        return Increase(start, end, increase, rate, self.resets, complete)


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

    increase: float | None
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
    written the field, the counter is None with a hint. Raises `BadUserInput` if its values are strings.
    """
    every = request.every
    requested = await localize(context, machine, request.range, every)
    start, stop = resolve_range(context, requested)
    plain = _make_plain_windows(start, stop)
    windows = plain if every is None else resolve_windows(context, requested, every, start, stop)
    readings, key = get_readings(context, machine), (machine.machine_id, field)
    rule, known = CounterRule(request.max_gap), max(min(stop, context.now + 1), start + 1)
    neighbours, cells = await gather(
        readings.neighbours(measurement, start, stop, request.tags.where).load(key),
        readings.counters(measurement, start, known, windows, rule, request.tags.where).load(key),
    )
    # On InfluxDB 3 Core, the samples nearest to the range may be out of reach.
    is_silent = not cells and not any(map(_has_numbers, neighbours.values()))
    if is_silent and (absent := await _find_absence(context, machine, measurement, field, request.tags)):
        return absent
    counters = {
        tags: CounterParts(next_to.before, cells.get(tags, ()), _until(next_to.after, context.now))
        for tags, next_to in ({tags: Neighbours() for tags in cells} | neighbours).items()
    }

    sum_up = partial(_sum_counters, context, request, counters, windows, (start, known))
    total = await compute(sum_up, len(windows.edges))
    if not request.tags.by:
        return total
    return hint_at_tags(hint_at_absence(machine, measurement, field, request.tags, total), counters)


def _sum_counters(
    context: Context,
    request: CounterRequest,
    counters: Mapping[Tags, CounterParts],
    windows: Windows,
    span: tuple[int, int],
) -> CounterResult:
    """Return the increase of all counters within a span of time, and of those of each group."""
    rule = CounterRule(request.max_gap)

    def count(chosen: Sequence[CounterParts], tags: tuple[GroupTag, ...] = ()) -> CounterResult:
        total, increases = find_increases(chosen, windows.edges, span, rule)
        listed: list[Increase] = []
        if request.every is not None:
            spend_points(context, len(windows.edges))
            listed = [replace(increases[index], shift=shift) for index, _, _, shift in list_windows(windows)]
        return CounterResult(total.increase, total.rate, total.resets, listed, tags)

    groups = group_by_tags(counters, request.tags.by) if request.tags.by else {}
    return replace(
        count(list(counters.values())),
        groups=[count(select(counters, members), tags) for tags, members in groups.items()],
    )


async def _find_absence(
    context: Context, machine: HasMachineId, measurement: str, field: str, tags: TagSelection
) -> Hinted | None:
    """Return why a counter without numbers is null, or None if the machine has written it at other times.

    Raises `BadUserInput` if its values are strings.
    """
    kind = await find_written_kind(context, machine, measurement, field, tags.where)
    if kind is None:
        return hint_at_absence(machine, measurement, field, tags)
    if kind == "string":
        raise BadUserInput(
            f"The values of {measurement}.{field} are strings, which do not increase:"
            " name a field of numbers, or use `series` with COUNT.",
            fields=["field"],
        )
    return None


def find_plain_step(length: int) -> int:
    """Return the length in nanoseconds of the windows that a range without `every` is divided into."""
    return HOUR if length <= LONG_RANGE else DAY


def _make_plain_windows(start: int, stop: int) -> Windows:
    """Return the hours, or in a long range the days, that a range is in."""
    step = find_plain_step(stop - start)
    return Windows(tuple(range(start // step * step, stop + step, step)), step)


def _has_numbers(neighbours: Neighbours) -> bool:
    return bool(_as_part(neighbours.before) or _as_part(neighbours.after))


def _until(sample: Sample | None, now: int) -> Sample | None:
    """Return a sample unless it lies in the future."""
    return sample if sample is not None and sample.time <= now else None


def find_increases(
    counters: Sequence[CounterParts], edges: Sequence[int], span: tuple[int, int], rule: CounterRule
) -> tuple[Increase, list[Increase]]:
    """Return the increase of all counters together within a span of time, and that of each window.

    An increase belongs to the window of its later sample, so that increases are whole and add up. The rate is
    that of the lines between the samples, over the time that they cover.
    """
    count = len(edges) - 1
    windows, total = [WindowSums() for _ in range(count)], WindowSums()
    for counter in counters:
        slopes, covered = [0.0] * count, [0] * count
        for index, part in counter.cells:
            windows[index].add(part.increase, part.resets)
            slopes[index] += part.increase
            covered[index] += part.covered
        for step in counter.list_joints():
            if rule.compares(step.earlier, step.later):
                _add_joint(step, windows, slopes, covered, edges, span)
        for window, slope, duration in zip(windows, slopes, covered, strict=True):
            window.add_rate(slope, duration)
        total.add_rate(sum(slopes), sum(covered))
    for window in windows:
        total.add(window.increase, window.resets)
    (start, stop), bounds = span, pairwise(edges)
    increases = [
        window.make_increase(edge, following, complete=start <= edge and following <= stop)
        for window, (edge, following) in zip(windows, bounds, strict=True)
    ]
    return total.make_increase(start, stop, complete=True), increases


def _add_joint(
    step: CounterStep,
    windows: Sequence[WindowSums],
    slopes: list[float],
    covered: list[int],
    edges: Sequence[int],
    span: tuple[int, int],
) -> None:
    """Add a step between the samples of two windows, or from or to a sample outside of the span."""
    earlier, later, increase, is_reset = step
    start, stop = span
    if start <= later < stop:
        windows[bisect_right(edges, later) - 1].add(increase, is_reset)
    for index in range(max(bisect_right(edges, earlier) - 1, 0), len(windows)):
        low, high = max(edges[index], start, earlier), min(edges[index + 1], stop, later)
        if low < high:
            slopes[index] += increase * ((high - low) / (later - earlier))
            covered[index] += high - low
        if edges[index + 1] >= later:
            break
