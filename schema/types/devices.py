"""Devices in the graph."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from resolvers import connectors, devices, event_bindings, legacy_devices, scopes
from resolvers.series import device_pages
from schema.engine.fields import (
    Info,
    argument,
    as_type,
    attribute,
    batched,
    derived,
    find_selected_keys,
    mutation,
)
from schema.engine.inputs import (
    DOCUMENT,
    IF_UPDATED_AT,
    merge_with_document,
    optional,
    required,
    select_provided_values,
)
from schema.engine.scalars import JSON, DateTime
from schema.types.device_lists import FilterArgument, OrderArgument, device_listing
from schema.types.machine_fields import MachineFields
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import (
    APPLICATION,
    CONNECTOR,
    CREATED_AT,
    DOCUMENT_ID,
    EVENT_CLASS,
    IDEMPOTENCY_KEY,
    ORGANIZATION,
    STORED_DOCUMENT,
    UPDATED_AT,
    After,
    ApplicationId,
    First,
    MachineId,
    OrganizationId,
    get_context_of_creation,
)
from stores.entities import devices as stored


@strawberry.type(
    description="An event that a machine reports, with the event class that defines its meaning."
)
class EventBinding:
    source_id: str = attribute("The id that the machine uses for the event.")
    label: str | None = attribute("A label for people.")
    class_: str | None = attribute("The name of the event's class.", name="class")

    @batched("The event class of that name, or null if the application has none.", EVENT_CLASS | None)
    async def event_class(
        parents: strawberry.Parent[Sequence[event_bindings.EventBinding]], info: Info
    ) -> Sequence[Any]:
        return await event_bindings.load_event_classes_of_bindings(info.context, parents)


@strawberry.type(description="A machine, such as a lathe, a mill or a robot.")
class Device(MachineFields, Node):
    document_id: str = attribute(DOCUMENT_ID)
    machine_id: str = attribute("The machine id, which is unique within the application.")
    name: str | None = attribute("The name for people.")
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)
    connector_names: list[str] = attribute("The names of the connectors through which the machine is read.")
    properties: JSON = attribute("The properties of the machine, which may be nested.")

    @batched(
        "The application that it belongs to, or null for a legacy device that names none.",
        APPLICATION | None,
        needs=("organizationId", "applicationId"),
    )
    async def application(parents: strawberry.Parent[Sequence[stored.Device]], info: Info) -> Sequence[Any]:
        return await scopes.get_applications(info.context, devices.read_owners(parents))

    @batched(
        "The organization that it belongs to, or null for a legacy device that names none.",
        ORGANIZATION | None,
        needs=("organizationId",),
    )
    async def organization(parents: strawberry.Parent[Sequence[stored.Device]], info: Info) -> Sequence[Any]:
        owners = devices.read_owners(parents)
        return await scopes.get_organizations(info.context, [organization for organization, _ in owners])

    @batched(
        "The connectors that it names. A name refers to a connector of the application or, if "
        "there is none, of the organization.",
        list[CONNECTOR],
        needs=("connectors",),
    )
    async def connectors(parents: strawberry.Parent[Sequence[stored.Device]], info: Info) -> Sequence[Any]:
        return await connectors.load_connectors_of_devices(info.context, parents)

    @batched("The events that the machine reports.", list[EventBinding], needs=("events",))
    def event_bindings(parents: strawberry.Parent[Sequence[stored.Device]]) -> Sequence[Any]:
        return event_bindings.get_bindings_of_devices(parents)

    @derived(
        "The value of one property, or null if the machine does not have it.",
        JSON | None,
        needs=("properties",),
    )
    def property(
        root: strawberry.Parent[stored.Device], key: Annotated[str, argument("The key of the property.")]
    ) -> Any:
        return root.properties.get(key)

    @derived(STORED_DOCUMENT, JSON)
    def document(root: strawberry.Parent[stored.Device]) -> Any:
        return root.document


@strawberry.input(description="An event that a machine reports, with its event class.")
class EventBindingInput:
    source_id: str = required("The id that the machine uses for the event.")
    class_: str = strawberry.field(name="class", description="The name of the event's class.")
    label: str | None = optional("A label for people.")


@strawberry.input(
    description="A new device of an application or, without `organizationId` and `applicationId`, a "
    "legacy device."
)
class CreateDeviceInput:
    organization_id: str | None = optional(
        "The id of the organization. Leave it out for a legacy device.", None
    )
    application_id: str | None = optional(
        "The id of the application, which must exist. Leave it out for a legacy device.", None
    )
    machine_id: str | None = optional(
        "The machine id, which is unique within the application. It is required here or in `document`."
    )
    name: str | None = optional("The name for people.")
    connector_names: list[str] | None = optional(
        "The names of the connectors through which the machine is read."
    )
    event_bindings: list[EventBindingInput] | None = optional("The events that the machine reports.")
    properties: JSON | None = optional("The properties of the machine.")
    document: JSON | None = optional(DOCUMENT)
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(
    description="A change of a device. Each provided field replaces the stored one as a whole, and "
    "fields that are left out keep their values."
)
class UpdateDeviceInput:
    organization_id: str | None = optional(
        "The id of the organization. Leave it out for a legacy device.", None
    )
    application_id: str | None = optional(
        "The id of the application. Leave it out for a legacy device.", None
    )
    machine_id: str = required("The current machine id.")
    new_machine_id: str | None = optional("The new machine id, if it is to change.")
    name: str | None = optional("The name for people.")
    connector_names: list[str] | None = optional(
        "The names of the connectors through which the machine is read."
    )
    event_bindings: list[EventBindingInput] | None = optional("The events that the machine reports.")
    properties: JSON | None = optional("The properties of the machine.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The device to delete.")
class DeleteDeviceInput:
    organization_id: str | None = optional(
        "The id of the organization. Leave it out for a legacy device.", None
    )
    application_id: str | None = optional(
        "The id of the application. Leave it out for a legacy device.", None
    )
    machine_id: str = required("The machine id of the device.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The device after the mutation or, if it was deleted, before it.")
class DevicePayload:
    device: Device | None = attribute("The device that was created, changed or deleted.")


def _read_values(source: CreateDeviceInput | UpdateDeviceInput, machine_id: str) -> Any:
    values = select_provided_values(
        source, "name", "properties", machineId=machine_id, connectors="connector_names"
    )
    if source.event_bindings is not strawberry.UNSET:
        values["events"] = source.event_bindings and [
            {**select_provided_values(binding, "label", id="source_id"), "class": binding.class_}
            for binding in source.event_bindings
        ]
    return merge_with_document(source.document, values)


def _read_scope(source: Any) -> tuple[str, str] | None:
    return devices.resolve_scope(source.organization_id, source.application_id)


@strawberry.type
class DeviceQueries:
    @derived("The device with a machine id, or null if there is none.", Device | None)
    async def device(
        self,
        info: Info,
        organization_id: OrganizationId,
        application_id: ApplicationId,
        machine_id: MachineId,
    ) -> Any:
        keys = find_selected_keys(info, stored.Device, "Device")
        return await devices.get_device(info.context, organization_id, application_id, machine_id, keys)

    @derived(
        "The legacy devices, which belong to no organization, by default in the order of their creation.",
        Connection[Device] | None,
    )
    async def legacy_devices(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        filter: FilterArgument = None,
        order_by: OrderArgument = None,
    ) -> Any:
        listing = device_listing(info, first, after, filter, order_by)
        return await device_pages.list_legacy_devices(info.context, listing)

    @derived(
        "The legacy device with a machine id, or null if there is none. It belongs to no organization.",
        Device | None,
    )
    async def legacy_device(self, info: Info, machine_id: MachineId) -> Any:
        keys = find_selected_keys(info, stored.Device, "Device")
        return await legacy_devices.get_legacy_device(info.context, machine_id, keys)


@strawberry.type
class DeviceMutations:
    @mutation("Creates a device of an application, or a legacy device.")
    async def create_device(
        self, info: Info, input: Annotated[CreateDeviceInput, argument("The new device.")]
    ) -> DevicePayload | None:
        scope, values = _read_scope(input), _read_values(input, "machine_id")
        if scope is None:
            created = await legacy_devices.create_legacy_device(get_context_of_creation(info, input), values)
        else:
            created = await devices.create_device(get_context_of_creation(info, input), *scope, values)
        return DevicePayload(device=as_type(Device, created))

    @mutation("Changes a device.")
    async def update_device(
        self,
        info: Info,
        input: Annotated[UpdateDeviceInput, argument("The change, and the device to apply it to.")],
    ) -> DevicePayload | None:
        scope, values = _read_scope(input), _read_values(input, "new_machine_id")
        machine_id, if_updated_at = input.machine_id, input.if_updated_at
        if scope is None:
            changed = await legacy_devices.update_legacy_device(
                info.context, machine_id, values, if_updated_at
            )
        else:
            changed = await devices.update_device(info.context, *scope, machine_id, values, if_updated_at)
        return DevicePayload(device=as_type(Device, changed))

    @mutation("Deletes a device.")
    async def delete_device(
        self, info: Info, input: Annotated[DeleteDeviceInput, argument("The device to delete.")]
    ) -> DevicePayload | None:
        scope, machine_id, if_updated_at = _read_scope(input), input.machine_id, input.if_updated_at
        if scope is None:
            deleted = await legacy_devices.delete_legacy_device(info.context, machine_id, if_updated_at)
        else:
            deleted = await devices.delete_device(info.context, *scope, machine_id, if_updated_at)
        return DevicePayload(device=as_type(Device, deleted))
