"""Devices: a tenant's, in the collection of their application, and legacy ones, which belong to none."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from loaders.batching import gather_settled
from resolvers.applications import require_application
from resolvers.context import Context, Tenant
from resolvers.event_classes import list_event_classes
from resolvers.rules.checks import check_object, require_name
from resolvers.rules.collation import collation_key
from resolvers.rules.paging import Page, decode_cursor, encode_cursor, page_size, sort_key
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import (
    BY_ID,
    AnyOf,
    Change,
    Collection,
    Condition,
    Contains,
    Document,
    Exists,
    OneOf,
    Order,
    Query,
    Touch,
    equals,
    order_key,
    utc_now,
)
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.records import Record, Stored, optional, read_string
from stores.entities.collections import LEGACY_DEVICES
from stores.entities.collections import devices as devices_of
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization

# What a client cannot set: the path and the server decide.
OWN = ("_id", "organizationId", "applicationId", "createdAt", "updatedAt", "__v")
MAX_MACHINES = 1000
Keys = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices; every part that is given has to hold."""

    search: str | None = None
    machine_ids: Sequence[str] | None = None
    connector: str | None = None
    event_class: str | None = None
    property_key: str | None = None
    property_value: Any = None

    def conditions(self) -> tuple[Condition, ...]:
        found: list[Condition] = []
        if self.search:
            found.append(Contains((("machineId",), ("machine_id",), ("name",)), self.search))
        if self.machine_ids is not None:
            if len(self.machine_ids) > MAX_MACHINES:
                raise BadUserInput(f"at most {MAX_MACHINES} machineIds", fields=["filter.machineIds"])
            found.append(is_machine(*self.machine_ids))
        if self.connector is not None:
            found.append(equals("connectors", self.connector))
        if self.event_class is not None:
            found.append(equals(("events", "class"), self.event_class))
        if self.property_key is not None:
            found.append(_property(self.property_key, self.property_value))
        return tuple(found)


def _property(key: str, value: Any) -> Condition:
    if not key or "." in key or key.startswith("$") or "\0" in key or key == "*":
        raise BadUserInput(
            "filter.property.key is not the name of a property", fields=["filter.property.key"]
        )
    if isinstance(value, dict | list):
        raise BadUserInput("filter.property.value must be a scalar", fields=["filter.property.value"])
    return Exists(("properties", key)) if value is None else equals(("properties", key), value)


def is_machine(*machine_ids: str) -> Condition:
    return AnyOf(tuple(OneOf((key,), machine_ids) for key in MACHINE_ID_KEYS))


def collection_of(device: Device) -> Collection:
    if device.organization_id is None or device.application_id is None:
        return LEGACY_DEVICES
    return devices_of(device.application_id)


async def get_device(
    context: Context, organization_id: str, application_id: str, machine_id: str, keys: Keys = None
) -> Device | None:
    """A device by its machine id; applications that are not registered are looked into as well."""
    tenant = context.viewer.tenant(organization_id)
    loader = tenant.loaders.by_field(devices_of(application_id), MACHINE_ID_KEYS, keys)
    found = await loader.load(machine_id)
    return Device(found[0], organization_id, application_id) if found else None


