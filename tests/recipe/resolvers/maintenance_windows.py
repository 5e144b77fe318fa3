"""Maintenance windows of an application."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_object, require_name
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import Change, Touch, equals, utc_now
from stores.contracts.errors import Conflict
from stores.entities.maintenance_windows import MaintenanceWindow


async def list_maintenance_windows(
    context: Context, organization_id: str, application_id: str
) -> list[MaintenanceWindow]:
    return await Repository(context, MaintenanceWindow, organization_id, application_id).list_all()


async def get_maintenance_window(
    context: Context, organization_id: str, application_id: str, name: str
) -> MaintenanceWindow | None:
    windows = Repository(context, MaintenanceWindow, organization_id, application_id)
    return await windows.get(equals("name", name))


async def create_maintenance_window(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> MaintenanceWindow:
    """Create a maintenance window. Raises `Conflict` if the application has one with its name."""
    windows = await open_repository(context, MaintenanceWindow, organization_id, application_id)
    require_name(values.get("name"), "name")
    time = utc_now()
    document = {"_id": ObjectId(), **check_object(values), "createdAt": time, "updatedAt": time}
    return await windows.insert(document, conflict=_taken())


async def update_maintenance_window(
    context: Context,
    organization_id: str,
    application_id: str,
    name: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> MaintenanceWindow:
    """Set the given fields and keep the others."""
    windows = await open_repository(context, MaintenanceWindow, organization_id, application_id)
    change = Change(
        set={(key,): value for key, value in check_object(values).items()}, touch=Touch(("updatedAt",))
    )
    return await windows.update(
        [equals("name", name)], change, if_updated_at=if_updated_at, conflict=_taken()
    )


async def delete_maintenance_window(
    context: Context,
    organization_id: str,
    application_id: str,
    name: str,
    if_updated_at: datetime | None,
) -> MaintenanceWindow:
    windows = Repository(context, MaintenanceWindow, organization_id, application_id)
    return await windows.delete([equals("name", name)], if_updated_at=if_updated_at)


def _taken() -> Conflict:
    return Conflict("Maintenance window with this name already exists", fields=["name"])
