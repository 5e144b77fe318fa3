"""Shift plans: when the machines of an application are to work. They are parts of its settings."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from stores.contracts.records import read_object, read_objects, read_string, read_strings, read_time

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_SHIFTS = 12  # of a plan
MAX_BREAKS = 6  # of a shift


@dataclass(frozen=True, slots=True)
class Break:
    """A planned break, between two local times such as 10:00."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift that begins at a local time of some weekdays. It ends on the next day unless `end` is later."""

    name: str
    start: str
    end: str
    days: tuple[str, ...]
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """The shifts of every week. They do not overlap."""

    shifts: tuple[Shift, ...]
    updated_at: datetime | None = None


def read_shift_plan(value: Any) -> ShiftPlan | None:
    """The shift plan that a document stores; None if it stores none, or one that is not complete."""
    document = read_object(value)
    shifts = tuple(_read_shift(shift) for shift in read_objects(document.get("shifts")))
    if not shifts or None in shifts:
        return None
    return ShiftPlan(tuple(filter(None, shifts)), read_time(document.get("updatedAt")))


def _read_shift(document: dict[str, Any]) -> Shift | None:
    name, span = read_string(document.get("name")), _read_span(document)
    days = tuple(day for day in read_strings(document.get("days")) if day in WEEKDAYS)
    breaks = [_read_span(break_) for break_ in read_objects(document.get("breaks"))]
    if name is None or span is None or not days or None in breaks:
        return None
    return Shift(name, span.start, span.end, days, tuple(filter(None, breaks)))


def _read_span(document: dict[str, Any]) -> Break | None:
    """The two local times of a document; None if they are not there."""
    times = [read_string(document.get(key)) for key in ("start", "end")]
    try:
        start, end = (time.fromisoformat(text or "").strftime("%H:%M") for text in times)
    except ValueError:
        return None
    return Break(start, end)
