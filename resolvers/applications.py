"""Applications: entries of one document, so that each change of one is one atomic update of that document."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_value, find_zone, require_application_id, require_name
from resolvers.rules.repository import match_updated_at
from resolvers.rules.shift_plans import make_shift_documents
from resolvers.scopes import (
    is_registered,
    require_all_applications,
    require_application,
    require_organization,
)
from stores.contracts.documents import (
    Change,
    Condition,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Exists,
    Touch,
    UpdateOne,
    Write,
    equals,
    utc_now,
)
from stores.contracts.errors import Conflict
from stores.contracts.records import read_strings
from stores.entities.applications import SHIFT_PLAN, Application, make_settings_path
from stores.entities.configuration import ConfigEntry
from stores.entities.devices import Device
from stores.entities.organizations import APPLICATIONS_KEY, Organization
from stores.entities.registry import list_entities_of_application
from stores.entities.shift_plans import Shift

CONFIG = Application.collection_of()
IS_ENTRY = equals("key", APPLICATIONS_KEY)
AVAILABLE = ("value", "availableApplications")
DEFAULT = ("value", "defaultApplication")
MAX_DEFAULT_CANDIDATES = 10  # others may be deleted at the same time, but hardly all of so many
EMPTY_VALUE: Document = {"availableApplications": [], "defaultApplication": None, "applicationSettings": {}}


async def count_devices(context: Context, applications: Sequence[Application]) -> list[int | Exception]:
    """For each application the number of its devices, in one call."""
    viewer = context.viewer
    collections = [
        (
            viewer.tenant(application.organization_id).documents.database,
            Device.collection_of(application.application_id),
        )
        for application in applications
    ]
    return await viewer.across.counts().load_many(collections)


async def create_application(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Application:
    """Register an application. The first one of an organization becomes its default."""
    tenant = context.viewer.tenant(organization_id)
    require_all_applications(context, organization_id)
    await require_organization(context, organization_id)
    name = require_application_id(application_id, organization_id)
    settings = {
        "name": require_name(values.get("name"), "name"),
        "description": check_value(values.get("description") or "", "description"),
        "status": check_value(values.get("status") or "active", "status"),
        "collections": ["devices", "config"],
        "registeredAt": utc_now(),
    }
    if values.get("timeZone") is not None:
        settings["timeZone"] = _check_zone(values["timeZone"])
    change = Change(set={make_settings_path(name): settings}, add={AVAILABLE: name})
    is_new: list[Condition] = [IS_ENTRY, Exists(make_settings_path(name), present=False)]
    document: Document = {"_id": ObjectId(), "key": APPLICATIONS_KEY, "value": EMPTY_VALUE}
    writes: list[Write] = [
        UpdateOne(CONFIG, is_new, change, insert=document),
        UpdateOne(CONFIG, [IS_ENTRY, equals(DEFAULT, None)], Change(set={DEFAULT: name})),
        CreateCollections([Device.collection_of(name), ConfigEntry.collection_of(name)]),
    ]
    stored = await tenant.documents.write_all(writes, idempotency=context.idempotency, result=settings)
    if stored is None:
        raise Conflict("Application already exists", fields=["applicationId"])
    return Application(stored, organization_id, name)


async def update_application(
    context: Context,
    organization_id: str,
    application_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Application:
    """Change the given settings; the others keep their values."""
    if values.get("timeZone") is not None:
        _check_zone(values["timeZone"])
    path = make_settings_path(application_id)
    change = Change(
        set={(*path, name): check_value(value, name) for name, value in values.items()},
        touch=Touch((*path, "updatedAt")),
    )
    unchanged = match_updated_at(if_updated_at, (*path, "updatedAt"))
    return await _change_settings(context, organization_id, application_id, change, unchanged)


async def set_shift_plan(
    context: Context,
    organization_id: str,
    application_id: str,
    shifts: Sequence[Shift],
    if_updated_at: datetime | None,
) -> Application:
    """Replace the shift plan of an application, or remove it if there are no shifts.

    The plan has an `updatedAt` of its own: old routes show that of the application, and know no plans.
    """
    path = make_settings_path(application_id, SHIFT_PLAN)
    documents = make_shift_documents(shifts)
    change = Change(set={(*path, "shifts"): documents}, touch=Touch((*path, "updatedAt")))
    unchanged = match_updated_at(if_updated_at, (*path, "updatedAt"))
    return await _change_settings(
        context, organization_id, application_id, change if documents else Change(unset=[path]), unchanged
    )


async def _change_settings(
    context: Context,
    organization_id: str,
    application_id: str,
    change: Change,
    unchanged: Sequence[Condition],
) -> Application:
    """Change the settings of an application that meets the conditions. Raises `NotFound` and `Conflict`."""
    tenant = context.viewer.tenant(organization_id)
    require_all_applications(context, organization_id)
    application = await require_application(context, organization_id, application_id)
    where: list[Condition] = [*is_registered(application_id), *unchanged]
    if await tenant.documents.update(CONFIG, where, change) is None:
        await _raise_changed(context, application)
    context.viewer.discard_loaded()
    return await require_application(context, organization_id, application_id)


def _check_zone(name: str) -> str:
    """Return the name of a time zone. Raises `BadUserInput` if it is none."""
    find_zone(name)
    return name


async def delete_application(
    context: Context, organization_id: str, application_id: str, if_updated_at: datetime | None
) -> Application:
    """Remove an application and everything that belongs to it: all of it, or nothing."""
    tenant = context.viewer.tenant(organization_id)
    require_all_applications(context, organization_id)
    organization = await require_organization(context, organization_id)
    application = await require_application(context, organization_id, application_id)
    path = make_settings_path(application_id)
    unchanged = match_updated_at(if_updated_at, (*path, "updatedAt"))
    entities = list_entities_of_application()
    own = [entity.collection_of(application_id) for entity in entities if not entity.shares_collection]
    shared = [entity for entity in entities if entity.shares_collection]
    writes: list[Write] = [
        UpdateOne(
            CONFIG,
            [*is_registered(application_id), *unchanged],
            Change(unset=[path], pull={AVAILABLE: application_id}),
        ),
        DropCollections(own),
        *(DeleteMany(entity.collection_of(), entity.conditions(application_id)) for entity in shared),
        *_replace_default(organization, application_id),
    ]
    if await tenant.documents.write_all(writes) is None:
        await _raise_changed(context, application)
    return application


def _replace_default(organization: Organization, application_id: str) -> list[Write]:
    """Make another application the default instead of this one: the first one that still exists."""
    is_default = [IS_ENTRY, equals(DEFAULT, application_id)]
    available = read_strings(organization.applications_value.get("availableApplications"))
    others = [
        other for other in dict.fromkeys([*available, *organization.settings]) if other != application_id
    ]
    candidates: list[Write] = [
        UpdateOne(CONFIG, [*is_default, *is_registered(other)], Change(set={DEFAULT: other}))
        for other in others[:MAX_DEFAULT_CANDIDATES]
    ]
    return [*candidates, UpdateOne(CONFIG, is_default, Change(set={DEFAULT: None}))]


async def _raise_changed(context: Context, application: Application) -> NoReturn:
    context.viewer.discard_loaded()
    current = await require_application(context, application.organization_id, application.application_id)
    raise Conflict("The application was changed by another client.", fields=["ifUpdatedAt"], current=current)
