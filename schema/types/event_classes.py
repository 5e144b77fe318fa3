"""Event classes in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import applications, devices, event_classes
from schema.engine.fields import Info, argument, attribute, derived, mutation, selected_keys
from schema.engine.inputs import DOCUMENT, optional, provided_values, required, with_document
from schema.engine.scalars import JSON
from schema.types.devices import Device
from schema.types.node import Node
from schema.types.shared import APPLICATION
from stores.entities import event_classes as stored
from stores.entities.devices import Device as StoredDevice


@strawberry.type(description="What a kind of event means: its topic, its type and the values it may take.")
class EventClass(Node):
    event_class_id: str = attribute("The id, unique within the application.")
    class_: str = attribute("The name that devices' events refer to.", name="class")
    topic: str | None = attribute("The topic that its events are published under.")
    type: str | None = attribute("The type of its values: STR, INT, FLOAT or BOOL.")
    auth_values: list[str] | None = attribute("The values that a text may take.")
    values_range: list[float] | None = attribute("The lowest and the highest value of a float.")

    @derived("The whole document as it is stored.", JSON)
    def document(root: strawberry.Parent[stored.EventClass]) -> Any:
        return root.document

    @derived("The application it belongs to.", APPLICATION)
    async def application(root: strawberry.Parent[stored.EventClass], info: Info) -> Any:
        assert root.organization_id is not None
        assert root.application_id is not None
        return await applications.require_application(info.context, root.organization_id, root.application_id)

    @derived("The devices that report its events.", list[Device])
    async def devices(root: strawberry.Parent[stored.EventClass], info: Info) -> Any:
        keys = selected_keys(info, StoredDevice, "Device")
        return await devices.devices_with_event_class(info.context, root, keys)


@strawberry.input(description="An event class.")
class EventClassInput:
    event_class_id: str | None = optional("The id; made where it is not given.")
    class_: str | None = strawberry.field(
        name="class", default=strawberry.UNSET, description="The name; required here or in `document`."
    )
    topic: str | None = optional("The topic; required here or in `document`.")
    type: str | None = optional("STR, INT, FLOAT or BOOL; required here or in `document`.")
    auth_values: list[str] | None = optional("The values that a text may take.")
    values_range: list[float] | None = optional("The lowest and the highest value of a float.")
    document: JSON | None = optional(DOCUMENT)


@strawberry.input(description="An event class to add to an application.")
class AddEventClassInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    event_class: EventClassInput = required("The event class.")


@strawberry.input(description="All event classes of an application.")
class SetEventClassesInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    event_classes: list[EventClassInput] = required("The event classes, in their order.")


@strawberry.type(description="The event class as it is now.")
class EventClassPayload:
    event_class: EventClass = attribute("The event class.")


@strawberry.type(description="The event classes as they are now.")
class EventClassesPayload:
    event_classes: list[EventClass] = attribute("The event classes.")


def _values(source: EventClassInput) -> Any:
    values = provided_values(
        source,
        "topic",
        "type",
        **{"id": "event_class_id", "class": "class_"},
        auth_values="auth_values",
        values_range="values_range",
    )
    return with_document(source.document, values)


@strawberry.type
class EventClassMutations:
    @mutation("Add an event class to an application.")
    async def add_event_class(
        self, info: Info, input: Annotated[AddEventClassInput, argument("The event class.")]
    ) -> EventClassPayload:
        added = await event_classes.add_event_class(
            info.context, input.organization_id, input.application_id, _values(input.event_class)
        )
        return EventClassPayload(event_class=added)  # type: ignore[arg-type]  # a record

    @mutation("Replace all event classes of an application: by all of these, or by none.")
    async def set_event_classes(
        self, info: Info, input: Annotated[SetEventClassesInput, argument("The event classes.")]
    ) -> EventClassesPayload:
        kept = await event_classes.set_event_classes(
            info.context,
            input.organization_id,
            input.application_id,
            [_values(each) for each in input.event_classes],
        )
        return EventClassesPayload(event_classes=kept)  # type: ignore[arg-type]  # records
