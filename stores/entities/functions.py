"""Functions as they are kept: expressions over events and properties, and counters."""

from typing import Any

from stores.contracts.records import Record, Stored, empty_if_missing, optional, read_string


def names(value: Any) -> list[str]:
    """Items are texts; seeded data has objects with a `name` instead."""
    items = value if isinstance(value, list) else []
    found = [read_string(item.get("name") if isinstance(item, dict) else item) for item in items]
    return [each for each in found if each is not None]


def counter(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


class Function(Record):
    __slots__ = ()

    function_id = Stored(read_string, "id", default="")
    name = Stored(read_string, "name", default="")
    type = Stored(read_string, "type", default="Algebraic Function")
    expression = Stored(read_string, "expression", default="")
    variables = empty_if_missing(names, "variables")
    events = empty_if_missing(names, "events")
    counter = optional(counter, "counter")
    description = optional(read_string, "description")
