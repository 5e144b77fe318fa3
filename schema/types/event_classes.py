"""Event classes in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import devices, event_classes, scopes
from schema.engine.fields import (
    Info,
    argument,
    as_type,
    as_types,
    attribute,
    derived,
    find_selected_keys,
    mutation,
)
from schema.engine.inputs import DOCUMENT, merge_with_document, optional, required, select_provided_values
from schema.engine.scalars import JSON
from schema.types.devices import Device
from schema.types.node import Node
from schema.types.shared import (
    APPLICATION,
    IDEMPOTENCY_KEY,
    IN_APPLICATION,
    STORED_DOCUMENT,
    ApplicationScope,
    get_context_of_creation,
)
from stores.entities import event_classes as stored
from stores.entities.devices import Device as StoredDevice


@strawberry.type(
    description="The definition of a kind of event: its topic, its type and its possible values."
)
class EventClass(Node):
    event_class_id: str = attribute("The id, which is unique within the application.")
    class_: str = attribute(
        "The name, by which the event bindings of devices refer to the class.", name="class"
    )
    topic: str | None = attribute("The message topic under which the events are published.")
    type: str | None = attribute("The type of the values: `STR`, `INT`, `FLOAT` or `BOOL`.")
    auth_values: list[str] | None = attribute("The possible values of type `STR`.")
    values_range: list[float] | None = attribute("The lowest and the highest possible value of type `FLOAT`.")

    @derived(STORED_DOCUMENT, JSON)
    def document(root: strawberry.Parent[stored.EventClass]) -> Any:
        return root.document

    @derived(IN_APPLICATION, APPLICATION)
    async def application(root: strawberry.Parent[stored.EventClass], info: Info) -> Any:
        assert root.organization_id is not None
        assert root.application_id is not None
        return await scopes.require_application(info.context, root.organization_id, root.application_id)

    @derived("The devices that have an event binding of the class.", list[Device])
    async def devices(root: strawberry.Parent[stored.EventClass], info: Info) -> Any:
        keys = find_selected_keys(info, StoredDevice, "Device")
        return await devices.list_devices_with_event_class(info.context, root, keys)


@strawberry.input(description="The definition of an event class.")
class EventClassInput:
    event_class_id: str | None = optional("The id. The gateway generates one if you leave it out.")
    class_: str | None = strawberry.field(
        name="class", default=strawberry.UNSET, description="The name. It is required here or in `document`."
    )
    topic: str | None = optional("The message topic. It is required here or in `document`.")
    type: str | None = optional(
        "The type of the values: `STR`, `INT`, `FLOAT` or `BOOL`. It is required here or in `document`."
    )
    auth_values: list[str] | None = optional("The possible values of type `STR`.")
    values_range: list[float] | None = optional("The lowest and the highest possible value of type `FLOAT`.")
    document: JSON | None = optional(DOCUMENT)


@strawberry.input(description="An event class to add to an application.")
class AddEventClassInput(ApplicationScope):
    event_class: EventClassInput = required("The definition of the new event class.")
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(description="The event classes that replace all those of an application.")
class SetEventClassesInput(ApplicationScope):
    event_classes: list[EventClassInput] = required("The definitions, in the order in which they are listed.")


@strawberry.type(description="The event class after the mutation.")
class EventClassPayload:
    event_class: EventClass | None = attribute("The added event class.")


@strawberry.type(description="The event classes after the mutation.")
class EventClassesPayload:
    event_classes: list[EventClass] | None = attribute("All event classes of the application.")


def _read_values(source: EventClassInput) -> Any:
    values = select_provided_values(
        source,
        "topic",
        "type",
        **{"id": "event_class_id", "class": "class_"},
        auth_values="auth_values",
        values_range="values_range",
    )
    return merge_with_document(source.document, values)


@strawberry.type
class EventClassMutations:
    @mutation("Adds an event class to an application.")
    async def add_event_class(
        self,
        info: Info,
        input: Annotated[
            AddEventClassInput, argument("The new event class, and the application to add it to.")
        ],
    ) -> EventClassPayload | None:
        added = await event_classes.add_event_class(
            get_context_of_creation(info, input),
            input.organization_id,
            input.application_id,
            _read_values(input.event_class),
        )
        return EventClassPayload(event_class=as_type(EventClass, added))

    @mutation(
        "Replaces all event classes of an application. If one of the definitions is not valid, "
        "nothing is changed."
    )
    async def set_event_classes(
        self,
        info: Info,
        input: Annotated[
            SetEventClassesInput, argument("The event classes, and the application that they belong to.")
        ],
    ) -> EventClassesPayload | None:
        stored_classes = await event_classes.set_event_classes(
            info.context,
            input.organization_id,
            input.application_id,
            [_read_values(definition) for definition in input.event_classes],
        )
        return EventClassesPayload(event_classes=as_types(EventClass, stored_classes))
