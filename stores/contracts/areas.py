"""The areas under series in windows, of which integrals and means over time are made.

The area of a window is that between its own samples only, whatever is before and after it. So it never
changes when other windows do, and whoever reads it joins windows with `first` and `last`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Signal = Literal["step", "linear"]


@dataclass(frozen=True, slots=True)
class AreaRule:
    """What a series is between two samples: the value of the earlier one, or the line between them.

    It is nothing between samples that are further apart than `max_gap` nanoseconds; None for any distance.
    """

    signal: Signal = "step"
    max_gap: int | None = None

    def spans(self, earlier: int, later: int) -> bool:
        """Return whether a series is known between two consecutive samples, of which these are the times."""
        return self.max_gap is None or later - earlier <= self.max_gap


class Area(NamedTuple):
    """The area under the samples of one series in a window: values times seconds.

    `first` and `last` are the values of its first and last sample as floats, where True is 1; times are in
    nanoseconds. `covered` are the nanoseconds that the area extends over. An area that overflows a float is
    infinite or not a number.
    """

    first_time: int
    first: float
    last_time: int
    last: float
    area: float
    covered: int


AreaCell: TypeAlias = tuple[int, Area]  # the index of a window, and the area in it
