"""Legacy devices: those of the default database, cast and checked as its schema layer did."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules import casting
from resolvers.rules.checks import document
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import Change, Document, Touch, equal, now
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import time
from stores.entities.collections import LEGACY_DEVICES
from stores.entities.devices import Device

TEXTS = ("machineId", "name", "applicationId", "organizationId")


async def create_legacy_device(context: Context, values: dict[str, Any]) -> Device:
    """Keep a new legacy device. Raises `Conflict` where its machine id is taken."""
    given = _cast(values)
    casting.text(given.get("machineId"), "machineId", required=True)
    created = time(values.get("createdAt")) or now()
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
        await context.viewer.shared().documents.insert(LEGACY_DEVICES, kept)
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
        context.viewer.shared(),
        LEGACY_DEVICES,
        [equal("machineId", machine_id)],
        change,
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept)


async def delete_legacy_device(context: Context, machine_id: str, if_updated_at: datetime | None) -> Device:
    kept = await delete_one(
        context.viewer.shared(),
        LEGACY_DEVICES,
        [equal("machineId", machine_id)],
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept)


def _cast(values: dict[str, Any]) -> Document:
    """The known fields given, cast; `properties` None where nothing of it is kept."""
    given = document(values)
    kept: Document = {}
    for name in TEXTS:
        if name in given:
            kept[name] = casting.text(given[name], name, required=name == "machineId")
    if "connectors" in given:
        kept["connectors"] = casting.texts(_present(given, "connectors"), "connectors")
    if "properties" in given:
        kept["properties"] = casting.without_empty_objects(_present(given, "properties"))
    if "events" in given:
        items = casting.listed(_present(given, "events"))
        kept["events"] = [_event(item, f"events.{i}") for i, item in enumerate(items)]
    return kept


def _event(item: Any, path: str) -> Document:
    if not isinstance(item, dict):
        raise BadUserInput(f"{path} must be an object", fields=[path])
    names = [name for name in ("id", "label", "class") if name in item or name != "label"]
    return {name: casting.text(item.get(name), f"{path}.{name}", required=name != "label") for name in names}


def _present(given: Document, name: str) -> Any:
    if given[name] is None:
        raise BadUserInput(f"{name} must not be null", fields=[name])
    return given[name]
