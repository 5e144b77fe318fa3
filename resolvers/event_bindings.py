"""Event bindings: the events that a device reports, and the event classes of their names."""

from collections.abc import Sequence
from typing import Any

from loaders.batching import gather_settled
from resolvers.context import Context
from resolvers.event_classes import list_event_classes
from stores.contracts.records import Record, Records, Stored, optional, read_scopes, read_string
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass


class EventBinding(Record):
    """An event that a device reports; `document` is its item in the device's list."""

    __slots__ = ()

    source_id = Stored(read_string, "id", default="")
    label = optional(read_string, "label")
    class_ = optional(read_string, "class")


def get_bindings_of_devices(devices: Sequence[Device]) -> list[Records[EventBinding]]:
    """For each device the events that it reports."""
    return [
        Records(EventBinding, events, scope)
        for scope, events in zip(read_scopes(devices), Device.events.of(devices), strict=True)
    ]


async def load_event_classes_of_bindings(
    context: Context, bindings: Sequence[EventBinding]
) -> list[EventClass | Exception | None]:
    """For each binding the event class of its name in the device's application, None if there is none.

    If the event classes of an application cannot be read, its bindings get the exception.
    """
    scopes = {
        (organization_id, application_id)
        for organization_id, application_id in set(read_scopes(bindings))
        if organization_id is not None and application_id is not None
    }
    lists = await gather_settled(list_event_classes(context, *scope) for scope in scopes)
    by_scope: dict[Any, dict[str | None, EventClass] | Exception] = {
        scope: classes if isinstance(classes, Exception) else {c.class_: c for c in reversed(classes)}
        for scope, classes in zip(scopes, lists, strict=True)
    }
    event_classes: list[EventClass | Exception | None] = []
    for binding in bindings:
        by_name = by_scope.get((binding.organization_id, binding.application_id), {})
        event_classes.append(by_name if isinstance(by_name, Exception) else by_name.get(binding.class_))
    return event_classes
