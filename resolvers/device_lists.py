"""Lists of devices: filtered, ordered and paged, of one application, of an organization, and legacy ones."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.context import Context
from resolvers.devices import Keys, match_machines
from resolvers.rules.cursors import Cursors
from resolvers.rules.paging import Page, page_size, sort_key
from resolvers.rules.repository import Repository
from stores.contracts.documents import BY_ID, Condition, Contains, Exists, OneOf, Order, Query, equals
from stores.contracts.errors import BadUserInput
from stores.contracts.ordering import order_key
from stores.contracts.values import list_forms
from stores.entities.devices import MACHINE_ID_KEYS, Device, LegacyDevice
from stores.entities.organizations import Organization

MAX_MACHINE_IDS = 1000
MAX_SEARCH_LENGTH = 1000  # characters: stores limit the length of a pattern, each in its own way


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
            if len(self.search) > MAX_SEARCH_LENGTH:
                raise BadUserInput(
                    f"search has {len(self.search)} characters; at most {MAX_SEARCH_LENGTH} are allowed",
                    fields=["filter.search"],
                )
            conditions.append(Contains(tuple((key,) for key in (*MACHINE_ID_KEYS, "name")), self.search))
        if self.machine_ids is not None:
            if len(self.machine_ids) > MAX_MACHINE_IDS:
                raise BadUserInput(f"at most {MAX_MACHINE_IDS} machineIds", fields=["filter.machineIds"])
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

    def query(self, cursors: Cursors) -> Query:
        """One document more than the page has, which tells whether there are more."""
        keys = None if self.keys is None else self.keys | {self.order.path[0]}
        return Query(
            where=self.filter.conditions(),
            order=self.order,
            after=cursors.decode(self.after),
            limit=page_size(self.first) + 1,
            keys=keys,
        )


async def list_devices(
    context: Context, organization_id: str, application_id: str, listing: Listing
) -> Page[Device]:
    """The devices of one application, whether it is registered or not."""
    repository = Repository(context, Device, organization_id, application_id)
    cursors = _cursors(context, listing, "devices", organization_id, application_id)
    return await _list_page(repository, cursors, listing)


async def list_legacy_devices(context: Context, listing: Listing) -> Page[Device]:
    """A page of the devices that belong to no organization."""
    return await _list_page(Repository(context, LegacyDevice), _cursors(context, listing, "legacy"), listing)


async def list_organization_devices(
    context: Context, organization: Organization, listing: Listing
) -> Page[Device]:
    """The devices of all registered applications as one list: a page of each, merged."""
    organization_id = organization.organization_id
    tenant = context.viewer.tenant(organization_id)
    cursors = _cursors(context, listing, "devices", organization_id)
    query = listing.query(cursors)
    application_ids = list(organization.settings)
    collections = [Device.collection_of(application_id) for application_id in application_ids]
    pages = await gather(*(tenant.loaders.pages(collection).load(query) for collection in collections))
    devices = [
        Device(document, organization_id, application_id)
        for application_id, documents in zip(application_ids, pages, strict=True)
        for document in documents
    ]
    devices.sort(
        key=lambda device: tuple(map(order_key, sort_key(device.document, query.order))),
        reverse=query.order.descending,
    )

    async def count() -> int:
        return sum(await tenant.documents.count(collections, query.where))

    return _page(cursors, query, devices[: query.limit], count)


async def _list_page(repository: Repository[Any], cursors: Cursors, listing: Listing) -> Page[Device]:
    query = listing.query(cursors)
    documents = await repository.load(query)

    async def count() -> int:
        return sum(await repository.tenant.documents.count([repository.collection], query.where))

    return _page(cursors, query, [repository.record(document) for document in documents], count)


def _page(
    cursors: Cursors, query: Query, devices: list[Device], count: Callable[[], Awaitable[int]]
) -> Page[Device]:
    limit = (query.limit or 1) - 1
    return Page(
        nodes=devices[:limit],
        encode_cursor=lambda device: cursors.encode(sort_key(device.document, query.order)),
        has_next=len(devices) > limit,
        has_previous=query.after is not None,
        count=count,
    )


def _cursors(context: Context, listing: Listing, *name: str) -> Cursors:
    """The cursors of a list in one order: they are of no use in another."""
    return Cursors(context, (*name, *listing.order.path, str(listing.order.descending)))


def _match_property(key: str, value: Any) -> Condition:
    if not key or "." in key or key.startswith("$") or "\0" in key or key == "*":
        raise BadUserInput(
            "filter.property.key is not the name of a property", fields=["filter.property.key"]
        )
    if isinstance(value, dict | list):
        raise BadUserInput("filter.property.value must be a scalar", fields=["filter.property.value"])
    return Exists(("properties", key)) if value is None else equals(("properties", key), value)
