"""Pages of devices that are selected or ordered by their latest status: the statuses of all are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from resolvers import device_lists
from resolvers.context import Context
from resolvers.device_lists import Listing
from resolvers.rules.cursors import Cursors
from resolvers.rules.paging import Page, page_size, sort_key
from resolvers.rules.repository import Repository
from resolvers.series.fleet import Report, StatusConditions, select_by_status
from stores.contracts.documents import Query
from stores.contracts.ordering import order_key
from stores.entities.devices import Device, LegacyDevice
from stores.entities.organizations import Organization

Place: TypeAlias = tuple[Any, str | None, Any]  # of a device in a list: its value, application and id


@dataclass(frozen=True, slots=True)
class StatusListing(Listing):
    """The requested part of a list of devices, with conditions on their status.

    With `newest_first`, devices are ordered by the time of their status, whatever their application is; those
    that have never reported come last.
    """

    status: StatusConditions | None = None
    newest_first: bool | None = None

    @property
    def reads_statuses(self) -> bool:
        """Whether the status of each device decides, so that all of them are read."""
        return self.status is not None or self.newest_first is not None

    def query_all(self) -> Query:
        """All devices, with the keys of their machine ids."""
        query = self.query(None)
        keys = None if query.keys is None else query.keys | set(Device.machine_id.keys)
        return replace(query, limit=None, keys=keys)


async def list_devices(
    context: Context, organization_id: str, application_id: str, listing: StatusListing
) -> Page[Device]:
    """The devices of one application, whether it is registered or not."""
    if not listing.reads_statuses:
        return await device_lists.list_devices(context, organization_id, application_id, listing)
    repository = Repository(context, Device, organization_id, application_id)
    return await _list_page(
        context, listing, await _load_all(repository, listing), organization_id, application_id
    )


async def list_legacy_devices(context: Context, listing: StatusListing) -> Page[Device]:
    """A page of the devices that belong to no organization."""
    if not listing.reads_statuses:
        return await device_lists.list_legacy_devices(context, listing)
    return await _list_page(context, listing, await _load_all(Repository(context, LegacyDevice), listing))


async def list_organization_devices(
    context: Context, organization: Organization, listing: StatusListing
) -> Page[Device]:
    """The devices of all registered applications."""
    if not listing.reads_statuses:
        return await device_lists.list_organization_devices(context, organization, listing)
    owner, applications = organization.organization_id, sorted(organization.settings)
    collections = [Device.collection_of(id_) for id_ in applications]
    pages = await context.viewer.tenant(owner).documents.find_across(collections, listing.query_all())
    devices = [
        Device(document, owner, application_id)
        for application_id, page in zip(applications, pages, strict=True)
        for document in page
    ]
    return await _list_page(context, listing, devices, owner)


async def _load_all(repository: Repository[Any], listing: StatusListing) -> list[Device]:
    return [repository.record(document) for document in await repository.load(listing.query_all())]


async def _list_page(
    context: Context, listing: StatusListing, devices: Sequence[Device], *owner: str
) -> Page[Device]:
    """A page of the devices whose status meets the conditions.

    Cursors name the time of the first page, as of which the statuses of all pages are taken: a machine that
    reports meanwhile moves neither out of the list nor within it.
    """
    order = (*listing.order.path, str(listing.order.descending), str(listing.newest_first))
    cursors = Cursors(context, ("statuses", *owner, *order))
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


def _find_place(listing: StatusListing, report: Report) -> Place:
    """The place of a device in a list: the value that it is ordered by, its application and its id."""
    value, document_id = sort_key(report.device.document, listing.order)
    if listing.newest_first is not None:
        value = report.status and report.status.at
    return value, report.device.application_id, document_id


def _make_time_key(
    listing: StatusListing, time: int | None, application_id: str | None, document_id: Any
) -> tuple[Any, ...]:
    """What sorts places by the time of a status. Those without one come last."""
    distance = -(time or 0) if listing.newest_first else time or 0
    return time is None, distance, application_id or "", order_key(document_id)


def _is_behind(listing: StatusListing, report: Report, place: Place) -> bool:
    """Whether a device comes after a place, which another device had."""
    other = _find_place(listing, report)
    if listing.newest_first is not None:
        return _make_time_key(listing, *other) > _make_time_key(listing, *place)
    if other[1] != place[1]:
        return (other[1] or "") > (place[1] or "")
    key, key_of_place = ((order_key(value), order_key(id_)) for value, _, id_ in (other, place))
    return key < key_of_place if listing.order.descending else key > key_of_place
