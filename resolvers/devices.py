"""Devices of an application: one by its machine id, their properties, and changes of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_object, require_name
from resolvers.rules.collation import make_collation_key
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import AnyOf, Change, Condition, Document, OneOf, Query, Touch, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import read_scopes
from stores.contracts.values import list_forms
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.event_classes import EventClass

SERVER_KEYS = ("_id", "organizationId", "applicationId", "createdAt", "updatedAt", "__v")
Keys = frozenset[str] | None


def match_machines(*machine_ids: str) -> Condition:
    """The condition that the machine id, in either spelling of its key, is shown as one of these."""
    forms = tuple(form for machine_id in machine_ids for form in list_forms(machine_id))
    return AnyOf(tuple(OneOf((key,), forms) for key in MACHINE_ID_KEYS))


def read_owners(devices: Sequence[Device]) -> list[tuple[str | None, str | None]]:
    """The ids of the organization and of the application of each device.

    Those of a legacy device, which belongs to none, are what its document names.
    """
    owners = list(read_scopes(devices))
    if not any(None in owner for owner in set(owners)):
        return owners
    named = zip(
        Device.stored_organization_id.of(devices), Device.stored_application_id.of(devices), strict=True
    )
    return [
        (organization or named_organization, application or named_application)
        for (organization, application), (named_organization, named_application) in zip(
            owners, named, strict=True
        )
    ]


async def get_device(
    context: Context, organization_id: str, application_id: str, machine_id: str, keys: Keys = None
) -> Device | None:
    """A device by its machine id, whether its application is registered or not.

    `keys` are the stored keys to read, None for all.
    """
    devices = Repository(context, Device, organization_id, application_id)
    loader = devices.tenant.loaders.by_field(devices.collection, MACHINE_ID_KEYS, keys)
    documents = await loader.load(machine_id)
    return devices.record(documents[0]) if documents else None


async def list_devices_with_event_class(
    context: Context, event_class: EventClass, keys: Keys = None
) -> list[Device]:
    """The devices that report the events of a class, by id."""
    assert event_class.organization_id is not None
    devices = Repository(context, Device, event_class.organization_id, event_class.application_id)
    loader = devices.tenant.loaders.by_field(devices.collection, ("events.class",), keys)
    return [devices.record(document) for document in await loader.load(event_class.class_)]


async def summarize_properties(
    context: Context, organization_id: str, application_id: str
) -> list[tuple[str, list[str]]]:
    """Every property key of an application's devices, with the ids of the machines that have it."""
    devices = Repository(context, Device, organization_id, application_id)
    query = Query(keys=frozenset({*MACHINE_ID_KEYS, "name", "properties"}))
    documents = await devices.tenant.loaders.pages(devices.collection).load(query)
    machines: dict[str, list[str]] = {}
    for device in map(Device, documents):
        for key in device.properties:
            if key.strip():
                machines.setdefault(key, []).append(device.machine_id)
    return [(key, machines[key]) for key in sorted(machines, key=make_collation_key)]


def resolve_scope(organization_id: str | None, application_id: str | None) -> tuple[str, str] | None:
    """The organization and the application of a device, or None for a legacy device, which has neither."""
    if organization_id is None and application_id is None:
        return None
    if organization_id is None or application_id is None:
        raise BadUserInput(
            "Give organizationId and applicationId, or neither for a legacy device.",
            fields=["organizationId", "applicationId"],
        )
    return organization_id, application_id


async def create_device(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Device:
    """Create a device of a registered application. Raises `Conflict` if its machine id is taken."""
    devices = await open_repository(context, Device, organization_id, application_id)
    time = utc_now()
    document = {
        "_id": ObjectId(),
        **_check(values, is_new=True),
        "organizationId": organization_id,
        "applicationId": application_id,
        "createdAt": time,
        "updatedAt": time,
    }
    taken = Conflict("Device with this machineId already exists", fields=["machineId"])
    return await devices.insert(document, conflict=taken)


async def update_device(
    context: Context,
    organization_id: str,
    application_id: str,
    machine_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Device:
    """Set the given top-level fields, each as a whole, and keep the others."""
    devices = await open_repository(context, Device, organization_id, application_id)
    change = Change(
        set={(key,): value for key, value in _check(values, is_new=False).items()},
        touch=Touch(("updatedAt",)),
    )
    return await devices.update([match_machines(machine_id)], change, if_updated_at=if_updated_at)


async def delete_device(
    context: Context,
    organization_id: str,
    application_id: str,
    machine_id: str,
    if_updated_at: datetime | None,
) -> Device:
    """Delete a device and return it as it was. Raises `NotFound` and `Conflict`."""
    devices = Repository(context, Device, organization_id, application_id)
    return await devices.delete([match_machines(machine_id)], if_updated_at=if_updated_at)


def _check(values: dict[str, Any], *, is_new: bool) -> Document:
    """What a client may set; a new device needs its machine id in one of the two spellings."""
    fields = {key: value for key, value in check_object(values).items() if key not in SERVER_KEYS}
    spellings = [key for key in MACHINE_ID_KEYS if key in fields]
    for key in spellings:
        if not isinstance(fields[key], str):
            raise BadUserInput(f"{key} must be a string.", fields=[key])
        require_name(fields[key], key)
    if is_new and not spellings:
        raise BadUserInput("machineId is required", fields=["machineId"])
    if not isinstance(fields.get("name"), str | None):
        raise BadUserInput("name must be a string.", fields=["name"])
    return fields
