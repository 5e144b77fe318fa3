"""Lists of devices: filtered, ordered and paged, of one application, of an organization, and legacy ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from resolvers.context import Context
from resolvers.devices import Keys, match_machines
from resolvers.rules.checks import check_search
from resolvers.rules.cursors import Cursors, Position
from resolvers.rules.paging import Page, page_size, sort_key
from resolvers.rules.repository import Repository
from stores.contracts.documents import BY_ID, Condition, Contains, Exists, OneOf, Order, Query, equals
from stores.contracts.errors import BadUserInput
from stores.contracts.values import list_forms
from stores.entities.devices import MACHINE_ID_KEYS, Device, LegacyDevice
from stores.entities.organizations import Organization

MAX_MACHINE_IDS = 1000


@dataclass(frozen=True, slots=True)
class DeviceConditions:
    """Conditions on devices, all of which must hold."""

    search: str | None = None
    machine_ids: Sequence[str] | None = None
    connector: str | None = None
    event_class: str | None = None
    property_key: str | None = None
    property_value: Any = None

    def conditions(self) -> tuple[Condition, ...]:
        conditions: list[Condition] = []
        if self.search:
            search = check_search(self.search, "filter.search")
            conditions.append(Contains(tuple((key,) for key in (*MACHINE_ID_KEYS, "name")), search))
        if self.machine_ids is not None:
            if len(self.machine_ids) > MAX_MACHINE_IDS:
                raise BadUserInput(
                    f"filter.machineIds has more than {MAX_MACHINE_IDS} ids. Send fewer at a time.",
                    fields=["filter.machineIds"],
                )
            conditions.append(match_machines(*self.machine_ids))
        if self.connector is not None:
            conditions.append(OneOf(("connectors",), list_forms(self.connector)))
        if self.event_class is not None:
            conditions.append(equals(("events", "class"), self.event_class))
        if self.property_key is not None:
            conditions.append(_match_property(self.property_key, self.property_value))
        return tuple(conditions)


@dataclass(frozen=True, slots=True)
class Listing:
    """The requested part of a list of devices: at most `first` behind the cursor `after`.

    `keys` are the stored keys that are read, None for all.
    """

    first: int | None = None
    after: str | None = None
    filter: DeviceConditions = DeviceConditions()
    order: Order = BY_ID
    keys: Keys = None

    def query(self, after: Position | None) -> Query:
        """One document more than the page has, which tells whether there are more."""
        keys = None if self.keys is None else self.keys | {self.order.path[0]}
        return Query(
            where=self.filter.conditions(),
            order=self.order,
            after=after,
            limit=page_size(self.first) + 1,
            keys=keys,
        )


async def list_devices(
    context: Context, organization_id: str, application_id: str, listing: Listing
) -> Page[Device]:
    """The devices of one application, whether it is registered or not."""
    repository = Repository(context, Device, organization_id, application_id)
    cursors = _make_cursors(context, listing, "devices", organization_id, application_id)
    return await _list_page(repository, cursors, listing)


async def list_legacy_devices(context: Context, listing: Listing) -> Page[Device]:
    """A page of the devices that belong to no organization."""
    return await _list_page(
        Repository(context, LegacyDevice), _make_cursors(context, listing, "legacy"), listing
    )


async def list_organization_devices(
    context: Context, organization: Organization, listing: Listing
) -> Page[Device]:
    """The devices of all registered applications: by application id first, then in the requested order.

    Applications are read only until the page is full, whatever their number is.
    """
    tenant = context.viewer.tenant(organization.organization_id)
    cursors = _make_cursors(context, listing, "applications", organization.organization_id)
    position = cursors.decode(listing.after)
    value, (last_application, last_id) = position if position is not None else (None, ("", None))
    query = listing.query(None)
    remaining = sorted(id_ for id_ in organization.settings if id_ >= last_application)
    devices: list[Device] = []
    if position is not None and remaining[:1] == [last_application]:
        repository = Repository(context, Device, organization.organization_id, remaining.pop(0))
        rest = replace(query, after=(value, last_id))
        devices += [repository.record(document) for document in await repository.load(rest)]
    limit = query.limit or 0
    if len(devices) < limit and remaining:
        collections = [Device.collection_of(id_) for id_ in remaining]
        total = limit - len(devices)
        pages = await tenant.documents.find_across(collections, replace(query, limit=total), total=total)
        devices += [
            Device(document, organization.organization_id, application_id)
            for application_id, documents in zip(remaining, pages, strict=True)
            for document in documents
        ]

    def encode_cursor(device: Device) -> str:
        value, document_id = sort_key(device.document, query.order)
        return cursors.encode((value, [device.application_id, document_id]))

    async def count() -> int:
        collections = [Device.collection_of(id_) for id_ in organization.settings]
        return sum(await tenant.documents.count(collections, query.where))

    return Page(
        nodes=devices[: limit - 1],
        encode_cursor=encode_cursor,
        has_next=len(devices) >= limit,
        has_previous=position is not None,
        count=count,
    )


async def _list_page(repository: Repository[Any], cursors: Cursors, listing: Listing) -> Page[Device]:
    query = listing.query(cursors.decode(listing.after))
    documents = await repository.load_columns(query)

    async def count() -> int:
        return sum(await repository.tenant.documents.count([repository.collection], query.where))

    limit = query.limit or 0
    return Page(
        nodes=repository.records(documents[: limit - 1]),
        encode_cursor=lambda device: cursors.encode(sort_key(device.document, query.order)),
        has_next=len(documents) >= limit,
        has_previous=query.after is not None,
        count=count,
    )


def _make_cursors(context: Context, listing: Listing, *name: str) -> Cursors:
    """The cursors of a list in one order: they are of no use in another."""
    return Cursors(context, (*name, *listing.order.path, str(listing.order.descending)))


def _match_property(key: str, value: Any) -> Condition:
    if not key or "\0" in key or key == "*":
        raise BadUserInput(
            "filter.property.key is not the name of a property.", fields=["filter.property.key"]
        )
    if isinstance(value, dict | list):
        raise BadUserInput("filter.property.value must be a scalar.", fields=["filter.property.value"])
    return Exists(("properties", key)) if value is None else equals(("properties", key), value)
