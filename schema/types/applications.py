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
    scopes,
)
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
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import JSON, DateTime
from schema.types.application_activity import ApplicationActivity
from schema.types.configuration import ConfigEntry
from schema.types.connectors import Connector
from schema.types.device_lists import FilterArgument, OrderArgument, device_listing
from schema.types.devices import Device
from schema.types.event_classes import EventClass
from schema.types.functions import Function
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import (
    CREATED_AT,
    IDEMPOTENCY_KEY,
    IN_ORGANIZATION,
    ORGANIZATION,
    UPDATED_AT,
    After,
    ApplicationId,
    ApplicationScope,
    First,
    MachineId,
    OrganizationId,
    get_context_of_creation,
)
from schema.types.shift_plans import SetShiftPlanInput, ShiftPlan, to_shifts
from stores.entities import applications as stored
from stores.entities.devices import Device as StoredDevice

TIME_ZONE = (
    "The IANA time zone, such as Europe/Berlin, of its ranges, calendar units and shifts; that of the setting"
    " `series.time_zone` if it has none."
)


@strawberry.type(description="A property of devices, with the devices that have it.")
class DeviceProperty:
    key: str = attribute("The key of the property.")
    machines: list[str] = attribute(
        "The machine ids of the devices that have the property, in the order of the devices' creation."
    )


