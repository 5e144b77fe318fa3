"""Lists of devices: filtered, ordered and paged, of one application, of an organization, and legacy ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from resolvers.context import Context
from resolvers.devices import Keys, match_machines
from resolvers.rules.checks import check_search
from resolvers.rules.cursors import Cursors, Position
from resolvers.rules.paging import Page, page_size, sort_key
from resolvers.rules.repository import Repository
from resolvers.series.fleet import Report, StatusConditions, select_by_status
from stores.contracts.documents import BY_ID, Condition, Contains, Exists, OneOf, Order, Query, equals
from stores.contracts.errors import BadUserInput
from stores.contracts.ordering import order_key
from stores.contracts.values import list_forms
from stores.entities.devices import MACHINE_ID_KEYS, Device, LegacyDevice
from stores.entities.organizations import Organization

MAX_MACHINE_IDS = 1000
Place: TypeAlias = tuple[Any, str | None, Any]  # of a device in a list that its status selects or orders


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

    `keys` are the stored keys that are read, None for all. With `newest_first`, devices are ordered by the
    time of their latest status, within which `order` decides; those that have never reported come last.
    """

    first: int | None = None
    after: str | None = None
    filter: DeviceConditions = DeviceConditions()
    order: Order = BY_ID
    keys: Keys = None
    status: StatusConditions | None = None
    newest_first: bool | None = None

    @property
    def reads_statuses(self) -> bool:
        """Whether the status of each device decides, so that all of them are read."""
        return self.status is not None or self.newest_first is not None

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

    def query_all(self) -> Query:
        """All devices, with the keys of their machine ids."""
        query = self.query(None)
        keys = None if query.keys is None else query.keys | set(Device.machine_id.keys)
        return replace(query, limit=None, keys=keys)


async def list_devices(
    context: Context, organization_id: str, application_id: str, listing: Listing
) -> Page[Device]:
    """The devices of one application, whether it is registered or not."""
    repository = Repository(context, Device, organization_id, application_id)
    cursors = _make_cursors(context, listing, "devices", organization_id, application_id)
    if listing.reads_statuses:
        return await _list_page_by_status(context, cursors, listing, await _load_all(repository, listing))
    return await _list_page(repository, cursors, listing)


async def list_legacy_devices(context: Context, listing: Listing) -> Page[Device]:
    """A page of the devices that belong to no organization."""
    repository = Repository(context, LegacyDevice)
    cursors = _make_cursors(context, listing, "legacy")
    if listing.reads_statuses:
        return await _list_page_by_status(context, cursors, listing, await _load_all(repository, listing))
    return await _list_page(repository, cursors, listing)


async def list_organization_devices(
    context: Context, organization: Organization, listing: Listing
) -> Page[Device]:
    """The devices of all registered applications: by application id first, then in the requested order.

    In the order of their statuses, applications do not matter. Otherwise they are read only until the page is
    full, whatever their number is.
    """
    tenant = context.viewer.tenant(organization.organization_id)
    cursors = _make_cursors(context, listing, "applications", organization.organization_id)
    if listing.reads_statuses:
        devices = await _load_all_of_organization(context, organization, listing)
        return await _list_page_by_status(context, cursors, listing, devices)
    position = cursors.decode(listing.after)
    value, (last_application, last_id) = position if position is not None else (None, ("", None))
    query = listing.query(None)
    remaining = sorted(id_ for id_ in organization.settings if id_ >= last_application)
    devices = []
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
    documents = await repository.load(query)

    async def count() -> int:
        return sum(await repository.tenant.documents.count([repository.collection], query.where))

    limit = query.limit or 0
    return Page(
        nodes=[repository.record(document) for document in documents[: limit - 1]],
        encode_cursor=lambda device: cursors.encode(sort_key(device.document, query.order)),
        has_next=len(documents) >= limit,
        has_previous=query.after is not None,
        count=count,
    )


async def _load_all(repository: Repository[Any], listing: Listing) -> list[Device]:
    return [repository.record(document) for document in await repository.load(listing.query_all())]


async def _load_all_of_organization(
    context: Context, organization: Organization, listing: Listing
) -> list[Device]:
    applications = sorted(organization.settings)
    collections = [Device.collection_of(id_) for id_ in applications]
    documents = context.viewer.tenant(organization.organization_id).documents
    pages = await documents.find_across(collections, listing.query_all())
    return [
        Device(document, organization.organization_id, application_id)
        for application_id, page in zip(applications, pages, strict=True)
        for document in page
    ]


async def _list_page_by_status(
    context: Context, cursors: Cursors, listing: Listing, devices: list[Device]
) -> Page[Device]:
    """A page of the devices whose status meets the conditions.

    Cursors name the time of the first page, as of which the statuses of all pages are taken: a machine that
    reports meanwhile moves neither out of the list nor within it.
    """
    size, position = page_size(listing.first), cursors.decode(listing.after)
    as_of = None if position is None else position[1][0]
    reports = await select_by_status(context, devices, listing.status or StatusConditions(), as_of)
    if listing.newest_first is not None:
        reports.sort(key=lambda report: _make_time_key(listing, *_find_place(listing, report)))
    start = 0
    if position is not None:
        place = position[0], *position[1][1:]
        behind = (i for i, report in enumerate(reports) if _is_behind(listing, report, place))
        start = next(behind, len(reports))
    page = reports[start : start + size]
    places = {id(report.device): _find_place(listing, report) for report in page}

    def encode_cursor(device: Device) -> str:
        value, *place = places[id(device)]
        return cursors.encode((value, [as_of or context.now, *place]))

    async def count() -> int:
        return len(reports)

    return Page(
        nodes=[report.device for report in page],
        encode_cursor=encode_cursor,
        has_next=len(reports) > start + size,
        has_previous=position is not None,
        count=count,
    )


def _find_place(listing: Listing, report: Report) -> Place:
    """The place of a device in a list: the value that it is ordered by, its application and its id."""
    value, document_id = sort_key(report.device.document, listing.order)
    if listing.newest_first is not None:
        value = report.status and report.status.at
    return value, report.device.application_id, document_id


def _make_time_key(
    listing: Listing, time: int | None, application_id: str | None, document_id: Any
) -> tuple[Any, ...]:
    """What sorts places by the time of a status. Those without one come last."""
    distance = -(time or 0) if listing.newest_first else time or 0
    return time is None, distance, application_id or "", order_key(document_id)


def _is_behind(listing: Listing, report: Report, place: Place) -> bool:
    """Whether a device comes after a place, which another device had."""
    other = _find_place(listing, report)
    if listing.newest_first is not None:
        return _make_time_key(listing, *other) > _make_time_key(listing, *place)
    if other[1] != place[1]:
        return (other[1] or "") > (place[1] or "")
    key, key_of_place = ((order_key(value), order_key(id_)) for value, _, id_ in (other, place))
    return key < key_of_place if listing.order.descending else key > key_of_place


def _make_cursors(context: Context, listing: Listing, *name: str) -> Cursors:
    """The cursors of a list in one order: they are of no use in another."""
    order = (*name, *listing.order.path, str(listing.order.descending))
    if listing.reads_statuses:
        order = (*order, "status", str(listing.newest_first))
    return Cursors(context, order)


def _match_property(key: str, value: Any) -> Condition:
    if not key or "\0" in key or key == "*":
        raise BadUserInput(
            "filter.property.key is not the name of a property.", fields=["filter.property.key"]
        )
    if isinstance(value, dict | list):
        raise BadUserInput("filter.property.value must be a scalar.", fields=["filter.property.value"])
    return Exists(("properties", key)) if value is None else equals(("properties", key), value)
