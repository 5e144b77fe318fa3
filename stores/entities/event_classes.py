"""Event classes as they are kept: one collection for all applications of an organization."""

from typing import Any

from stores.contracts.records import Record, Stored, optional, read_string, read_strings


def two_numbers(value: Any) -> list[float] | None:
    if isinstance(value, list) and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None


def listed_texts(value: Any) -> list[str] | None:
    return read_strings(value) if isinstance(value, list) else None


class EventClass(Record):
    __slots__ = ()

    event_class_id = Stored(read_string, "id", default="")
    class_ = Stored(read_string, "class", default="")
    topic = optional(read_string, "topic")
    type = optional(read_string, "type")
    auth_values = optional(listed_texts, "auth_values")
    values_range = optional(two_numbers, "values_range")
