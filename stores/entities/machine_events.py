"""What machines report: their state, and their events, which are the values of six fields."""

import math
from dataclasses import dataclass, replace

from stores.contracts.samples import Occurrence, Value
from stores.contracts.series_queries import Source

STATE = "state"
POWER, EXECUTION, MODE = "power", "execution", "mode"
STATUS = (POWER, EXECUTION, MODE)
STATISTICS = "server__stats"  # the database that the usual host agent writes into
EVENT_TAGS = ("event_id", "event_class")
POWER_ON = Source(STATE, POWER, values=(True,))

# In the order of events of one time. The first five are named by their field, the last by its tags.
SOURCES = (
    Source(STATE, EXECUTION),
    Source(STATE, MODE),
    Source("production", "op_code"),
    Source("production", "piece_id"),
    Source("production", "pieces_produced"),
    Source("events", "event_value", EVENT_TAGS),
)
EVENTS = SOURCES[-1]
SOURCE_NUMBERS = {(source.measurement, source.field): number for number, source in enumerate(SOURCES)}


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """An event. `time` is in nanoseconds since 1970; the value of any field is a string."""

    time: int
    machine_id: str | None
    source: str
    event_id: str | None
    event_class: str | None
    value: str


@dataclass(frozen=True, slots=True)
class EventConditions:
    """Conditions on events, all of which must hold; None is no condition.

    Machines report their `execution` and `mode` again and again: these values are events only with
    `heartbeats`, or if the ids or the classes name the field.
    """

    classes: tuple[str, ...] | None = None
    event_ids: tuple[str, ...] | None = None
    values: tuple[str, ...] | None = None
    heartbeats: bool = False

    def names_field(self, field: str) -> bool:
        """Whether the values of a field, which is their id and their class, are among the events."""
        names = [names for names in (self.classes, self.event_ids) if names is not None]
        if not names:
            return self.heartbeats or field not in (EXECUTION, MODE)
        return all(field in some for some in names)


ALL_EVENTS = EventConditions(heartbeats=True)


def list_sources_of(conditions: EventConditions) -> tuple[Source, ...]:
    """The sources of the events that meet conditions, in the order of `SOURCES`."""
    tags = zip(EVENT_TAGS, (conditions.event_ids, conditions.classes), strict=True)
    where = tuple((tag, names) for tag, names in tags if names is not None)
    named = [source for source in SOURCES if not source.tags and conditions.names_field(source.field)]
    forms = [form for value in conditions.values or () for form in list_value_forms(value)]
    values = None if conditions.values is None else tuple(forms)
    return tuple(replace(source, values=values) for source in (*named, replace(SOURCES[-1], where=where)))


def find_source_number(source: Source) -> int:
    """The number of a source of events among all of them."""
    return SOURCE_NUMBERS[source.measurement, source.field]


def make_event_of(occurrence: Occurrence, sources: tuple[Source, ...]) -> MachineEvent:
    """The event that a value of one of the sources stands for."""
    source = sources[occurrence.source]
    event_id, event_class = occurrence.tags if source.tags else (source.field, source.field)
    value = format_value(occurrence.value)
    return MachineEvent(occurrence.time, occurrence.machine, source.measurement, event_id, event_class, value)


def format_value(value: Value) -> str:
    """The string of a value: `true`, the digits of an integer, a float with at least one decimal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def list_value_forms(text: str) -> list[Value]:
    """The values whose string is this one."""
    forms: list[Value] = [text]
    if text in ("true", "false"):
        forms.append(text == "true")
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        if format_value(number) == text and math.isfinite(number):
            forms.append(number)
    return forms
