"""Applications in the graph."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from resolvers import (
    applications,
    configuration,
    connectors,
    devices,
    event_classes,
    functions,
    organizations,
)
from resolvers.series import activity
from schema.engine.fields import Info, argument, attribute, batched, derived, mutation, selected_keys
from schema.engine.inputs import IF_UPDATED_AT, optional, provided_values, required
from schema.engine.scalars import DateTime
from schema.types.configuration import ConfigEntry
from schema.types.connectors import Connector
from schema.types.devices import Device, DeviceFilter, DeviceOrder, listing
from schema.types.event_classes import EventClass
from schema.types.functions import Function
from schema.types.machine_fields import Classes, Within
from schema.types.machine_fields import First as EventCount
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.series import MachineEvent, within
from schema.types.shared import ORGANIZATION, After, First
from stores.entities import applications as stored
from stores.entities.devices import Device as StoredDevice


@strawberry.type(description="A property that devices have, and which devices have it.")
class DeviceProperty:
    key: str = attribute("The name of the property.")
    machines: list[str] = attribute("The machine ids of the devices that have it, in device order.")


@strawberry.type(description="What an organization does with some of its machines, such as CNC monitoring.")
class Application(Node):
    application_id: str = attribute("The id, unique within the organization.")
    name: str = attribute("The name, or the id where none was given.")
    description: str | None = attribute("What it is for.")
    status: str | None = attribute("The status, such as `active`.")
    collections: list[str] = attribute("The kinds of documents it was set up with.")
    created_at: DateTime | None = attribute("When it was made, where that is known.")
    updated_at: DateTime | None = attribute("When it was last changed.")

    @derived("The organization it belongs to.", ORGANIZATION)
    async def organization(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await organizations.require_organization(info.context, root.organization_id)

    @batched("How many devices it has.", int)
    async def device_count(
        parents: strawberry.Parent[Sequence[stored.Application]], info: Info
    ) -> Sequence[Any]:
        return await applications.count_devices(info.context, parents)

    @derived("How many of its devices were seen with their power on within the last day.", int | None)
    async def connected_device_count(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await activity.connected_count(info.context, root)

    @derived(
        "When one of its devices last reported its state or, within the last day, an event.", DateTime | None
    )
    async def last_activity(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await activity.last_activity(info.context, root)

    @derived("The last events of its devices together, newest first.", list[MachineEvent] | None)
    async def events(
        root: strawberry.Parent[stored.Application],
        info: Info,
        first: EventCount = 20,
        range: Within = None,
        classes: Classes = None,
    ) -> Any:
        return await activity.events(info.context, root, first, within(range), classes)

    @derived("Its devices, by default in the order they were made.", Connection[Device])
    async def devices(
        root: strawberry.Parent[stored.Application],
        info: Info,
        first: First = None,
        after: After = None,
        filter: Annotated[DeviceFilter | None, argument("Which devices.")] = None,
        order_by: Annotated[DeviceOrder | None, argument("In which order.")] = None,
    ) -> Any:
        part = listing(info, first, after, filter, order_by)
        return await devices.list_devices(info.context, root.organization_id, root.application_id, part)

    @derived("One of its devices.", Device | None)
    async def device(
        root: strawberry.Parent[stored.Application],
        info: Info,
        machine_id: Annotated[str, argument("The device's machine id.")],
    ) -> Any:
        keys = selected_keys(info, StoredDevice, "Device")
        return await devices.get_device(
            info.context, root.organization_id, root.application_id, machine_id, keys
        )

    @derived("Its connectors, in the order they were made.", list[Connector])
    async def connectors(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await connectors.list_connectors(info.context, root.organization_id, root.application_id)

    @derived("One of its connectors.", Connector | None)
    async def connector(
        root: strawberry.Parent[stored.Application],
        info: Info,
        document_id: Annotated[str, argument("The connector's id in the store.")],
    ) -> Any:
        return await connectors.get_connector(
            info.context, root.organization_id, root.application_id, document_id
        )

    @derived("Its event classes, in the order they were made.", list[EventClass])
    async def event_classes(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await event_classes.list_event_classes(info.context, root.organization_id, root.application_id)

    @derived("Its functions, in the order they were made.", list[Function])
    async def functions(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await functions.list_functions(info.context, root.organization_id, root.application_id)

    @derived("Every property that its devices have, in dictionary order.", list[DeviceProperty])
    async def properties(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        found = await devices.summarize_properties(info.context, root.organization_id, root.application_id)
        return [DeviceProperty(key=key, machines=machines) for key, machines in found]

    @derived("Its configuration, as pairs.", list[ConfigEntry])
    async def config(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        found = await configuration.application_entries(
            info.context, root.organization_id, root.application_id
        )
        return [ConfigEntry(key=key, value=value) for key, value in found]


@strawberry.input(description="A new application.")
class CreateApplicationInput:
    organization_id: str = required("The organization it is for.")
    application_id: str = required("Its id: it names collections, so without $ and dots.")
    name: str = required("The name.")
    description: str | None = optional("What it is for.")
    status: str | None = optional("The status; `active` when it is not given.")


@strawberry.input(description="A change of an application: what is not given stays as it is.")
class UpdateApplicationInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    name: str | None = optional("The name.")
    description: str | None = optional("What it is for.")
    status: str | None = optional("The status.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="An application to delete, with everything in it.")
class DeleteApplicationInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The application as it is now or, deleted, as it was.")
class ApplicationPayload:
    application: Application = attribute("The application.")


SETTINGS = ("name", "description", "status")


@strawberry.type
class ApplicationQueries:
    @derived("An application by its id.", Application | None)
    async def application(
        self,
        info: Info,
        organization_id: Annotated[str, argument("The organization's id.")],
        application_id: Annotated[str, argument("The application's id.")],
    ) -> Any:
        return await applications.get_application(info.context, organization_id, application_id)


@strawberry.type
class ApplicationMutations:
    @mutation("Register an application.")
    async def create_application(
        self, info: Info, input: Annotated[CreateApplicationInput, argument("The application.")]
    ) -> ApplicationPayload:
        created = await applications.create_application(
            info.context, input.organization_id, input.application_id, provided_values(input, *SETTINGS)
        )
        return ApplicationPayload(application=created)  # type: ignore[arg-type]  # a record

    @mutation("Change an application.")
    async def update_application(
        self, info: Info, input: Annotated[UpdateApplicationInput, argument("The change.")]
    ) -> ApplicationPayload:
        changed = await applications.update_application(
            info.context,
            input.organization_id,
            input.application_id,
            provided_values(input, *SETTINGS),
            input.if_updated_at,
        )
        return ApplicationPayload(application=changed)  # type: ignore[arg-type]  # a record

    @mutation(
        "Delete an application with its devices, connectors, event classes, functions and configuration."
    )
    async def delete_application(
        self, info: Info, input: Annotated[DeleteApplicationInput, argument("Which one.")]
    ) -> ApplicationPayload:
        deleted = await applications.delete_application(
            info.context, input.organization_id, input.application_id, input.if_updated_at
        )
        return ApplicationPayload(application=deleted)  # type: ignore[arg-type]  # a record
