"""Functions of an application: expressions over events and properties, and counters."""

from typing import Any

from stores.contracts.records import Stored, optional, read_or_empty, read_string
from stores.entities.entity import APPLICATION, Entity


def read_names(value: Any) -> list[str]:
    """The strings of a list; an object in it (as in seeded data) stands for its `name`."""
    items = value if isinstance(value, list) else []
    names = [read_string(item.get("name") if isinstance(item, dict) else item) for item in items]
    return [name for name in names if name is not None]


def read_counter(value: Any) -> dict[str, Any] | None:
    """An object; anything else reads as None."""
    return value if isinstance(value, dict) else None


class Function(Entity):
    """An expression or a counter."""

    __slots__ = ()

    scope = APPLICATION
    collection = "functions"
    node_kind = "Function"
    document_kind = "functions"
    unique = (("id",),)
    indexes = ("id",)
    secrets = ()

    function_id = Stored(read_string, "id", default="")
    name = Stored(read_string, "name", default="")
    type = Stored(read_string, "type", default="Algebraic Function")
    expression = Stored(read_string, "expression", default="")
    variables = read_or_empty(read_names, "variables")
    events = read_or_empty(read_names, "events")
    counter = optional(read_counter, "counter")
    description = optional(read_string, "description")
