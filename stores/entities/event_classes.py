"""Event classes of an application: what the events of its machines mean."""

import math
from typing import Any

from bson import Decimal128

from stores.contracts.records import Stored, optional, read_string, read_strings
from stores.entities.entity import APPLICATION, Entity


def read_numbers(value: Any) -> list[float] | None:
    """A list of finite numbers; anything else reads as None."""
    if not isinstance(value, list):
        return None
    numbers = [_read_number(item) for item in value]
    return [number for number in numbers if number is not None] if None not in numbers else None


def _read_number(value: Any) -> float | None:
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def read_string_list(value: Any) -> list[str] | None:
    """The strings of a list; anything but a list reads as None."""
    return read_strings(value) if isinstance(value, list) else None


class EventClass(Entity):
    """The name, the type and the permitted values of an event."""

    __slots__ = ()

    scope = APPLICATION
    # The name contains the id of one application for historical reasons; all applications share it.
    collection = "monitoreo-cnc_events"
    node_kind = "EventClass"
    document_kind = "event_classes"
    unique = (("id",),)
    indexes = ("id",)
    secrets = ()

    event_class_id = Stored(read_string, "id", default="")
    class_ = Stored(read_string, "class", default="")
    topic = optional(read_string, "topic")
    type = optional(read_string, "type")
    auth_values = optional(read_string_list, "auth_values")
    values_range = optional(read_numbers, "values_range")
