"""Connectors of an organization, which are templates, and of its applications."""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from loaders.batching import gather_settled
from resolvers.applications import require_application
from resolvers.context import Context, Tenant
from resolvers.devices import DeviceFilter, Keys, Listing, list_devices, list_organization_devices
from resolvers.organizations import require_organization
from resolvers.rules.checks import check_object, reject_masks, require_name
from resolvers.rules.ids import parse_object_id
from resolvers.rules.paging import Page
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import (
    ALL,
    Change,
    Collection,
    Condition,
    Document,
    Query,
    Touch,
    equals,
    utc_now,
)
from stores.contracts.errors import BadUserInput, Conflict, NotFound
from stores.entities.collections import CONNECTORS
from stores.entities.collections import connectors as connectors_of
from stores.entities.connectors import Connector
from stores.entities.devices import Device
from stores.entities.secrets import MASK, restore_secrets

OWN = ("_id", "organizationId", "applicationId", "createdAt", "updatedAt", "__v")


def collection_of(application_id: str | None) -> Collection:
    return CONNECTORS if application_id is None else connectors_of(application_id)


async def list_connectors(
    context: Context, organization_id: str, application_id: str | None
) -> list[Connector]:
    """The connectors of one application or, without one, the organization's own."""
    loaders = context.viewer.tenant(organization_id).loaders
    found = await loaders.pages(collection_of(application_id)).load(ALL)
    return [Connector(each, organization_id, application_id) for each in found]


async def get_connector(
    context: Context, organization_id: str, application_id: str | None, document_id: str
) -> Connector | None:
    loaders = context.viewer.tenant(organization_id).loaders
    query = Query(where=(_by_id(document_id),), limit=1)
    found = await loaders.pages(collection_of(application_id)).load(query)
    return Connector(found[0], organization_id, application_id) if found else None


async def connectors_of_devices(
    context: Context, devices: Sequence[Device]
) -> list[list[Connector] | Exception]:
    """By device the connectors that it names, in its order: the application's first, then the organization's.

    Both lists are short and shared by all devices, so that they are read whole and once; where that fails,
    the exception stands for each device of the application.
    """
    named = [
        (each.organization_id, each.application_id, *names)
        for each, names in zip(devices, Device.connector_names.of(devices), strict=True)
    ]
    # Most devices of an application name the same connectors: they share one list.
    different = dict.fromkeys(named)
    scopes = {each[:2] for each in different if len(each) > 2}
    known = dict(zip(scopes, await gather_settled(_known(context, *scope) for scope in scopes), strict=True))
    lists: dict[Any, list[Connector] | Exception] = {}
    for each in different:
        of_scope = known.get(each[:2], {})
        if isinstance(of_scope, Exception):
            lists[each] = of_scope
        else:
            lists[each] = [of_scope[name] for name in dict.fromkeys(each[2:]) if name in of_scope]
    return [lists[each] for each in named]


async def _known(
    context: Context, organization_id: str | None, application_id: str | None
) -> dict[str, Connector]:
    """The connectors that an application's devices may name, by name."""
    if organization_id is None:
        return {}
    scopes = (None, application_id) if application_id is not None else (None,)
    lists = await gather(*(list_connectors(context, organization_id, scope) for scope in scopes))
    return {each.name: each for found in lists for each in reversed(found)}


async def devices_of_connector(
    context: Context, connector: Connector, first: int | None, after: str | None, keys: Keys
) -> Page[Device]:
    """The devices that name a connector: in its application or, for a template, in all of them."""
    assert connector.organization_id is not None
    listing = Listing(first, after, DeviceFilter(connector=connector.name), keys=keys)
    if connector.application_id is not None:
        return await list_devices(context, connector.organization_id, connector.application_id, listing)
    organization = await require_organization(context, connector.organization_id)
    return await list_organization_devices(context, organization, listing)


