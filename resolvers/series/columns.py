"""The values of a series as columns of one type each, with None where a value is not of the type."""

from collections.abc import Sequence
from itertools import repeat
from typing import TypeVar

from stores.contracts.samples import Value

T = TypeVar("T", bound=Value)
MAX_EXACT = 2**53  # up to here, every integer is a float
NONE = type(None)


def select_numbers(values: Sequence[Value | None]) -> list[float | None]:
    """Return the floats, and as floats the integers that a float represents exactly."""
    types = set(map(type, values))
    if types <= {float, NONE}:
        return list(values)  # type: ignore[arg-type]  # of this type
    if types == {int} and _are_small(values):
        return list(map(float, values))  # type: ignore[arg-type]  # integers
    return [float(value) if _is_exact(value) else None for value in values]  # type: ignore[arg-type]  # a number


def select_integers(values: Sequence[Value | None]) -> list[int | None]:
    """Return the integers."""
    return _select(int, values)


def select_strings(values: Sequence[Value | None]) -> list[str | None]:
    """Return the strings."""
    return _select(str, values)


def select_booleans(values: Sequence[Value | None]) -> list[bool | None]:
    """Return the booleans."""
    return _select(bool, values)


def _select(type_: type[T], values: Sequence[Value | None]) -> list[T | None]:
    types = set(map(type, values))
    if types <= {type_, NONE}:
        return list(values)  # type: ignore[arg-type]  # of this type
    if type_ not in types:
        return list(repeat(None, len(values)))
    return [value if type(value) is type_ else None for value in values]


def _are_small(values: Sequence[Value | None]) -> bool:
    return min(values) >= -MAX_EXACT and max(values) <= MAX_EXACT  # type: ignore[operator,type-var]  # integers


def _is_exact(value: Value | None) -> bool:
    if type(value) is not int:
        return type(value) is float
    return -MAX_EXACT <= value <= MAX_EXACT or (abs(value) < 2**1023 and int(float(value)) == value)
