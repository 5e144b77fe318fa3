"""The shape of a series: gaps are filled only as far as allowed, and fewer points look the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias

from resolvers.series.windows import find_shift_names
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.samples import Cell, Sample, Value
from stores.contracts.series_queries import Windows

Times: TypeAlias = list[int]  # nanoseconds since 1970
Values: TypeAlias = list[Value | None]
FillMode = Literal["none", "null", "previous", "linear", "value"]


@dataclass(frozen=True, slots=True)
class FillRule:
    """What windows without samples become: nothing, null, or a value in gaps of at most `max_gap`."""

    mode: FillMode = "none"
    value: float | None = None
    max_gap: int | None = None  # nanoseconds; None for gaps of any length

    def __post_init__(self) -> None:
        if (self.mode == "value") != (self.value is not None):
            raise BadUserInput("`fillValue` requires `fill: VALUE`, and the reverse.", fields=["fillValue"])
        if self.max_gap is not None and self.max_gap <= 0:
            raise BadUserInput("`maxGap` must be longer than zero.", fields=["maxGap"])


MIN_POINTS = 4
NO_FILL = FillRule()


class Columns(NamedTuple):
    """The times and values of points, and the share of the windows that have samples.

    `is_reduced` is whether points were left out.
    """

    times: Times
    values: Values
    coverage: float | None = None
    is_reduced: bool = False


def split_samples(samples: Sequence[Sample]) -> Columns:
    """Return samples as columns."""
    return Columns([sample.time for sample in samples], [sample.value for sample in samples])


def arrange_cells(cells: Sequence[Cell], windows: Windows, rule: FillRule) -> Columns:
    """Return windows as columns. The time between shifts is left out, and what no double holds is None."""
    names = find_shift_names(windows)
    if names is None:
        times, values = fill_gaps(cells, windows.edges, rule)
        return Columns(times, _keep_finite(values), len(cells) / (len(windows.edges) - 1))
    cells = [(index, value) for index, value in cells if windows.edges[index] in names]
    points = zip(*fill_gaps(cells, windows.edges, rule), strict=True)
    of_shifts = [(time, value) for time, value in points if time in names]
    coverage = len(cells) / len(names) if names else None
    values = _keep_finite([value for _, value in of_shifts])
    return Columns([time for time, _ in of_shifts], values, coverage)


def _keep_finite(values: Values) -> Values:
    """Return values with None for those that are infinite, such as the sum of the largest floats."""
    return [None if type(value) is float and not isfinite(value) else value for value in values]


def fill_gaps(cells: Sequence[Cell], edges: Sequence[int], rule: FillRule) -> tuple[Times, Values]:
    """Return the starts of the windows and their values; a gap longer than `max_gap` has nulls.

    A gap extends from the start of the window before it (or the first edge) to that of the window after it
    (or the last edge).
    """
    if rule.mode == "none":
        return [edges[index] for index, _ in cells], [value for _, value in cells]
    values: Values = [None] * (len(edges) - 1)
    for index, value in cells:
        values[index] = value
    if rule.mode != "null":
        known = [-1, *(index for index, _ in cells), len(values)]
        for before, after in pairwise(known):
            length = edges[after] - edges[max(before, 0)]
            if after - before > 1 and (rule.max_gap is None or length <= rule.max_gap):
                _fill_gap(values, before, after, edges, rule)
    return list(edges[:-1]), values


def _fill_gap(values: Values, before: int, after: int, edges: Sequence[int], rule: FillRule) -> None:
    """Fill the values between two indexes, which are -1 and `len(values)` at the ends."""
    left = values[before] if before >= 0 else None
    right = values[after] if after < len(values) else None
    for i in range(before + 1, after):
        if rule.mode == "value":
            values[i] = rule.value
        elif rule.mode == "previous":
            values[i] = left
        elif isinstance(left, int | float) and isinstance(right, int | float):
            share = (edges[i] - edges[before]) / (edges[after] - edges[before])
            values[i] = left + (right - left) * share


def check_max_points(max_points: int | None) -> None:
    """Raise `BadUserInput` if a series cannot be reduced to so few points."""
    if max_points is not None and max_points < MIN_POINTS:
        raise BadUserInput(f"`maxPoints` must be at least {MIN_POINTS}.", fields=["maxPoints"])


def reduce_points(times: Times, values: Values, max_points: int) -> tuple[Times, Values]:
    """Return at most `max_points` points, with the first, the last, and every peak and trough.

    The points are divided into parts of equal length; the lowest and the highest point and the first null of
    each part remain. Of strings and booleans, those that repeat the one before are left out. Raises
    `BadUserInput`, and `LimitExceeded` if that is not enough.
    """
    check_max_points(max_points)
    if len(times) <= max_points:
        return times, values
    if not {str, bool}.isdisjoint(map(type, values)):
        changes = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
        if len(changes) > max_points:
            raise LimitExceeded(
                "maxPoints", max_points, len(changes), "The series changes more often than `maxPoints`."
            )
        return [times[i] for i in changes], [values[i] for i in changes]
    has_nulls = None in values
    parts = (max_points - 2) // (3 if has_nulls else 2)
    inner = len(times) - 2
    indexes = [0]
    for part in range(parts):
        first, end = 1 + part * inner // parts, 1 + (part + 1) * inner // parts
        indexes += _find_extremes(values, first, end, has_nulls)
    indexes.append(len(times) - 1)
    return [times[i] for i in indexes], [values[i] for i in indexes]


def _find_extremes(values: Values, first: int, end: int, has_nulls: bool) -> list[int]:
    """Return the indexes of the lowest and the highest value and of the first null between two indexes."""
    part = values[first:end]
    numbers = [value for value in part if value is not None] if has_nulls else part
    indexes = {part.index(extreme) for extreme in (min(numbers), max(numbers))} if numbers else set()  # type: ignore[type-var]  # numbers
    if has_nulls and len(numbers) < len(part):
        indexes.add(part.index(None))
    return [first + i for i in sorted(indexes)]