async def create_connector(
    context: Context, organization_id: str, application_id: str | None, values: dict[str, Any]
) -> Connector:
    """Keep a new connector. A mask among its properties stands for the secret of a template of its driver."""
    tenant = await _writable(context, organization_id, application_id)
    given = _given(values)
    given["name"], given["driver"] = (require_name(given.get(name), name) for name in ("name", "driver"))
    time = utc_now()
    if application_id is None:
        kept = {"_id": ObjectId(), **given, "organizationId": organization_id}
    else:
        kept = {
            "_id": ObjectId(),
            "name": given["name"],
            "driver": given["driver"],
            "description": given.get("description") or "",
            "properties": given.get("properties") or {},
            "collections": given.get("collections") or {},
            "organizationId": organization_id,
            "applicationId": application_id,
        }
    kept["properties"] = await _with_secrets(context, tenant, kept)
    if kept["properties"] is None:
        del kept["properties"]
    kept |= {"createdAt": time, "updatedAt": time}
    try:
        await tenant.documents.insert(collection_of(application_id), kept)
    except Conflict:
        raise Conflict("Connector with this name already exists", fields=["name"]) from None
    return Connector(kept, organization_id, application_id)


async def update_connector(
    context: Context,
    organization_id: str,
    application_id: str | None,
    document_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Connector:
    """Set the fields given, whole; a mask among the properties keeps the secret in its place."""
    tenant = await _writable(context, organization_id, application_id)
    collection, where = collection_of(application_id), [_by_id(document_id)]
    given = _given(values)
    for name in ("name", "driver"):
        if name in given:
            require_name(given[name], name)
    if "properties" in given:
        stored = await tenant.documents.find(collection, Query(where=tuple(where), limit=1))
        if not stored:
            raise NotFound("Connector not found")
        sealed = context.cipher.encrypt(given["properties"])
        given["properties"] = reject_masks(restore_secrets(sealed, stored[0].get("properties")), "properties")
    given["organizationId"] = organization_id
    change = Change(set={(k,): v for k, v in given.items()}, touch=Touch(("updatedAt",)))
    kept = await update_one(tenant, collection, where, change, what="Connector", if_updated_at=if_updated_at)
    return Connector(kept, organization_id, application_id)


async def delete_connector(
    context: Context,
    organization_id: str,
    application_id: str | None,
    document_id: str,
    if_updated_at: datetime | None,
) -> Connector:
    tenant = await _writable(context, organization_id, application_id)
    kept = await delete_one(
        tenant,
        collection_of(application_id),
        [_by_id(document_id)],
        what="Connector",
        if_updated_at=if_updated_at,
    )
    return Connector(kept, organization_id, application_id)


async def _writable(context: Context, organization_id: str, application_id: str | None) -> Tenant:
    if application_id is None:
        await require_organization(context, organization_id)
    else:
        await require_application(context, organization_id, application_id)
    return context.viewer.tenant(organization_id)


async def _with_secrets(context: Context, tenant: Tenant, kept: Document) -> Any:
    """The properties, sealed, each mask replaced by what every template of this driver holds in its place."""
    properties = context.cipher.encrypt(kept.get("properties"))
    if not _has_mask(properties):
        return properties
    templates = await tenant.documents.find(CONNECTORS)
    filled = [
        restore_secrets(properties, template.get("properties"))
        for template in templates
        if template.get("driver") == kept["driver"]
    ]
    complete = [each for each in filled if not _has_mask(each)]
    opened = [context.cipher.decrypt(each) for each in complete]
    if any(each != opened[0] for each in opened):
        raise BadUserInput(
            "properties hold a mask that could stand for several templates' secrets; send the secret itself",
            fields=["properties"],
        )
    return reject_masks(complete[0] if complete else properties, "properties")


def _has_mask(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_has_mask, value)) if isinstance(value, list) else bool(value == MASK)


def _by_id(document_id: str) -> Condition:
    return equals("_id", parse_object_id(document_id, "documentId", "Invalid connector ID format"))


def _given(values: dict[str, Any]) -> Document:
    kept = {key: value for key, value in check_object(values).items() if key not in OWN}
    for name in ("name", "driver"):
        if not isinstance(kept.get(name), str | None):
            raise BadUserInput(f"{name} must be a text", fields=[name])
    return kept