async def get_legacy_device(context: Context, machine_id: str, keys: Keys = None) -> Device | None:
    loader = context.viewer.shared_tenant().loaders.by_field(LEGACY_DEVICES, ("machineId",), keys)
    found = await loader.load(machine_id)
    return Device(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list of devices, as asked for."""

    first: int | None = None
    after: str | None = None
    filter: DeviceFilter = DeviceFilter()
    order: Order = BY_ID
    keys: Keys = None

    def query(self, place: Sequence[str]) -> Query:
        keys = None if self.keys is None else self.keys | {self.order.path[0]}
        return Query(
            where=self.filter.conditions(),
            order=self.order,
            after=decode_cursor((*place, *self.order.path, str(self.order.descending)), self.after),
            limit=page_size(self.first) + 1,
            keys=keys,
        )


async def list_devices(
    context: Context, organization_id: str, application_id: str, listing: Listing
) -> Page[Device]:
    """The devices of one application, registered or not."""
    tenant = context.viewer.tenant(organization_id)
    place = ("devices", organization_id, application_id)
    query = listing.query(place)
    collection = devices_of(application_id)
    found = await tenant.loaders.pages(collection).load(query)
    return _page(
        place,
        query,
        [Device(each, organization_id, application_id) for each in found],
        lambda: tenant.documents.count([collection], query.where),
    )


async def list_legacy_devices(context: Context, listing: Listing) -> Page[Device]:
    tenant = context.viewer.shared_tenant()
    query = listing.query(("legacy",))
    found = await tenant.loaders.pages(LEGACY_DEVICES).load(query)
    return _page(
        ("legacy",),
        query,
        [Device(each) for each in found],
        lambda: tenant.documents.count([LEGACY_DEVICES], query.where),
    )


async def list_organization_devices(
    context: Context, organization: Organization, listing: Listing
) -> Page[Device]:
    """The devices of all registered applications as one list: a page of each, merged."""
    organization_id = organization.organization_id
    tenant = context.viewer.tenant(organization_id)
    place = ("devices", organization_id)
    query = listing.query(place)
    ids = list(organization.settings)
    pages = await gather(*(tenant.loaders.pages(devices_of(a)).load(query) for a in ids))
    found = [Device(each, organization_id, a) for a, page in zip(ids, pages, strict=True) for each in page]
    found.sort(
        key=lambda d: tuple(map(order_key, sort_key(d.document, query.order))),
        reverse=query.order.descending,
    )
    return _page(
        place,
        query,
        found[: query.limit],
        lambda: tenant.documents.count([devices_of(a) for a in ids], query.where),
    )


def _page(place: Sequence[str], query: Query, found: list[Device], counts: Any) -> Page[Device]:
    limit = (query.limit or 1) - 1
    here = (*place, *query.order.path, str(query.order.descending))

    async def count() -> int:
        return sum(await counts())

    return Page(
        nodes=found[:limit],
        encode_cursor=lambda device: encode_cursor(here, sort_key(device.document, query.order)),
        has_next=len(found) > limit,
        has_previous=query.after is not None,
        count=count,
    )


async def devices_with_event_class(
    context: Context, event_class: EventClass, keys: Keys = None
) -> list[Device]:
    """The devices that report the events of a class, by id."""
    organization_id, application_id = event_class.organization_id, event_class.application_id
    assert organization_id is not None
    assert application_id is not None
    tenant = context.viewer.tenant(organization_id)
    loader = tenant.loaders.by_field(devices_of(application_id), ("events.class",), keys)
    found = await loader.load(event_class.class_)
    return [Device(each, organization_id, application_id) for each in found]


class EventBinding(Record):
    """An event that a device reports; the document is the entry in the device's."""

    __slots__ = ()

    source_id = Stored(read_string, "id", default="")
    label = optional(read_string, "label")
    class_ = optional(read_string, "class")


def bindings_of(devices: Sequence[Device]) -> list[list[EventBinding]]:
    """By device the events that it reports."""
    return [
        [EventBinding(event, device.organization_id, device.application_id) for event in events]
        for device, events in zip(devices, Device.events.of(devices), strict=True)
    ]


async def event_classes_of(
    context: Context, bindings: Sequence[EventBinding]
) -> list[EventClass | Exception | None]:
    """By binding the event class of its name in the device's application; where these fail, the exception."""
    scopes = {
        (each.organization_id, each.application_id)
        for each in bindings
        if each.organization_id is not None and each.application_id is not None
    }
    lists = await gather_settled(list_event_classes(context, *scope) for scope in scopes)
    known: dict[Any, dict[str | None, EventClass] | Exception] = {
        scope: found if isinstance(found, Exception) else {each.class_: each for each in reversed(found)}
        for scope, found in zip(scopes, lists, strict=True)
    }
    classes: list[EventClass | Exception | None] = []
    for each in bindings:
        of_scope = known.get((each.organization_id, each.application_id), {})
        classes.append(of_scope if isinstance(of_scope, Exception) else of_scope.get(each.class_))
    return classes


async def summarize_properties(
    context: Context, organization_id: str, application_id: str
) -> list[tuple[str, list[str]]]:
    """Every property key of an application's devices with the machines that have it."""
    loader = context.viewer.tenant(organization_id).loaders.pages(devices_of(application_id))
    found = await loader.load(Query(keys=frozenset({*MACHINE_ID_KEYS, "name", "properties"})))
    machines: dict[str, list[str]] = {}
    for device in map(Device, found):
        for key in device.properties:
            if key.strip():
                machines.setdefault(key, []).append(device.machine_id)
    return [(key, machines[key]) for key in sorted(machines, key=collation_key)]


def scope(organization_id: str | None, application_id: str | None) -> tuple[str, str] | None:
    """Where a device lies: in an application of an organization or (None) in neither."""
    if organization_id is None and application_id is None:
        return None
    if organization_id is None or application_id is None:
        raise BadUserInput(
            "give organizationId and applicationId, or neither for a legacy device",
            fields=["organizationId", "applicationId"],
        )
    return organization_id, application_id


async def create_device(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Device:
    """Keep a new device of a registered application. Raises `Conflict` where its machine id is taken."""
    tenant = context.viewer.tenant(organization_id)
    await require_application(context, organization_id, application_id)
    time = utc_now()
    kept = {
        "_id": ObjectId(),
        **_given(values, new=True),
        "organizationId": organization_id,
        "applicationId": application_id,
        "createdAt": time,
        "updatedAt": time,
    }
    await _insert(tenant, devices_of(application_id), kept)
    return Device(kept, organization_id, application_id)


async def update_device(
    context: Context,
    organization_id: str,
    application_id: str,
    machine_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Device:
    """Set the top-level fields given, whole, and keep the others."""
    tenant = context.viewer.tenant(organization_id)
    await require_application(context, organization_id, application_id)
    change = Change(
        set={(key,): value for key, value in _given(values, new=False).items()},
        touch=Touch(("updatedAt",)),
    )
    kept = await update_one(
        tenant,
        devices_of(application_id),
        [is_machine(machine_id)],
        change,
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept, organization_id, application_id)


async def delete_device(
    context: Context,
    organization_id: str,
    application_id: str,
    machine_id: str,
    if_updated_at: datetime | None,
) -> Device:
    tenant = context.viewer.tenant(organization_id)
    kept = await delete_one(
        tenant,
        devices_of(application_id),
        [is_machine(machine_id)],
        what="Device",
        if_updated_at=if_updated_at,
    )
    return Device(kept, organization_id, application_id)


async def _insert(tenant: Tenant, collection: Collection, kept: Document) -> None:
    try:
        await tenant.documents.insert(collection, kept)
    except Conflict:
        raise Conflict("Device with this machineId already exists", fields=["machineId"]) from None


def _given(values: dict[str, Any], *, new: bool) -> Document:
    """What a client may set, checked; a new device needs its machine id in one of the two spellings."""
    kept = {key: value for key, value in check_object(values).items() if key not in OWN}
    spelled = [key for key in MACHINE_ID_KEYS if key in kept]
    for key in spelled:
        if not isinstance(kept[key], str):
            raise BadUserInput(f"{key} must be a text", fields=[key])
        require_name(kept[key], key)
    if new and not spelled:
        raise BadUserInput("machineId is required", fields=["machineId"])
    if not isinstance(kept.get("name"), str | None):
        raise BadUserInput("name must be a text", fields=["name"])
    return kept
