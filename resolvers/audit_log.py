"""The audit log of an organization, or of what belongs to none: listed, filtered and paged, newest first."""

from asyncio import gather
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.cursors import Cursors, Position
from resolvers.rules.paging import Page, page_size, sort_key
from resolvers.scopes import require_organization
from stores.contracts.documents import Document, OneOf, Query
from stores.contracts.errors import Forbidden
from stores.entities.audit import NEWEST_FIRST, AuditEntry, RefusalEntry

BEFORE_ALL_IDS = ObjectId(bytes(12))


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to list: all conditions must hold, and None is no condition.

    `range` is in nanoseconds, and its end is excluded. `entity` is `AuditEntry` for changes only, and
    `RefusalEntry` for refusals.
    """

    entity_id: str | None = None
    subject: str | None = None
    operation: str | None = None
    range: tuple[int, int] | None = None
    entity: type[AuditEntry] | None = None

    def conditions(self) -> tuple[OneOf, ...]:
        values = {"entityId": self.entity_id, "subject": self.subject, "operation": self.operation}
        return tuple(OneOf((key,), (value,)) for key, value in values.items() if value is not None)


async def list_audit_entries(
    context: Context, organization_id: str | None, filter: AuditFilter, first: int | None, after: str | None
) -> Page[AuditEntry]:
    """A page of the log. Without an organization: of services, legacy devices, icons and operators' keys.

    Raises `NotFound`, and `Forbidden` for those who may only see the log of their organizations.
    """
    _check_grant(context, organization_id)
    start, stop = (None, None) if filter.range is None else map(_to_time, filter.range)
    cursors = Cursors(context, ("audit log", organization_id or ""))
    position = cursors.decode(after)
    limit = page_size(first)
    if context.audit is not None:
        await context.audit.flush()
    if organization_id is not None:
        await require_organization(context, organization_id)
    query = Query(filter.conditions(), NEWEST_FIRST, _find_start(position, stop), limit + 1)
    entries = await _read(context, organization_id, filter.entity, query, start)

    async def count() -> int:
        # The contract of stores has no condition on a range, and the log is short.
        times = replace(query, after=_find_start(None, stop), limit=None, keys=frozenset({"time"}))
        return len(await _read(context, organization_id, filter.entity, times, start))

    return Page(
        nodes=[AuditEntry(entry, organization_id) for entry in entries[:limit]],
        encode_cursor=lambda entry: cursors.encode(sort_key(entry.document, NEWEST_FIRST)),
        has_next=len(entries) > limit,
        has_previous=position is not None,
        count=count,
    )


def _check_grant(context: Context, organization_id: str | None) -> None:
    """Raise `Forbidden` for what is an operator's: what belongs to no organization.

    It is in the default database, which may be an organization as well: they would share one log.
    """
    viewer = context.viewer
    is_shared = organization_id is None or (
        viewer.is_default(organization_id) and viewer.grant.covers(organization_id)
    )
    if is_shared and not viewer.grant.is_operator:
        raise Forbidden("Only operators see this log; name an organization.", fields=["organizationId"])


async def _read(
    context: Context,
    organization_id: str | None,
    entity: type[AuditEntry] | None,
    query: Query,
    start: datetime | None,
) -> list[Document]:
    """Changes and refusals, which are stored apart, in one order."""
    viewer = context.viewer
    tenant = viewer.shared_tenant() if organization_id is None else viewer.tenant(organization_id)
    entities = (AuditEntry, RefusalEntry) if entity is None else (entity,)
    collections = [entity.collection_of() for entity in entities]
    pages = await gather(*(tenant.documents.find(collection, query) for collection in collections))
    entries = [
        entry
        for page in pages
        for entry in page
        if start is None or (isinstance(entry.get("time"), datetime) and entry["time"] >= start)
    ]
    return sorted(entries, key=_make_order_key, reverse=True)


def _to_time(nanoseconds: int) -> datetime:
    """The time as it is stored: what is before it is before the nanosecond."""
    return datetime(1970, 1, 1) + timedelta(milliseconds=-(-nanoseconds // 1_000_000))


def _make_order_key(entry: Document) -> tuple[Any, Any]:
    return entry.get("time") or datetime.min, entry["_id"]


def _find_start(position: Position | None, stop: datetime | None) -> Position | None:
    """The position that the list starts after: the cursor's, or the end of the range if that is earlier."""
    if stop is None or (position is not None and position[0] < stop):
        return position
    return stop, BEFORE_ALL_IDS
