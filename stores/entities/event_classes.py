"""Event classes as they are kept: one collection for all applications of an organization."""

from typing import Any

from stores.contracts.records import Record, Stored, optional, text, texts


def two_numbers(value: Any) -> list[float] | None:
    if isinstance(value, list) and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None


def listed_texts(value: Any) -> list[str] | None:
    return texts(value) if isinstance(value, list) else None


class EventClass(Record):
    __slots__ = ()

    event_class_id = Stored(text, "id", default="")
    class_ = Stored(text, "class", default="")
    topic = optional(text, "topic")
    type = optional(text, "type")
    auth_values = optional(listed_texts, "auth_values")
    values_range = optional(two_numbers, "values_range")
