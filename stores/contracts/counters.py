"""What counters do in windows, of which their increases and rates are made.

The part of a window is that of its own samples only, whatever is before and after it. So it never changes
when other windows do, and whoever reads it joins windows with `first` and `last`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from stores.contracts.samples import Sample


@dataclass(frozen=True, slots=True)
class CounterRule:
    """Samples that are further apart than `max_gap` nanoseconds are not compared; None for any distance."""

    max_gap: int | None = None

    def compares(self, earlier: int, later: int) -> bool:
        """Return whether two consecutive samples, of which these are the times, are compared."""
        return self.max_gap is None or later - earlier <= self.max_gap


class CounterPart(NamedTuple):
    """What the samples of one counter in a window come to, by comparing each with the one before it.

    `first` and `last` are the values of the first and the last one. `covered` are the nanoseconds between
    samples that are compared, and `resets` how often a value was below the one before it.
    """

    first_time: int
    first: float
    last_time: int
    last: float
    increase: float = 0
    resets: int = 0
    covered: int = 0


CounterCell: TypeAlias = tuple[int, CounterPart]  # the index of a window, and what a counter did in it


def find_step(before: float, after: float) -> tuple[float, bool]:
    """Return by how much a counter increased between two samples, and whether it was reset.

    A value below the previous one is a reset: the counter started again at 0.
    """
    is_reset = after < before
    return (after if is_reset else after - before), is_reset


def split_counter(samples: Sequence[Sample], edges: Sequence[int], rule: CounterRule) -> list[CounterCell]:
    """Return the windows with samples of a counter, oldest first; strings are passed over."""
    cells: list[CounterCell] = []
    index, end = -1, edges[0]
    for time, value in samples:
        if isinstance(value, str):
            continue
        if time >= end or not cells:
            index = bisect_right(edges, time) - 1
            end = edges[index + 1]
            cells.append((index, CounterPart(time, value, time, value)))
            continue
        part = cells[-1][1]
        increase, resets, covered = part.increase, part.resets, part.covered
        if rule.compares(part.last_time, time):
            step, is_reset = find_step(part.last, value)
            increase, resets, covered = increase + step, resets + is_reset, covered + time - part.last_time
        cells[-1] = index, CounterPart(part.first_time, part.first, time, value, increase, resets, covered)
    return cells