@strawberry.type(
    description="A use of an organization's machines, such as CNC monitoring, with its devices, "
    "connectors, event classes and functions."
)
class Application(ApplicationActivity, Node):
    application_id: str = attribute("The id, which is unique within the organization.")
    name: str = attribute("The name, or the id if no name is stored.")
    description: str | None = attribute("A description of what the application is used for.")
    status: str | None = attribute("The status, such as `active`.")
    collections: list[str] = attribute("The kinds of documents that the application was created with.")
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)
    time_zone: str | None = attribute(TIME_ZONE)
    shift_plan: ShiftPlan | None = attribute("When its machines are to work, or null if it has no plan.")

    @derived("The stored settings, with the keys that only the old system uses.", JSON)
    def document(root: strawberry.Parent[stored.Application]) -> Any:
        return root.document

    @batched(IN_ORGANIZATION, ORGANIZATION)
    async def organization(
        parents: strawberry.Parent[Sequence[stored.Application]], info: Info
    ) -> Sequence[Any]:
        ids = [application.organization_id for application in parents]
        return await scopes.require_organizations(info.context, ids)

    @batched("The number of its devices.", int)
    async def device_count(
        parents: strawberry.Parent[Sequence[stored.Application]], info: Info
    ) -> Sequence[Any]:
        return await applications.count_devices(info.context, parents)

    @derived("Its devices, by default in the order of their creation.", Connection[Device] | None)
    async def devices(
        root: strawberry.Parent[stored.Application],
        info: Info,
        first: First = None,
        after: After = None,
        filter: FilterArgument = None,
        order_by: OrderArgument = None,
    ) -> Any:
        listing = device_listing(info, first, after, filter, order_by)
        return await device_pages.list_devices(
            info.context, root.organization_id, root.application_id, listing
        )

    @derived("The device with a machine id, or null if the application has none.", Device | None)
    async def device(
        root: strawberry.Parent[stored.Application],
        info: Info,
        machine_id: MachineId,
    ) -> Any:
        keys = find_selected_keys(info, StoredDevice, "Device")
        return await devices.get_device(
            info.context, root.organization_id, root.application_id, machine_id, keys
        )

    @derived("Its connectors, in the order of their creation.", list[Connector])
    async def connectors(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await connectors.list_connectors(info.context, root.organization_id, root.application_id)

    @derived("The connector with a `documentId`, or null if the application has none.", Connector | None)
    async def connector(
        root: strawberry.Parent[stored.Application],
        info: Info,
        document_id: Annotated[str, argument("The `documentId` of the connector.")],
    ) -> Any:
        return await connectors.get_connector(
            info.context, root.organization_id, root.application_id, document_id
        )

    @derived("Its event classes, in the order of their creation.", list[EventClass])
    async def event_classes(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await event_classes.list_event_classes(info.context, root.organization_id, root.application_id)

    @derived("Its functions, in the order of their creation.", list[Function])
    async def functions(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        return await functions.list_functions(info.context, root.organization_id, root.application_id)

    @derived("All properties of its devices, in dictionary order of their keys.", list[DeviceProperty])
    async def properties(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        properties = await devices.summarize_properties(
            info.context, root.organization_id, root.application_id
        )
        return [DeviceProperty(key=key, machines=machines) for key, machines in properties]

    @derived("Its configuration, as a list of keys and values.", list[ConfigEntry])
    async def config(root: strawberry.Parent[stored.Application], info: Info) -> Any:
        entries = await configuration.read_application_entries(
            info.context, root.organization_id, root.application_id
        )
        return [ConfigEntry(key=key, value=value) for key, value in entries]


@strawberry.input(description="A new application.")
class CreateApplicationInput:
    organization_id: str = required("The id of the organization.")
    application_id: str = required(
        "The id. It becomes part of the names of collections, so it must not contain `$` or dots."
    )
    name: str = required("The name.")
    description: str | None = optional("A description of what the application is used for.")
    status: str | None = optional("The status; `active` by default.")
    time_zone: str | None = optional(TIME_ZONE)
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(description="A change of an application. Fields that are left out keep their values.")
class UpdateApplicationInput(ApplicationScope):
    name: str | None = optional("The new name.")
    description: str | None = optional("A description of what the application is used for.")
    status: str | None = optional("The new status.")
    time_zone: str | None = optional(TIME_ZONE)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The application to delete, with everything in it.")
class DeleteApplicationInput(ApplicationScope):
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The application after the mutation or, if it was deleted, before it.")
class ApplicationPayload:
    application: Application | None = attribute("The application that was created, changed or deleted.")


SETTINGS = ("name", "description", "status")


@strawberry.type
class ApplicationQueries:
    @derived("The application with an id, or null if there is none.", Application | None)
    async def application(
        self,
        info: Info,
        organization_id: OrganizationId,
        application_id: ApplicationId,
    ) -> Any:
        return await scopes.get_application(info.context, organization_id, application_id)


@strawberry.type
class ApplicationMutations:
    @mutation("Creates an application of an organization.")
    async def create_application(
        self, info: Info, input: Annotated[CreateApplicationInput, argument("The new application.")]
    ) -> ApplicationPayload | None:
        created = await applications.create_application(
            get_context_of_creation(info, input),
            input.organization_id,
            input.application_id,
            select_provided_values(input, *SETTINGS, timeZone="time_zone"),
        )
        return ApplicationPayload(application=as_type(Application, created))

    @mutation("Changes an application.")
    async def update_application(
        self,
        info: Info,
        input: Annotated[UpdateApplicationInput, argument("The change, and the application to apply it to.")],
    ) -> ApplicationPayload | None:
        changed = await applications.update_application(
            info.context,
            input.organization_id,
            input.application_id,
            select_provided_values(input, *SETTINGS, timeZone="time_zone"),
            input.if_updated_at,
        )
        return ApplicationPayload(application=as_type(Application, changed))

    @mutation("Sets the shift plan of an application, in place of the one that it has.")
    async def set_shift_plan(
        self, info: Info, input: Annotated[SetShiftPlanInput, argument("The shift plan.")]
    ) -> ApplicationPayload | None:
        changed = await applications.set_shift_plan(
            info.context,
            input.organization_id,
            input.application_id,
            to_shifts(input.shifts),
            input.if_updated_at,
        )
        return ApplicationPayload(application=as_type(Application, changed))

    @mutation(
        "Deletes an application with its devices, connectors, event classes, functions and configuration."
    )
    async def delete_application(
        self, info: Info, input: Annotated[DeleteApplicationInput, argument("The application to delete.")]
    ) -> ApplicationPayload | None:
        deleted = await applications.delete_application(
            info.context, input.organization_id, input.application_id, input.if_updated_at
        )
        return ApplicationPayload(application=as_type(Application, deleted))
