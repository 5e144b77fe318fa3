"""The values in JSON answers: each must be of the kind that the catalogue says."""

from collections.abc import Callable
from typing import Any

from stores.contracts.samples import Kind, Value


def check_integer(value: Any) -> int:
    """Return an integer as it is. Raises `TypeError` for anything else."""
    if type(value) is int:
        return value
    raise TypeError(f"{value!r} is not an integer")


def check_float(value: Any) -> float:
    """Return a number as a float. Raises `TypeError` for anything else."""
    if type(value) is float or type(value) is int:
        return float(value)
    raise TypeError(f"{value!r} is not a number")


def check_boolean(value: Any) -> bool:
    """Return a boolean as it is. Raises `TypeError` for anything else."""
    if type(value) is bool:
        return value
    raise TypeError(f"{value!r} is not a boolean")


def check_string(value: Any) -> str:
    """Return a string as it is. Raises `TypeError` for anything else."""
    if type(value) is str:
        return value
    raise TypeError(f"{value!r} is not a string")


# What a value of each kind must be.
CHECK: dict[Kind, Callable[[Any], Value]] = {
    "integer": check_integer,
    "unsigned": check_integer,
    "float": check_float,
    "boolean": check_boolean,
    "string": check_string,
}
# The type of a value that needs no check.
TYPES: dict[Kind, type] = {"integer": int, "unsigned": int, "float": float, "boolean": bool, "string": str}
# How a value of each kind is read from a string.
PARSE: dict[Kind, Callable[[Any], Value]] = {
    "integer": int,
    "unsigned": int,
    "float": float,
    "boolean": lambda value: {"true": True, "false": False}[value],
    "string": check_string,
}
