"""Functions as they are kept: expressions over events and properties, and counters."""

from typing import Any

from stores.contracts.records import Record, Stored, empty_if_missing, optional, text


def names(value: Any) -> list[str]:
    """Items are texts; seeded data has objects with a `name` instead."""
    items = value if isinstance(value, list) else []
    found = [text(item.get("name") if isinstance(item, dict) else item) for item in items]
    return [each for each in found if each is not None]


def counter(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


class Function(Record):
    __slots__ = ()

    function_id = Stored(text, "id", default="")
    name = Stored(text, "name", default="")
    type = Stored(text, "type", default="Algebraic Function")
    expression = Stored(text, "expression", default="")
    variables = empty_if_missing(names, "variables")
    events = empty_if_missing(names, "events")
    counter = optional(counter, "counter")
    description = optional(text, "description")
