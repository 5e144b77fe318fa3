"""Global ids: from a record to its id, and back from an id to the record."""

from typing import Any

from resolvers.applications import get_application
from resolvers.connectors import collection_of as connectors_in
from resolvers.context import Context
from resolvers.devices import collection_of as devices_in
from resolvers.event_classes import get_event_class
from resolvers.functions import get_function
from resolvers.gateways import get_gateway
from resolvers.organizations import get_organization
from resolvers.rules.ids import decode_global_id, encode_global_id
from resolvers.users import get_user
from stores.contracts.documents import Collection, Query, equals
from stores.contracts.errors import BadUserInput
from stores.contracts.records import Record
from stores.entities.collections import SERVICES
from stores.entities.connectors import Connector
from stores.entities.devices import Device
from stores.entities.icons import Icon
from stores.entities.services import Service


def identify(record: Record | Icon) -> str:
    """The global id of a record: its kind, its tenant, its application and its own key."""
    kind = type(record).__name__
    if isinstance(record, Icon):
        return encode_global_id(kind, record.category, record.name)
    place = (record.organization_id, record.application_id)
    if kind in ("Organization", "Application"):
        return encode_global_id(kind, *(key for key in place if key is not None))
    return encode_global_id(kind, *place, record.document.get("_id"))


async def get_node(context: Context, node_id: str) -> Record | Icon | None:
    """The record of a global id, or None: unknown, malformed and foreign ids are all alike."""
    parsed = decode_global_id(node_id)
    if parsed is None:
        return None
    kind, keys = parsed
    if not all(isinstance(key, str | None) for key in keys[:2]):
        return None
    try:
        return await _get(context, kind, keys)
    except BadUserInput:
        return None


async def _get(context: Context, kind: str, keys: list[Any]) -> Record | Icon | None:
    match kind, keys:
        case "Organization", [str(organization)]:
            return await get_organization(context, organization)
        case "Application", [str(organization), str(application)]:
            return await get_application(context, organization, application)
        case "User", [str(organization), None, key]:
            return await get_user(context, organization, key)
        case "Gateway", [str(organization), None, key]:
            return await get_gateway(context, organization, key)
        case "EventClass", [str(organization), str(application), key]:
            return await get_event_class(context, organization, application, key)
        case "Function", [str(organization), str(application), key]:
            return await get_function(context, organization, application, key)
        case (("Device" | "Connector" | "Service"), [_, _, _]):
            return await _document(context, kind, *keys)
    return None


async def _document(
    context: Context, kind: str, organization: str | None, application: str | None, key: Any
) -> Record | None:
    record: Record
    collection: Collection
    match kind:
        case "Device":
            record = Device({}, organization, application)
            collection = devices_in(record)
        case "Connector" if organization is not None:
            record = Connector({}, organization, application)
            collection = connectors_in(application)
        case "Service" if organization is None:
            record, collection = Service({}), SERVICES
        case _:
            return None
    viewer = context.viewer
    tenant = viewer.shared_tenant() if organization is None else viewer.tenant(organization)
    found = await tenant.loaders.pages(collection).load(Query(where=(equals("_id", key),), limit=1))
    record.document = found[0] if found else {}
    return record if found else None
