"""Devices in the graph."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers import applications, connectors, devices, legacy_devices, organizations
from schema.engine.fields import Info, argument, attribute, batched, derived, mutation, selected_keys
from schema.engine.inputs import DOCUMENT, IF_UPDATED_AT, optional, provided_values, required, with_document
from schema.engine.scalars import JSON, DateTime
from schema.types.machine_fields import MachineFields
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import APPLICATION, CONNECTOR, EVENT_CLASS, ORGANIZATION, After, First
from stores.contracts.documents import BY_ID, Order
from stores.entities import devices as stored


@strawberry.type(description="An event that a machine reports, and the class that says what it means.")
class EventBinding:
    source_id: str = attribute("The event's id at the machine.")
    label: str | None = attribute("What a person calls it.")
    class_: str | None = attribute("The name of its class.", name="class")

    @batched("The event class of that name, where the application has one.", EVENT_CLASS | None)
    async def event_class(
        parents: strawberry.Parent[Sequence[devices.EventBinding]], info: Info
    ) -> Sequence[Any]:
        return await devices.event_classes_of(info.context, parents)


@strawberry.type(description="A machine: a lathe, a mill, a robot.")
class Device(MachineFields, Node):
    document_id: str = attribute("The id in the store.")
    machine_id: str = attribute("The machine's id, unique within its application.")
    name: str | None = attribute("What people call it.")
    created_at: DateTime | None = attribute("When it was made.")
    updated_at: DateTime | None = attribute("When it was last changed.")
    connector_names: list[str] = attribute("The names of the connectors that it is read through.")
    properties: JSON = attribute("Its properties, of any depth.")

    @derived(
        "The application it belongs to; null where a legacy device names none.",
        APPLICATION | None,
        needs=("organizationId", "applicationId"),
    )
    async def application(root: strawberry.Parent[stored.Device], info: Info) -> Any:
        organization_id = root.organization_id or root.stored_organization_id
        application_id = root.application_id or root.stored_application_id
        if organization_id is None or application_id is None:
            return None
        return await applications.get_application(info.context, organization_id, application_id)

    @derived(
        "The organization it belongs to; null where a legacy device names none.",
        ORGANIZATION | None,
        needs=("organizationId",),
    )
    async def organization(root: strawberry.Parent[stored.Device], info: Info) -> Any:
        organization_id = root.organization_id or root.stored_organization_id
        return organization_id and await organizations.get_organization(info.context, organization_id)

    @batched(
        "The connectors that it names: the application's first, then the organization's.",
        list[CONNECTOR],
        needs=("connectors",),
    )
    async def connectors(parents: strawberry.Parent[Sequence[stored.Device]], info: Info) -> Sequence[Any]:
        return await connectors.connectors_of_devices(info.context, parents)

    @batched("The events that it reports.", list[EventBinding], needs=("events",))
    def event_bindings(parents: strawberry.Parent[Sequence[stored.Device]]) -> Sequence[Any]:
        return devices.bindings_of(parents)

    @derived("One property.", JSON | None, needs=("properties",))
    def property(root: strawberry.Parent[stored.Device], key: Annotated[str, argument("Its name.")]) -> Any:
        return root.properties.get(key)

    @derived("The whole document as it is stored, for clients of the old API.", JSON)
    def document(root: strawberry.Parent[stored.Device]) -> Any:
        return root.document


@strawberry.input(description="A property that a device has to have.")
class PropertyFilter:
    key: str = required("The name of the property.")
    value: JSON | None = optional("The scalar it has to hold; any when it is not given.", None)


@strawberry.input(description="Which devices; every part that is given has to hold.")
class DeviceFilter:
    search: str | None = optional("The machine id or the name holds this text, in any case.", None)
    machine_ids: list[str] | None = optional("The machine id is one of these, at most 1000.", None)
    connector: str | None = optional("It names this connector.", None)
    event_class: str | None = optional("One of its events is of this class.", None)
    property: PropertyFilter | None = optional("It has this property.", None)


@strawberry.enum(description="What devices are ordered by.")
class DeviceOrderField(Enum):
    CREATED = strawberry.enum_value("_id", description="The order they were made in.")
    CREATED_AT = strawberry.enum_value("createdAt", description="The time they were made.")
    UPDATED_AT = strawberry.enum_value("updatedAt", description="The time they were last changed.")
    NAME = strawberry.enum_value("name", description="The name, byte by byte.")
    MACHINE_ID = strawberry.enum_value("machineId", description="The machine id, byte by byte.")


@strawberry.enum(description="Which end comes first.")
class OrderDirection(Enum):
    ASC = strawberry.enum_value("asc", description="The lowest first.")
    DESC = strawberry.enum_value("desc", description="The highest first.")


@strawberry.input(description="An order of devices; ties are in the order they were made.")
class DeviceOrder:
    field: DeviceOrderField = required("What to order by.")
    direction: OrderDirection = optional("Which end comes first.", OrderDirection.ASC)


NODES = (("nodes",), ("edges", "node"))


def listing(
    info: Info,
    first: int | None,
    after: str | None,
    filter: DeviceFilter | None,
    order_by: DeviceOrder | None,
) -> devices.Listing:
    """The arguments of a list of devices, and the keys that the selection needs."""
    order = BY_ID
    if order_by is not None:
        order = Order((str(order_by.field.value),), order_by.direction is OrderDirection.DESC)
    narrowed = devices.DeviceFilter()
    if filter is not None:
        narrowed = devices.DeviceFilter(
            search=filter.search,
            machine_ids=filter.machine_ids,
            connector=filter.connector,
            event_class=filter.event_class,
            property_key=filter.property.key if filter.property else None,
            property_value=filter.property.value if filter.property else None,
        )
    keys = selected_keys(info, stored.Device, "Device", *NODES)
    return devices.Listing(first, after, narrowed, order, keys)


@strawberry.input(description="An event that a machine reports.")
class EventBindingInput:
    source_id: str = required("The event's id at the machine.")
    class_: str = strawberry.field(name="class", description="The name of its class.")
    label: str | None = optional("What a person calls it.")


@strawberry.input(description="A new device; without organization and application a legacy one.")
class CreateDeviceInput:
    organization_id: str | None = optional("The organization.", None)
    application_id: str | None = optional("The application; it has to be registered.", None)
    machine_id: str | None = optional(
        "The machine's id, unique within the application; required here or in `document`."
    )
    name: str | None = optional("What people call it.")
    connector_names: list[str] | None = optional("The names of its connectors.")
    event_bindings: list[EventBindingInput] | None = optional("The events that it reports.")
    properties: JSON | None = optional("Its properties.")
    document: JSON | None = optional(DOCUMENT)


@strawberry.input(description="A change of a device: a field that is given is set whole, the others stay.")
class UpdateDeviceInput:
    organization_id: str | None = optional("The organization; none for a legacy device.", None)
    application_id: str | None = optional("The application; none for a legacy device.", None)
    machine_id: str = required("The machine's id as it is now.")
    new_machine_id: str | None = optional("Another machine id.")
    name: str | None = optional("What people call it.")
    connector_names: list[str] | None = optional("The names of its connectors.")
    event_bindings: list[EventBindingInput] | None = optional("The events that it reports.")
    properties: JSON | None = optional("Its properties.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="A device to delete.")
class DeleteDeviceInput:
    organization_id: str | None = optional("The organization; none for a legacy device.", None)
    application_id: str | None = optional("The application; none for a legacy device.", None)
    machine_id: str = required("The machine's id.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The device as it is now or, deleted, as it was.")
class DevicePayload:
    device: Device = attribute("The device.")


def _values(source: CreateDeviceInput | UpdateDeviceInput, machine_id: str) -> Any:
    values = provided_values(source, "name", "properties", machineId=machine_id, connectors="connector_names")
    if source.event_bindings is not strawberry.UNSET:
        values["events"] = source.event_bindings and [
            provided_values(each, "label", id="source_id") | {"class": each.class_}
            for each in source.event_bindings
        ]
    return with_document(source.document, values)


def _scope(source: Any) -> tuple[str, str] | None:
    return devices.scope(source.organization_id, source.application_id)


@strawberry.type
class DeviceQueries:
    @derived("A device by its machine id.", Device | None)
    async def device(
        self,
        info: Info,
        organization_id: Annotated[str, argument("The organization's id.")],
        application_id: Annotated[str, argument("The application's id.")],
        machine_id: Annotated[str, argument("The machine's id.")],
    ) -> Any:
        keys = selected_keys(info, stored.Device, "Device")
        return await devices.get_device(info.context, organization_id, application_id, machine_id, keys)

    @derived(
        "The devices that belong to no organization, by default in the order they were made.",
        Connection[Device],
    )
    async def legacy_devices(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        filter: Annotated[DeviceFilter | None, argument("Which devices.")] = None,
        order_by: Annotated[DeviceOrder | None, argument("In which order.")] = None,
    ) -> Any:
        part = listing(info, first, after, filter, order_by)
        return await devices.list_legacy_devices(info.context, part)

    @derived("A device that belongs to no organization.", Device | None)
    async def legacy_device(
        self, info: Info, machine_id: Annotated[str, argument("The machine's id.")]
    ) -> Any:
        keys = selected_keys(info, stored.Device, "Device")
        return await devices.get_legacy_device(info.context, machine_id, keys)


@strawberry.type
class DeviceMutations:
    @mutation("Create a device.")
    async def create_device(
        self, info: Info, input: Annotated[CreateDeviceInput, argument("The device.")]
    ) -> DevicePayload:
        scope, values = _scope(input), _values(input, "machine_id")
        if scope is None:
            created = await legacy_devices.create_legacy_device(info.context, values)
        else:
            created = await devices.create_device(info.context, *scope, values)
        return DevicePayload(device=created)  # type: ignore[arg-type]  # a record

    @mutation("Change a device.")
    async def update_device(
        self, info: Info, input: Annotated[UpdateDeviceInput, argument("The change.")]
    ) -> DevicePayload:
        scope, values = _scope(input), _values(input, "new_machine_id")
        machine_id, seen = input.machine_id, input.if_updated_at
        if scope is None:
            changed = await legacy_devices.update_legacy_device(info.context, machine_id, values, seen)
        else:
            changed = await devices.update_device(info.context, *scope, machine_id, values, seen)
        return DevicePayload(device=changed)  # type: ignore[arg-type]  # a record

    @mutation("Delete a device.")
    async def delete_device(
        self, info: Info, input: Annotated[DeleteDeviceInput, argument("Which one.")]
    ) -> DevicePayload:
        scope, machine_id, seen = _scope(input), input.machine_id, input.if_updated_at
        if scope is None:
            deleted = await legacy_devices.delete_legacy_device(info.context, machine_id, seen)
        else:
            deleted = await devices.delete_device(info.context, *scope, machine_id, seen)
        return DevicePayload(device=deleted)  # type: ignore[arg-type]  # a record
