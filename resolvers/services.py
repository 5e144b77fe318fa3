"""Services of the default database; their secrets go in, and come out only as masks."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.casting import cast_bool, cast_string, drop_empty_objects
from resolvers.rules.checks import check_object, reject_masks
from resolvers.rules.ids import parse_object_id
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import Change, Condition, Document, Order, Query, Touch, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict, NotFound
from stores.entities.collections import SERVICES
from stores.entities.secrets import restore_secrets
from stores.entities.services import TYPES, Service

NEWEST_FIRST = Order(("updatedAt",), descending=True)


async def list_services(
    context: Context, service_type: str | None = None, enabled: bool | None = None
) -> list[Service]:
    """The services, the one changed last first."""
    loader = context.viewer.shared_tenant().loaders.pages(SERVICES)
    services = [Service(each) for each in await loader.load(Query(order=NEWEST_FIRST))]
    return [s for s in services if service_type in (None, s.type) and enabled in (None, s.enabled)]


async def get_service(context: Context, document_id: str | None, name: str | None) -> Service | None:
    if (document_id is None) == (name is None):
        raise BadUserInput("give either documentId or name", fields=["documentId", "name"])
    where = _by_id(document_id) if document_id is not None else equals("name", name)
    found = await context.viewer.shared_tenant().loaders.pages(SERVICES).load(Query(where=(where,), limit=1))
    return Service(found[0]) if found else None


async def create_service(context: Context, values: dict[str, Any]) -> Service:
    given = _cast(values)
    missing = [name for name in ("name", "type", "configuration") if not given.get(name)]
    if missing:
        raise BadUserInput(
            "Missing required fields: name, type, and configuration are required", fields=missing
        )
    reject_masks(given["configuration"], "configuration")
    time = utc_now()
    kept: Document = {
        "_id": ObjectId(),
        "name": given["name"],
        "type": given["type"],
        "enabled": given.get("enabled", True),
        "configuration": context.cipher.encrypt(drop_empty_objects(given["configuration"])),
        "createdAt": time,
        "updatedAt": time,
        "__v": 0,
    }
    try:
        await context.viewer.shared_tenant().documents.insert(SERVICES, kept)
    except Conflict:
        raise _taken() from None
    return Service(kept)


async def update_service(
    context: Context, document_id: str, values: dict[str, Any], if_updated_at: datetime | None
) -> Service:
    """Set the fields given. `configuration` is replaced whole; a mask in it keeps the secret in its place."""
    given = _cast(values)
    where = [_by_id(document_id)]
    tenant = context.viewer.shared_tenant()
    if "configuration" in given:
        stored = await tenant.documents.find(SERVICES, Query(where=tuple(where), limit=1))
        if not stored:
            raise NotFound("Service not found")
        whole = restore_secrets(
            context.cipher.encrypt(given["configuration"]), stored[0].get("configuration")
        )
        reject_masks(whole, "configuration")
        given["configuration"] = drop_empty_objects(whole)
    change = Change(set={(k,): v for k, v in given.items()}, touch=Touch(("updatedAt",)))
    try:
        kept = await update_one(tenant, SERVICES, where, change, what="Service", if_updated_at=if_updated_at)
    except Conflict as error:
        raise _taken() if "name" in error.extensions.get("fields", ()) else error from None
    return Service(kept)


async def delete_service(context: Context, document_id: str, if_updated_at: datetime | None) -> Service:
    where = [_by_id(document_id)]
    tenant = context.viewer.shared_tenant()
    return Service(await delete_one(tenant, SERVICES, where, what="Service", if_updated_at=if_updated_at))


def _taken() -> Conflict:
    return Conflict("A service with this name already exists", fields=["name"])


def _by_id(document_id: str) -> Condition:
    return equals("_id", parse_object_id(document_id, "documentId", "Invalid service ID format"))


def _cast(values: dict[str, Any]) -> Document:
    given = check_object(values)
    kept: Document = {}
    if "name" in given:
        kept["name"] = cast_string(given["name"], "name", required=True)
    if "type" in given:
        kept["type"] = cast_string(given["type"], "type", required=True)
        if kept["type"] not in TYPES:
            raise BadUserInput(f"type must be one of {', '.join(TYPES)}", fields=["type"])
    if "enabled" in given:
        kept["enabled"] = cast_bool(given["enabled"], "enabled")
    if "configuration" in given:
        if given["configuration"] is None:
            raise BadUserInput("configuration is required", fields=["configuration"])
        kept["configuration"] = given["configuration"]
    return kept
