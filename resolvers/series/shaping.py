"""The shape of a series: holes filled as far as that invents nothing, and fewer points that look the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import Value

Times: TypeAlias = list[int]
Values: TypeAlias = list[Value | None]
FillMode = Literal["none", "null", "previous", "linear", "value"]


@dataclass(frozen=True, slots=True)
class FillRule:
    """What stands in windows without samples: nothing, null, or a value in holes of at most `max_gap`."""

    mode: FillMode = "none"
    value: float | None = None
    max_gap: int | None = None  # nanoseconds; None for holes of any length

    def __post_init__(self) -> None:
        if (self.mode == "value") != (self.value is not None):
            raise BadUserInput("`fillValue` goes with `fill: VALUE`, and only with it", fields=["fillValue"])
        if self.max_gap is not None and self.max_gap <= 0:
            raise BadUserInput("`maxGap` must be longer than nothing", fields=["maxGap"])


NOTHING = FillRule()


def filled(cells: Sequence[tuple[int, Value]], edges: Sequence[int], fill: FillRule) -> tuple[Times, Values]:
    """The windows by their starts, and their values; a hole longer than `max_gap` holds nulls.

    A hole is as long as the time from the window before it (or the first edge) to the one behind it (or the
    last edge).
    """
    if fill.mode == "none":
        return [edges[number] for number, _ in cells], [value for _, value in cells]
    values: Values = [None] * (len(edges) - 1)
    for number, value in cells:
        values[number] = value
    if fill.mode != "null":
        known = [-1, *(number for number, _ in cells), len(values)]
        for before, behind in pairwise(known):
            length = edges[behind] - edges[max(before, 0)]
            if behind - before > 1 and (fill.max_gap is None or length <= fill.max_gap):
                _fill_hole(values, before, behind, edges, fill)
    return list(edges[:-1]), values


def _fill_hole(values: Values, before: int, behind: int, edges: Sequence[int], fill: FillRule) -> None:
    left = values[before] if before >= 0 else None
    right = values[behind] if behind < len(values) else None
    for i in range(before + 1, behind):
        if fill.mode == "value":
            values[i] = fill.value
        elif fill.mode == "previous":
            values[i] = left
        elif isinstance(left, int | float) and isinstance(right, int | float):
            share = (edges[i] - edges[before]) / (edges[behind] - edges[before])
            values[i] = left + (right - left) * share


def thinned(times: Times, values: Values, most: int) -> tuple[Times, Values]:
    """At most `most` points, the first and the last among them, that keep every peak and every trough.

    Of each of so many equal parts the lowest and the highest point stay, and the first null. Of texts and
    truths those that repeat the one before are left out. Raises `BadUserInput` and, where that is not enough,
    `LimitExceeded`.
    """
    if most < 4:
        raise BadUserInput("`maxPoints` must be at least 4", fields=["maxPoints"])
    if len(times) <= most:
        return times, values
    if any(isinstance(value, str | bool) for value in values):
        changes = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
        if len(changes) > most:
            raise LimitExceeded(f"the series changes more than {most} times (maxPoints)", limit=most)
        return [times[i] for i in changes], [values[i] for i in changes]
    has_nulls = None in values
    parts = (most - 2) // (3 if has_nulls else 2)
    inner = len(times) - 2
    kept = [0]
    for part in range(parts):
        first, end = 1 + part * inner // parts, 1 + (part + 1) * inner // parts
        kept += _extremes(values, first, end, has_nulls)
    kept.append(len(times) - 1)
    return [times[i] for i in kept], [values[i] for i in kept]


def _extremes(values: Values, first: int, end: int, has_nulls: bool) -> list[int]:
    part = values[first:end]
    numbers = [value for value in part if value is not None] if has_nulls else part
    found = {part.index(extreme) for extreme in (min(numbers), max(numbers))} if numbers else set()  # type: ignore[type-var]  # numbers
    if has_nulls and len(numbers) < len(part):
        found.add(part.index(None))
    return [first + i for i in sorted(found)]
