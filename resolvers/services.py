"""Services of the default database. Their secrets are stored encrypted and returned only as masks."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.casting import cast_bool, cast_string, drop_empty_objects
from resolvers.rules.checks import check_object
from resolvers.rules.masks import reject_masks, update_with_secrets
from resolvers.rules.repository import Repository
from stores.contracts.documents import Document, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.services import TYPES, Service


async def list_services(
    context: Context, service_type: str | None = None, enabled: bool | None = None
) -> list[Service]:
    """The services of a type (None: of all) that are enabled or not, the one changed last first."""
    services = await Repository(context, Service).list_all()
    return [s for s in services if service_type in (None, s.type) and enabled in (None, s.enabled)]


async def get_service(context: Context, document_id: str | None, name: str | None) -> Service | None:
    """The service with a document id or with a name, or None."""
    if (document_id is None) == (name is None):
        raise BadUserInput("Give either documentId or name.", fields=["documentId", "name"])
    services = Repository(context, Service)
    if document_id is None:
        return await services.get(equals("name", name))
    condition = await services.match_id(document_id)
    return await services.get(condition)


async def create_service(context: Context, values: dict[str, Any]) -> Service:
    """Create a service. Raises `Conflict` if there is one with its name."""
    fields = _cast(values)
    # An empty object or list is a configuration, as it is truthy in JavaScript.
    missing = [name for name in ("name", "type", "configuration") if fields.get(name) in (None, "", 0)]
    if missing:
        raise BadUserInput(
            "Missing required fields: name, type, and configuration are required", fields=missing
        )
    reject_masks(fields)
    time = utc_now()
    document: Document = {
        "_id": ObjectId(),
        "name": fields["name"],
        "type": fields["type"],
        "enabled": fields.get("enabled", True),
        "configuration": drop_empty_objects(fields["configuration"]),
        "createdAt": time,
        "updatedAt": time,
        "__v": 0,
    }
    if document["configuration"] is None:
        del document["configuration"]
    return await Repository(context, Service).insert(
        context.cipher.encrypt(document), conflict=_make_conflict()
    )


async def update_service(
    context: Context, document_id: str, values: dict[str, Any], if_updated_at: datetime | None
) -> Service:
    """Set the given fields. `configuration` is replaced whole; a mask in it keeps the secret at its path."""
    fields = _cast(values)
    services = Repository(context, Service)
    condition = await services.match_id(document_id)
    removed: list[str] = []
    if "configuration" in fields:
        fields["configuration"] = drop_empty_objects(fields["configuration"])
        if fields["configuration"] is None:
            del fields["configuration"]
            removed.append("configuration")
    return await update_with_secrets(
        context,
        services,
        condition,
        fields,
        removed=removed,
        if_updated_at=if_updated_at,
        conflict=_make_conflict(),
    )


async def delete_service(context: Context, document_id: str, if_updated_at: datetime | None) -> Service:
    """Delete a service and return it as it was. Raises `NotFound` and `Conflict`."""
    services = Repository(context, Service)
    condition = await services.match_id(document_id)
    return await services.delete([condition], if_updated_at=if_updated_at)


def _make_conflict() -> Conflict:
    return Conflict("A service with this name already exists", fields=["name"])


def _cast(values: dict[str, Any]) -> Document:
    """The known fields that are given, cast to their types."""
    values = check_object(values)
    fields: Document = {}
    if "name" in values:
        fields["name"] = cast_string(values["name"], "name", required=True)
    if "type" in values:
        fields["type"] = cast_string(values["type"], "type", required=True)
        if fields["type"] not in TYPES:
            raise BadUserInput(f"type must be one of {', '.join(TYPES)}.", fields=["type"])
    if "enabled" in values:
        fields["enabled"] = cast_bool(values["enabled"], "enabled")
    if "configuration" in values:
        if values["configuration"] is None:
            raise BadUserInput("configuration is required.", fields=["configuration"])
        fields["configuration"] = values["configuration"]
    return fields
