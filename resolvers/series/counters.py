"""The increase of a machine's counter over time."""

from asyncio import gather
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.series.budget import spend_points
from resolvers.series.machine_series import SeriesRequest
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import resolve_range, zone_in_force
from resolvers.series.windows import make_windows
from stores.contracts.series import SECOND, Sample


@dataclass(frozen=True, slots=True)
class Increase:
    """By how much a counter increased from `start` to `end` (nanoseconds), and how often it was reset."""

    start: int
    end: int
    increase: float
    resets: int

    @property
    def rate(self) -> float:
        """The increase per second."""
        return self.increase * SECOND / (self.end - self.start)


@dataclass(frozen=True, slots=True)
class CounterResult:
    """The increase of a counter in a range, and in each of its windows."""

    increase: float
    rate: float
    resets: int
    windows: list[Increase]


async def get_counter(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> CounterResult:
    """Return the increase of a counter and, with `every`, of each window. All machines are two queries."""
    limits = context.viewer.series.limits
    start, stop = resolve_range(context, request.range)
    readings = get_readings(context, machine)
    carried, samples = await gather(
        readings.latest(measurement, (field,), start).load(machine.machine_id),
        readings.points(measurement, start, stop).load((machine.machine_id, field)),
    )
    before = carried.get(field)
    [total] = find_increases(before, samples, (start, stop))
    if request.every is None:
        return CounterResult(total.increase, total.rate, total.resets, [])
    windows = make_windows(start, stop, request.every, zone_in_force(context, request.range), limits)
    spend_points(context, len(windows.edges))
    increases = find_increases(before, samples, windows.edges)
    return CounterResult(total.increase, total.rate, total.resets, increases)


def find_increases(before: Sample | None, samples: Sequence[Sample], edges: Sequence[int]) -> list[Increase]:
    """Return the increase between consecutive edges. `before` is the last sample before them.

    A value below the previous one is a reset: the counter started again at 0. An increase belongs to the
    window of its later sample. Strings are ignored.
    """
    increases, resets = [0.0] * (len(edges) - 1), [0] * (len(edges) - 1)
    previous = before.value if before else None
    for sample in samples:
        if isinstance(sample.value, str):
            continue
        index = bisect_right(edges, sample.time) - 1
        if isinstance(previous, int | float):
            is_reset = sample.value < previous
            increases[index] += sample.value if is_reset else sample.value - previous
            resets[index] += is_reset
        previous = sample.value
    return [
        Increase(edges[i], edges[i + 1], increase, reset_count)
        for i, (increase, reset_count) in enumerate(zip(increases, resets, strict=True))
    ]
