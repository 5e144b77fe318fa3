"""Applications: entries of one document, so that each change of one is one atomic update of that document."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn

from bson import ObjectId

from loaders.batching import load_by_group
from resolvers.context import Context, Tenant
from resolvers.rules.checks import check_value, require_application_id, require_name
from resolvers.rules.repository import match_updated_at
from resolvers.scopes import require_application, require_organization
from stores.contracts.documents import Change, Condition, Document, Exists, Touch, equals, utc_now
from stores.contracts.errors import Conflict
from stores.entities.applications import Application, settings_path
from stores.entities.configuration import ConfigEntry
from stores.entities.devices import Device
from stores.entities.organizations import APPLICATIONS_KEY
from stores.entities.registry import entities_of_application

CONFIG = Application.collection_of()
IS_ENTRY = equals("key", APPLICATIONS_KEY)
AVAILABLE = ("value", "availableApplications")
DEFAULT = ("value", "defaultApplication")
EMPTY_VALUE: Document = {"availableApplications": [], "defaultApplication": None, "applicationSettings": {}}


async def count_devices(context: Context, applications: Sequence[Application]) -> list[int | Exception]:
    """For each application the number of its devices. One call for each organization."""

    async def load(indexes: list[int]) -> list[int]:
        loaders = context.viewer.tenant(applications[indexes[0]].organization_id).loaders
        collections = [Device.collection_of(applications[i].application_id) for i in indexes]
        return await loaders.counts().load_many(collections)

    return await load_by_group([application.organization_id for application in applications], load)


async def create_application(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Application:
    """Register an application. The first one of an organization becomes its default."""
    tenant = context.viewer.tenant(organization_id)
    await require_organization(context, organization_id)
    name = require_application_id(application_id, organization_id)
    settings = {
        "name": require_name(values.get("name"), "name"),
        "description": check_value(values.get("description") or "", "description"),
        "status": check_value(values.get("status") or "active", "status"),
        "collections": ["devices", "config"],
        "registeredAt": utc_now(),
    }
    await _register(tenant, name, settings)
    await tenant.documents.create_collections([Device.collection_of(name), ConfigEntry.collection_of(name)])
    return Application(settings, organization_id, name)


async def _register(tenant: Tenant, name: str, settings: Document) -> None:
    """Add an entry; raises `Conflict` if there is one."""
    change = Change(set={settings_path(name): settings}, add={AVAILABLE: name})
    absent = Exists(settings_path(name), present=False)
    first = replace(change, set={**change.set, DEFAULT: name})
    where: list[Condition] = [IS_ENTRY, absent]
    # As the default if there is none; else beside the others; else as the first of a new document.
    updated = await tenant.documents.update(CONFIG, [*where, equals(DEFAULT, None)], first)
    if updated is None:
        updated = await tenant.documents.update(CONFIG, where, change)
    if updated is None:
        document = {"_id": ObjectId(), "key": APPLICATIONS_KEY, "value": EMPTY_VALUE}
        is_new = [equals("_id", document["_id"])]
        updated = await tenant.documents.update(CONFIG, is_new, first, insert=document)
    if updated is None:  # another client has created the document meanwhile, or the id is registered
        updated = await tenant.documents.update(CONFIG, where, change)
    if updated is None:
        raise Conflict("Application already exists", fields=["applicationId"])


async def update_application(
    context: Context,
    organization_id: str,
    application_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Application:
    """Change the given settings; the others keep their values."""
    tenant = context.viewer.tenant(organization_id)
    application = await require_application(context, organization_id, application_id)
    path = settings_path(application.application_id)
    change = Change(
        set={(*path, name): check_value(value, name) for name, value in values.items()},
        touch=Touch((*path, "updatedAt")),
    )
    unchanged = match_updated_at(if_updated_at, (*path, "updatedAt"))
    where: list[Condition] = [IS_ENTRY, Exists(path), *unchanged]
    if await tenant.documents.update(CONFIG, where, change) is None:
        await _raise_changed(context, application)
    context.viewer.discard_loaded()
    return await require_application(context, organization_id, application_id)


async def delete_application(
    context: Context, organization_id: str, application_id: str, if_updated_at: datetime | None
) -> Application:
    """Remove an application and everything that belongs to it.

    Its data goes first and its entry last: a deletion that was interrupted is finished by repeating it.
    """
    tenant = context.viewer.tenant(organization_id)
    application = await require_application(context, organization_id, application_id)
    name = application.application_id
    if if_updated_at is not None and application.updated_at != if_updated_at:
        await _raise_changed(context, application)
    entities = entities_of_application()
    own = [entity.collection_of(name) for entity in entities if not entity.shares_collection]
    await tenant.documents.drop_collections(own)
    for entity in entities:
        if entity.shares_collection:
            await tenant.documents.delete(entity.collection_of(), entity.conditions(name))
    await _unregister(tenant, name)
    return application


async def _unregister(tenant: Tenant, name: str) -> None:
    change = Change(unset=[settings_path(name)], pull={AVAILABLE: name})
    where: list[Condition] = [IS_ENTRY, Exists(settings_path(name))]
    updated = await tenant.documents.update(CONFIG, where, change)
    if updated is not None and updated["value"].get("defaultApplication") == name:
        others = [a for a in updated["value"].get("availableApplications") or [] if a != name]
        others += [a for a in updated["value"].get("applicationSettings") or {} if a not in others]
        following = Change(set={DEFAULT: others[0] if others else None})
        await tenant.documents.update(CONFIG, [IS_ENTRY, equals(DEFAULT, name)], following)


async def _raise_changed(context: Context, application: Application) -> NoReturn:
    context.viewer.discard_loaded()
    current = await require_application(context, application.organization_id, application.application_id)
    raise Conflict("the application was changed by another client", fields=["ifUpdatedAt"], current=current)
