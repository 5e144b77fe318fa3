"""The arguments of lists of events."""

from typing import Annotated

from resolvers.series import events
from schema.engine.fields import argument
from schema.types.series_arguments import TimeRange, to_optional_range
from stores.entities.machine_events import EventConditions

EventRange = Annotated[TimeRange | None, argument("The range of time; the last day if it is omitted.")]
Classes = Annotated[list[str] | None, argument("Only events of these classes.")]
EventIds = Annotated[list[str] | None, argument("Only events with these ids.")]
EventValues = Annotated[list[str] | None, argument("Only events with these values.")]
EventMachines = Annotated[
    list[str] | None, argument("Only events of the machines with these ids, which are at most 1000.")
]
IncludeHeartbeats = Annotated[
    bool,
    argument(
        "Whether the reports of `execution` and `mode` are events, most of which repeat the state. They also"
        " are if `classes` or `eventIds` name them."
    ),
]


def to_event_request(
    first: int | None,
    after: str | None,
    range: TimeRange | None,
    classes: list[str] | None,
    event_ids: list[str] | None,
    values: list[str] | None,
    include_heartbeats: bool,
    include_future: bool,
    machines: list[str] | None = None,
) -> events.EventRequest:
    """Return the arguments of a list of events as one value."""
    classes_, ids, texts = (None if names is None else tuple(names) for names in (classes, event_ids, values))
    conditions = EventConditions(classes_, ids, texts, include_heartbeats)
    return events.EventRequest(first, after, to_optional_range(range), conditions, machines, include_future)
