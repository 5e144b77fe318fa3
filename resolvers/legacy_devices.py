"""Legacy devices: those of the default database, cast and checked as the old system's schema layer did."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.casting import cast_list, cast_string, cast_strings, drop_empty_objects
from resolvers.rules.checks import check_object
from resolvers.rules.repository import Repository
from stores.contracts.documents import Change, Document, OneOf, Touch, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import read_time
from stores.contracts.values import list_forms
from stores.entities.devices import Device, LegacyDevice

STRINGS = ("machineId", "name", "applicationId", "organizationId")
Keys = frozenset[str] | None


async def get_legacy_device(context: Context, machine_id: str, keys: Keys = None) -> Device | None:
    """A legacy device by its machine id; `keys` are the stored keys to read, None for all."""
    devices = Repository(context, LegacyDevice)
    documents = await devices.tenant.loaders.by_field(devices.collection, ("machineId",), keys).load(
        machine_id
    )
    return devices.record(documents[0]) if documents else None


async def create_legacy_device(context: Context, values: dict[str, Any]) -> Device:
    """Create a legacy device. Raises `Conflict` if its machine id is taken."""
    fields = _cast(values)
    cast_string(fields.get("machineId"), "machineId", required=True)
    created_at = read_time(values.get("createdAt")) or utc_now()
    document: Document = {
        "_id": ObjectId(),
        "connectors": [],
        "events": [],
        **fields,
        "createdAt": created_at,
        "updatedAt": created_at,
        "__v": 0,
    }
    if document.get("properties") is None:
        document.pop("properties", None)
    taken = Conflict("Machine ID already exists!", fields=["machineId"])
    return await Repository(context, LegacyDevice).insert(document, conflict=taken)


async def update_legacy_device(
    context: Context, machine_id: str, values: dict[str, Any], if_updated_at: datetime | None
) -> Device:
    """Set the known fields that are given; others are dropped, as the schema layer did."""
    fields = _cast(values)
    removed = [("properties",)] if "properties" in fields and fields["properties"] is None else []
    change = Change(
        set={(name,): value for name, value in fields.items() if (name,) not in removed},
        unset=removed,
        touch=Touch(("updatedAt",)),
    )
    return await Repository(context, LegacyDevice).update(
        [OneOf(("machineId",), list_forms(machine_id))], change, if_updated_at=if_updated_at
    )


async def delete_legacy_device(context: Context, machine_id: str, if_updated_at: datetime | None) -> Device:
    """Delete a legacy device and return it as it was. Raises `NotFound` and `Conflict`."""
    return await Repository(context, LegacyDevice).delete(
        [OneOf(("machineId",), list_forms(machine_id))], if_updated_at=if_updated_at
    )


def _cast(values: dict[str, Any]) -> Document:
    """The known fields that are given, cast to their types; `properties` is None if nothing of it remains."""
    values = check_object(values)
    fields: Document = {}
    for name in STRINGS:
        if name in values:
            fields[name] = cast_string(values[name], name, required=name == "machineId")
    if "connectors" in values:
        fields["connectors"] = cast_strings(_require_value(values, "connectors"), "connectors")
    if "properties" in values:
        fields["properties"] = drop_empty_objects(_require_value(values, "properties"))
    if "events" in values:
        items = cast_list(_require_value(values, "events"))
        fields["events"] = [_cast_event(item, f"events.{i}") for i, item in enumerate(items)]
    return fields


def _cast_event(item: Any, path: str) -> Document:
    if not isinstance(item, dict):
        raise BadUserInput(f"{path} must be an object.", fields=[path])
    names = [name for name in ("id", "label", "class") if name in item or name != "label"]
    return {name: cast_string(item.get(name), f"{path}.{name}", required=name != "label") for name in names}


def _require_value(values: Document, name: str) -> Any:
    if values[name] is None:
        raise BadUserInput(f"{name} must not be null.", fields=[name])
    return values[name]
