"""Maintenance windows in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import maintenance_windows
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import DateTime
from schema.types.node import Node
from schema.types.shared import UPDATED_AT, ApplicationId, ApplicationScope, OrganizationId


@strawberry.type(description="A span of time in which some machines are down on purpose.")
class MaintenanceWindow(Node):
    name: str = attribute("The name, which is unique within the application.")
    machine_ids: list[str] = attribute("The ids of the machines.")
    starts_at: DateTime | None = attribute("When it starts.")
    ends_at: DateTime | None = attribute("When it ends.")
    updated_at: DateTime | None = attribute(UPDATED_AT)


@strawberry.input(description="A new maintenance window.")
class CreateMaintenanceWindowInput(ApplicationScope):
    name: str = required("The name, which is unique within the application.")
    machine_ids: list[str] = required("The ids of the machines.")
    starts_at: DateTime = required("When it starts.")
    ends_at: DateTime = required("When it ends.")


@strawberry.input(description="A change of a maintenance window. Fields that are left out stay the same.")
class UpdateMaintenanceWindowInput(ApplicationScope):
    name: str = required("The name of the maintenance window.")
    machine_ids: list[str] | None = optional("The ids of the machines.")
    ends_at: DateTime | None = optional("When it ends.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The maintenance window to delete.")
class DeleteMaintenanceWindowInput(ApplicationScope):
    name: str = required("The name of the maintenance window.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The maintenance window after the mutation or, if it was deleted, before it.")
class MaintenanceWindowPayload:
    maintenance_window: MaintenanceWindow | None = attribute("The maintenance window.")


@strawberry.type
class MaintenanceWindowQueries:
    @derived("The maintenance windows of an application.", list[MaintenanceWindow])
    async def maintenance_windows(
        self, info: Info, organization_id: OrganizationId, application_id: ApplicationId
    ) -> Any:
        return await maintenance_windows.list_maintenance_windows(
            info.context, organization_id, application_id
        )

    @derived("The maintenance window with a name, or null.", MaintenanceWindow | None)
    async def maintenance_window(
        self,
        info: Info,
        organization_id: OrganizationId,
        application_id: ApplicationId,
        name: Annotated[str, argument("The name of the maintenance window.")],
    ) -> Any:
        return await maintenance_windows.get_maintenance_window(
            info.context, organization_id, application_id, name
        )


@strawberry.type
class MaintenanceWindowMutations:
    @mutation("Creates a maintenance window of an application.")
    async def create_maintenance_window(
        self,
        info: Info,
        input: Annotated[CreateMaintenanceWindowInput, argument("The new maintenance window.")],
    ) -> MaintenanceWindowPayload | None:
        values = select_provided_values(
            input, "name", machineIds="machine_ids", startsAt="starts_at", endsAt="ends_at"
        )
        created = await maintenance_windows.create_maintenance_window(
            info.context, input.organization_id, input.application_id, values
        )
        return MaintenanceWindowPayload(maintenance_window=as_type(MaintenanceWindow, created))

    @mutation("Changes a maintenance window.")
    async def update_maintenance_window(
        self, info: Info, input: Annotated[UpdateMaintenanceWindowInput, argument("The change.")]
    ) -> MaintenanceWindowPayload | None:
        changed = await maintenance_windows.update_maintenance_window(
            info.context,
            input.organization_id,
            input.application_id,
            input.name,
            select_provided_values(input, machineIds="machine_ids", endsAt="ends_at"),
            input.if_updated_at,
        )
        return MaintenanceWindowPayload(maintenance_window=as_type(MaintenanceWindow, changed))

    @mutation("Deletes a maintenance window.")
    async def delete_maintenance_window(
        self,
        info: Info,
        input: Annotated[DeleteMaintenanceWindowInput, argument("The maintenance window to delete.")],
    ) -> MaintenanceWindowPayload | None:
        deleted = await maintenance_windows.delete_maintenance_window(
            info.context, input.organization_id, input.application_id, input.name, input.if_updated_at
        )
        return MaintenanceWindowPayload(maintenance_window=as_type(MaintenanceWindow, deleted))
