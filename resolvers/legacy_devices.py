"""Legacy devices: those of the default database, cast and checked as its schema layer did."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.casting import cast_list, cast_string, cast_strings, drop_empty_objects
from resolvers.rules.checks import check_object
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import Change, Document, Touch, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import read_time
from stores.entities.collections import LEGACY_DEVICES
from stores.entities.devices import Device

TEXTS = ("machineId", "name", "applicationId", "organizationId")


async def create_legacy_device(context: Context, values: dict[str, Any]) -> Device:
    """Keep a new legacy device. Raises `Conflict` where its machine id is taken."""
    given = _cast(values)
    cast_string(given.get("machineId"), "machineId", required=True)
    created = read_time(values.get("createdAt")) or utc_now()
    kept: Document = {
        "_id": ObjectId(),
        "connectors": [],
        "events": [],
        **given,
        "createdAt": created,
        "updatedAt": created,
        "__v": 0,
    }
    if kept.get("properties") is None:
        kept.pop("properties", None)
    try:
        await context.viewer.shared_tenant().documents.insert(LEGACY_DEVICES, kept)
    except Conflict:
        raise Conflict("Machine ID already exists!", fields=["machineId"]) from None
    return Device(kept)


async def update_legacy_device(
    context: Context, machine_id: str, values: dict[str, Any], if_updated_at: datetime | None
) -> Device:
    """Set the known fields given; the others are dropped, as the schema layer did."""
    given = _cast(values)
    gone = [("properties",)] if "properties" in given and given["properties"] is None else []
    change = Change(
        set={(k,): v for k, v in given.items() if (k,) not in gone},
        unset=gone,
        touch=Touch(("updatedAt",)),
    )
    kept = await update_one(
        context.viewer.shared_tenant(),
        LEGACY_DEVICES,
        [equals("machineId", machine_id)],
        change,
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept)


async def delete_legacy_device(context: Context, machine_id: str, if_updated_at: datetime | None) -> Device:
    kept = await delete_one(
        context.viewer.shared_tenant(),
        LEGACY_DEVICES,
        [equals("machineId", machine_id)],
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept)


def _cast(values: dict[str, Any]) -> Document:
    """The known fields given, cast; `properties` None where nothing of it is kept."""
    given = check_object(values)
    kept: Document = {}
    for name in TEXTS:
        if name in given:
            kept[name] = cast_string(given[name], name, required=name == "machineId")
    if "connectors" in given:
        kept["connectors"] = cast_strings(_present(given, "connectors"), "connectors")
    if "properties" in given:
        kept["properties"] = drop_empty_objects(_present(given, "properties"))
    if "events" in given:
        items = cast_list(_present(given, "events"))
        kept["events"] = [_event(item, f"events.{i}") for i, item in enumerate(items)]
    return kept


def _event(item: Any, path: str) -> Document:
    if not isinstance(item, dict):
        raise BadUserInput(f"{path} must be an object", fields=[path])
    names = [name for name in ("id", "label", "class") if name in item or name != "label"]
    return {name: cast_string(item.get(name), f"{path}.{name}", required=name != "label") for name in names}


def _present(given: Document, name: str) -> Any:
    if given[name] is None:
        raise BadUserInput(f"{name} must not be null", fields=[name])
    return given[name]
