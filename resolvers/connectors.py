"""Connectors of an organization, which are templates, and of its applications."""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from loaders.batching import gather_settled
from resolvers.context import Context
from resolvers.device_lists import DeviceConditions, Listing, list_devices, list_organization_devices
from resolvers.devices import Keys
from resolvers.rules.checks import check_object, require_name
from resolvers.rules.masks import reject_masks, update_with_secrets
from resolvers.rules.paging import Page
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository, require_organization
from stores.contracts.documents import Document, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import read_scopes
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.secrets import has_mask

SERVER_KEYS = ("_id", "organizationId", "applicationId", "createdAt", "updatedAt", "__v")
DEVICES_PER_SLICE = 500  # whose names of connectors are read before other requests get a turn


async def list_connectors(
    context: Context, organization_id: str, application_id: str | None
) -> list[Connector]:
    """The connectors of one application or, without one, the templates of the organization."""
    entity = _find_entity(application_id)
    return await Repository(context, entity, organization_id, application_id).list_all()


async def get_connector(
    context: Context, organization_id: str, application_id: str | None, document_id: str
) -> Connector | None:
    """A connector of an application or, without `application_id`, of the organization."""
    connectors = Repository(context, _find_entity(application_id), organization_id, application_id)
    condition = await connectors.match_id(document_id)
    return await connectors.get(condition)


async def load_connectors_of_devices(
    context: Context, devices: Sequence[Device]
) -> list[list[Connector] | Exception]:
    """For each device the connectors that it names, in its order.

    A connector of the application hides a template of the same name.

    Both lists are short and shared by all devices, so that they are read whole and once. If that fails, each
    device of the application gets the exception.
    """
    requests: list[tuple[str | None, ...]] = []
    for start in range(0, len(devices), DEVICES_PER_SLICE):
        if start:
            await context.turn.pause()
        some = devices[start : start + DEVICES_PER_SLICE]
        names_of = Device.connector_names.of(some)
        requests += [(*scope, *names) for scope, names in zip(read_scopes(some), names_of, strict=True)]
    # Most devices of an application name the same connectors: they share one list.
    distinct = dict.fromkeys(requests)
    scopes = {request[:2] for request in distinct if len(request) > 2}
    connectors = await gather_settled(_load_connectors_by_name(context, *scope) for scope in scopes)
    by_scope = dict(zip(scopes, connectors, strict=True))
    lists: dict[Any, list[Connector] | Exception] = {}
    for request in distinct:
        by_name = by_scope.get(request[:2], {})
        if isinstance(by_name, Exception):
            lists[request] = by_name
        else:
            lists[request] = [by_name[name] for name in dict.fromkeys(request[2:]) if name in by_name]
    return [lists[request] for request in requests]


async def _load_connectors_by_name(
    context: Context, organization_id: str | None, application_id: str | None
) -> dict[str, Connector]:
    """The connectors that the devices of an application may name."""
    if organization_id is None:
        return {}
    scopes = (None, application_id) if application_id is not None else (None,)
    lists = await gather(*(list_connectors(context, organization_id, scope) for scope in scopes))
    return {connector.name: connector for connectors in lists for connector in reversed(connectors)}


async def list_devices_of_connector(
    context: Context, connector: Connector, first: int | None, after: str | None, keys: Keys
) -> Page[Device]:
    """The devices that name a connector: in its application or, for a template, in all applications."""
    assert connector.organization_id is not None
    listing = Listing(first, after, DeviceConditions(connector=connector.name), keys=keys)
    if connector.application_id is not None:
        return await list_devices(context, connector.organization_id, connector.application_id, listing)
    organization = await require_organization(context, connector.organization_id)
    return await list_organization_devices(context, organization, listing)


async def create_connector(
    context: Context, organization_id: str, application_id: str | None, values: dict[str, Any]
) -> Connector:
    """Create a connector. A mask among its properties stands for the secret of a template of its driver."""
    connectors = await open_repository(context, _find_entity(application_id), organization_id, application_id)
    fields = _check(values)
    fields["name"], fields["driver"] = (require_name(fields.get(name), name) for name in ("name", "driver"))
    time = utc_now()
    if application_id is None:
        document = {"_id": ObjectId(), **fields, "organizationId": organization_id}
        if values.get("applicationId") == "":  # by which old clients mark templates
            document["applicationId"] = ""
    else:
        document = {
            "_id": ObjectId(),
            "name": fields["name"],
            "driver": fields["driver"],
            "description": fields.get("description") or "",
            "properties": fields.get("properties") or {},
            "collections": fields.get("collections") or {},
            "organizationId": organization_id,
            "applicationId": application_id,
        }
    document = await _fill_masks(context, organization_id, document)
    document |= {"createdAt": time, "updatedAt": time}
    taken = Conflict("Connector with this name already exists", fields=["name"])
    return await connectors.insert(document, conflict=taken)


async def update_connector(
    context: Context,
    organization_id: str,
    application_id: str | None,
    document_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Connector:
    """Set the given fields, each as a whole; a mask among the properties keeps the secret at its path."""
    connectors = await open_repository(context, _find_entity(application_id), organization_id, application_id)
    fields = _check(values)
    condition = await connectors.match_id(document_id)
    for name in ("name", "driver"):
        if name in fields:
            require_name(fields[name], name)
    fields["organizationId"] = organization_id
    return await update_with_secrets(context, connectors, condition, fields, if_updated_at=if_updated_at)


async def delete_connector(
    context: Context,
    organization_id: str,
    application_id: str | None,
    document_id: str,
    if_updated_at: datetime | None,
) -> Connector:
    """Delete a connector and return it as it was. Raises `NotFound` and `Conflict`."""
    connectors = await open_repository(context, _find_entity(application_id), organization_id, application_id)
    condition = await connectors.match_id(document_id)
    return await connectors.delete([condition], if_updated_at=if_updated_at)


async def _fill_masks(context: Context, organization_id: str, document: Document) -> Document:
    """The encrypted document; each mask is replaced by what the templates of its driver have at its path."""
    encrypted = context.cipher.encrypt(document)
    if not has_mask(encrypted):
        return encrypted
    templates = Repository(context, ConnectorTemplate, organization_id)
    filled = [
        context.cipher.rules.restore(encrypted, template)
        for template in await templates.tenant.documents.find(templates.collection)
        if template.get("driver") == document["driver"]
    ]
    complete = [candidate for candidate in filled if not has_mask(candidate)]
    decrypted = [context.cipher.decrypt(candidate) for candidate in complete]
    if any(candidate != decrypted[0] for candidate in decrypted):
        raise BadUserInput(
            "properties contain a mask that could stand for the secrets of several templates; send the secret"
            " itself.",
            fields=["properties"],
        )
    return reject_masks(complete[0] if complete else encrypted)


def _find_entity(application_id: str | None) -> type[Connector]:
    return ConnectorTemplate if application_id is None else Connector


def _check(values: dict[str, Any]) -> Document:
    """What a client may set."""
    fields = {key: value for key, value in check_object(values).items() if key not in SERVER_KEYS}
    for name in ("name", "driver"):
        if not isinstance(fields.get(name), str | None):
            raise BadUserInput(f"{name} must be a string.", fields=[name])
    return fields
