"""What machines report: their state, and their events, which are the values of six fields."""

from dataclasses import dataclass

from stores.contracts.series import Occurrence, Source, Value

STATE = "state"
POWER, EXECUTION, MODE = "power", "execution", "mode"
STATUS = (POWER, EXECUTION, MODE)
STATISTICS = "server__stats"  # the database that the usual host agent writes into
EVENT_TAGS = ("event_id", "event_class")
POWER_SOURCE = Source(STATE, POWER)

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


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """An event. `time` is in nanoseconds since 1970; the value of any field is a string."""

    time: int
    machine_id: str | None
    source: str
    event_id: str | None
    event_class: str | None
    value: str


def list_sources_of(classes: tuple[str, ...] | None) -> tuple[Source, ...]:
    """The sources of the events of some classes; `classes` None means all."""
    if classes is None:
        return SOURCES
    named = [source for source in SOURCES if not source.tags and source.field in classes]
    last = SOURCES[-1]
    return (*named, Source(last.measurement, last.field, last.tags, (("event_class", classes),)))


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
