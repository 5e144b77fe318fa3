"""Applications: entries of one document, so that each change of one is one atomic update of that document."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson import ObjectId

from loaders.batching import load_by_group
from resolvers.context import Context
from resolvers.organizations import get_organization, require_organization
from resolvers.rules.checks import check_value, require_application_id, require_name
from resolvers.rules.writing import match_updated_at
from stores.contracts.documents import Change, Condition, Document, Exists, Touch, equals, utc_now
from stores.contracts.errors import Conflict, NotFound
from stores.entities.applications import Application, settings_path
from stores.entities.collections import CONFIG, EVENT_CLASSES, FUNCTIONS, configuration, connectors, devices
from stores.entities.organizations import APPLICATIONS

AVAILABLE = ("value", "availableApplications")
DEFAULT = ("value", "defaultApplication")
ENTRY = equals("key", APPLICATIONS)


async def get_application(context: Context, organization_id: str, application_id: str) -> Application | None:
    organization = await get_organization(context, organization_id)
    applications = organization.applications if organization else []
    return next((a for a in applications if a.application_id == application_id), None)


async def require_application(context: Context, organization_id: str, application_id: str) -> Application:
    await require_organization(context, organization_id)
    found = await get_application(context, organization_id, application_id)
    if found is None:
        raise NotFound("Application not found", fields=["applicationId"])
    return found


async def count_devices(context: Context, applications: Sequence[Application]) -> list[int | Exception]:
    """By application how many devices it has. One call for each organization."""

    async def load(places: list[int]) -> list[int]:
        loaders = context.viewer.tenant(applications[places[0]].organization_id).loaders
        return await loaders.counts().load_many([devices(applications[i].application_id) for i in places])

    return await load_by_group([each.organization_id for each in applications], load)


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
        "createdAt": utc_now(),
    }
    change = Change(set={settings_path(name): settings}, add={AVAILABLE: name})
    absent = Exists(settings_path(name), present=False)
    first = replace(change, set={**change.set, DEFAULT: name})
    where: list[Condition] = [ENTRY, absent]
    # As the default if there is none; else beside the others; else as the first of a new document.
    written = await tenant.documents.update(CONFIG, [*where, equals(DEFAULT, None)], first)
    if written is None:
        written = await tenant.documents.update(CONFIG, where, change)
    if written is None:
        fresh = {"_id": ObjectId(), "key": APPLICATIONS, "value": _EMPTY}
        written = await tenant.documents.update(CONFIG, [equals("_id", fresh["_id"])], first, insert=fresh)
    if written is None:  # another client made the document meanwhile, or the id is registered
        written = await tenant.documents.update(CONFIG, where, change)
    if written is None:
        raise Conflict("Application already exists", fields=["applicationId"])
    await tenant.documents.create_collections([devices(name), configuration(name)])
    return Application(settings, organization_id, name)


_EMPTY: Document = {"availableApplications": [], "defaultApplication": None, "applicationSettings": {}}


async def update_application(
    context: Context,
    organization_id: str,
    application_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Application:
    """Change the settings given; those that are not keep their values."""
    tenant = context.viewer.tenant(organization_id)
    known = await require_application(context, organization_id, application_id)
    path = settings_path(known.application_id)
    change = Change(
        set={(*path, name): check_value(value, name) for name, value in values.items()},
        touch=Touch((*path, "updatedAt")),
    )
    where: list[Condition] = [ENTRY, Exists(path), *match_updated_at(if_updated_at, (*path, "updatedAt"))]
    if await tenant.documents.update(CONFIG, where, change) is None:
        await _explain(context, known)
    context.viewer.discard_loaded()
    return await require_application(context, organization_id, application_id)


async def delete_application(
    context: Context, organization_id: str, application_id: str, if_updated_at: datetime | None
) -> Application:
    """Remove an application and everything in it.

    Its data goes first and its entry last: a deletion that was cut off is finished by repeating it.
    """
    tenant = context.viewer.tenant(organization_id)
    known = await require_application(context, organization_id, application_id)
    name = known.application_id
    if if_updated_at is not None and known.updated_at != if_updated_at:
        await _explain(context, known)
    await tenant.documents.drop_collections([devices(name), configuration(name), connectors(name)])
    for collection in (EVENT_CLASSES, FUNCTIONS):
        await tenant.documents.delete(collection, [equals("applicationId", name)])
    change = Change(unset=[settings_path(name)], pull={AVAILABLE: name})
    where: list[Condition] = [ENTRY, Exists(settings_path(name))]
    written = await tenant.documents.update(CONFIG, where, change)
    if written is not None and written["value"].get("defaultApplication") == name:
        others = [a for a in written["value"].get("availableApplications") or [] if a != name]
        others += [a for a in written["value"].get("applicationSettings") or {} if a not in others]
        following = Change(set={DEFAULT: others[0] if others else None})
        await tenant.documents.update(CONFIG, [ENTRY, equals(DEFAULT, name)], following)
    return known


async def _explain(context: Context, application: Application) -> None:
    context.viewer.discard_loaded()
    current = await require_application(context, application.organization_id, application.application_id)
    raise Conflict("the application has changed since", fields=["ifUpdatedAt"], current=current.document)
