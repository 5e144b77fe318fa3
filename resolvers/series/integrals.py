"""Integrals of series over time, and means that are weighted by time.

The stores return the areas between the samples of each window. Here these are joined across the edges of
the windows, to which they are cut exactly.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, nan
from typing import Literal, NamedTuple

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.samples import SECOND, Cell, Neighbours, Sample

TimeFunction = Literal["integral", "time_weighted_mean"]


@dataclass(frozen=True, slots=True)
class TimeWeighting:
    """The function of a window's values over time, and what they are between the samples.

    `per` is the unit of the integral in nanoseconds: the integral of kW per hour is in kWh.
    """

    function: TimeFunction
    rule: AreaRule
    per: int = 3600 * SECOND


class TimeSums(NamedTuple):
    """For each window the area in values times seconds, and the nanoseconds for which the value is known."""

    areas: list[float]
    covered: list[int]


class Extent(NamedTuple):
    """A range from `start` to `stop` in nanoseconds, and the present, after which nothing is known."""

    start: int
    stop: int
    now: int


def sum_over_time(
    cells: Sequence[AreaCell], next_to: Neighbours, edges: Sequence[int], extent: Extent, rule: AreaRule
) -> TimeSums:
    """Return what one series comes to in each window, from the areas of the windows that have samples.

    The last sample before the range is carried into it, and the value of a step signal lasts from its last
    sample to the present. Both are subject to `max_gap`, like all that lies between two samples.
    """
    count = len(edges) - 1
    sums = TimeSums([0.0] * count, [0] * count)
    before = _to_number(next_to.before)
    for index, area in cells:
        sums.areas[index] += area.area
        sums.covered[index] += area.covered
        if before is not None:
            _add_line(sums, before, Sample(area.first_time, area.first), edges, extent, rule)
        before = Sample(area.last_time, area.last)
    after = _to_number(next_to.after)
    if after is not None and after.time > extent.now:
        after = None
    if before is not None and after is None and rule.signal == "step":
        after = Sample(extent.now, before.value)
    if before is not None and after is not None:
        _add_line(sums, before, after, edges, extent, rule)
    return sums


def _to_number(sample: Sample | None) -> Sample | None:
    """Return a sample with its value as a float, or None if it is none."""
    if sample is None or isinstance(sample.value, str):
        return None
    return Sample(sample.time, float(sample.value))


def _add_line(
    sums: TimeSums,
    earlier: Sample,
    later: Sample,
    edges: Sequence[int],
    extent: Extent,
    rule: AreaRule,
) -> None:
    """Add what lies between two consecutive samples to the windows that it is in."""
    if not rule.spans(earlier.time, later.time):
        return
    start, stop = max(earlier.time, extent.start), min(later.time, extent.stop)
    index = bisect_right(edges, start) - 1
    while start < stop:
        end = min(edges[index + 1], stop)
        height = float(earlier.value)
        if rule.signal == "linear":
            middle = ((start - earlier.time) + (end - earlier.time)) / (2 * (later.time - earlier.time))
            height += (float(later.value) - height) * middle
        sums.areas[index] += height * (end - start) / SECOND
        sums.covered[index] += end - start
        start, index = end, index + 1


def combine_sums(all_sums: Iterable[TimeSums], weighting: TimeWeighting) -> list[Cell]:
    """Return the integral or the mean of some series together, in each window that any of them covers.

    Integrals add up. The mean is that of all values, each weighted by the time for which it was in force.
    """
    all_sums = list(all_sums)
    cells: list[Cell] = []
    for index in range(len(all_sums[0].covered) if all_sums else 0):
        duration = sum(sums.covered[index] for sums in all_sums)
        if duration:
            area = _add_up([sums.areas[index] for sums in all_sums])
            divisor = weighting.per if weighting.function == "integral" else duration
            cells.append((index, area * SECOND / divisor))
    return cells


def _add_up(areas: Sequence[float]) -> float:
    """Return a sum, which is not a number if it overflows a float."""
    try:
        return fsum(areas)
    except (OverflowError, ValueError):  # the latter of opposite infinite areas
        return nan
