"""Organizations: listing, creating and changing them, and their totals."""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_search, check_value
from resolvers.rules.cursors import Cursors
from resolvers.rules.paging import Page, page_size
from resolvers.rules.repository import match_updated_at
from resolvers.scopes import get_organization, require_all_applications, require_organization
from stores.contracts.changes import lower
from stores.contracts.documents import Change, Collection, Document, Touch, UpdateOne, equals
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.devices import Device
from stores.entities.organizations import ORGANIZATION_KEY, Organization
from stores.entities.users import User

CONFIG = Organization.collection_of()


async def list_organizations(
    context: Context, first: int | None, after: str | None, search: str | None
) -> Page[Organization]:
    """The organizations that the viewer may see, by id."""
    cursors = Cursors(context, ("organizations",))
    limit, position = page_size(first), cursors.decode(after)
    ids = await _list_ids(context, search)
    remaining = [id_ for id_ in ids if position is None or id_ > str(position[1])]
    organizations = await _get_organizations(context, remaining[:limit])

    async def count() -> int:
        return len(ids)

    return Page(
        nodes=organizations,
        encode_cursor=lambda organization: cursors.encode((None, organization.organization_id)),
        has_next=len(remaining) > limit,
        has_previous=position is not None,
        count=count,
    )


async def _list_ids(context: Context, search: str | None) -> list[str]:
    """The ids of the organizations; only a search and the default database need their documents."""
    needle = lower(check_search(search or "", "search"))
    ids = list(await context.viewer.databases())
    unsure = ids if needle else [id_ for id_ in ids if context.viewer.is_default(id_)]
    names = {o.organization_id: o.name for o in await _get_organizations(context, unsure)}
    if not needle:
        return [id_ for id_ in ids if id_ in names or id_ not in unsure]
    return [id_ for id_, name in names.items() if needle in lower(id_) or needle in lower(name)]


async def _get_organizations(context: Context, ids: list[str]) -> list[Organization]:
    organizations = await gather(*(get_organization(context, id_) for id_ in ids))
    return [organization for organization in organizations if organization is not None]


async def count_devices(context: Context, organization: Organization) -> int:
    """The number of devices of the registered applications. One call for all organizations."""
    collections = [Device.collection_of(application_id) for application_id in organization.settings]
    return sum(await _count(context, organization, collections))


async def count_users(context: Context, organization: Organization) -> int:
    """The number of users. One call for all organizations."""
    return sum(await _count(context, organization, [User.collection_of()]))


async def _count(
    context: Context, organization: Organization, collections: Sequence[Collection]
) -> list[int]:
    database = context.viewer.tenant(organization.organization_id).documents.database
    counts = await context.viewer.across.counts().load_many([(database, c) for c in collections])
    for count in counts:
        if isinstance(count, Exception):
            raise count
    return [count for count in counts if isinstance(count, int)]


async def get_size_on_disk(context: Context, organization: Organization) -> int | None:
    """The size of its database in bytes; None if the store does not tell."""
    info = (await context.viewer.databases()).get(organization.organization_id)
    return None if info is None else info.size


async def create_organization(context: Context, organization_id: str, values: dict[str, Any]) -> Organization:
    """Create an organization. Raises `Conflict` if there is one with this id."""
    tenant = context.viewer.tenant(organization_id)
    _reject_default(context, organization_id)
    document = _make_document()
    # No stored document has the new id, so that this either inserts it or finds the key taken.
    where = [equals("key", ORGANIZATION_KEY), equals("_id", document["_id"])]
    creation = UpdateOne(CONFIG, where, _change(values), insert=document)
    if await tenant.documents.write_all([creation], idempotency=context.idempotency) is None:
        raise Conflict(f"Organization {organization_id} already exists", fields=["organizationId"])
    return await _read_again(context, organization_id)


async def update_organization(
    context: Context,
    organization_id: str,
    values: dict[str, Any],
    *,
    if_updated_at: datetime | None,
    create_if_missing: bool,
) -> Organization:
    """Change the given fields. An organization that has data but no document of its own gets one."""
    documents = context.viewer.tenant(organization_id).documents
    require_all_applications(context, organization_id)
    if not (create_if_missing and context.viewer.grant.is_operator):
        await require_organization(context, organization_id)
    elif await get_organization(context, organization_id) is None:
        _reject_default(context, organization_id)
    where = [equals("key", ORGANIZATION_KEY)]
    if if_updated_at is not None:
        unchanged = match_updated_at(if_updated_at, ("value", "updatedAt"))
        if await documents.update(CONFIG, [*where, *unchanged], _change(values)) is None:
            current = await _read_again(context, organization_id)
            raise Conflict(
                "The organization was changed by another client.", fields=["ifUpdatedAt"], current=current
            )
    elif await documents.update(CONFIG, where, _change(values), insert=_make_document()) is None:
        # Another client created it between the search and the insertion: now there is one to change.
        await documents.update(CONFIG, where, _change(values))
    return await _read_again(context, organization_id)


def _reject_default(context: Context, organization_id: str) -> None:
    """The default database contains what belongs to no organization: none is created in it."""
    if context.viewer.is_default(organization_id):
        raise BadUserInput(
            "Invalid organization id: it is the name of the default database.", fields=["organizationId"]
        )


async def _read_again(context: Context, organization_id: str) -> Organization:
    context.viewer.discard_loaded()
    return await require_organization(context, organization_id)


def _make_document() -> Document:
    return {"_id": ObjectId(), "key": ORGANIZATION_KEY, "value": {}}


def _change(values: dict[str, Any]) -> Change:
    return Change(
        set={("value", name): check_value(value, name) for name, value in values.items()},
        touch=Touch(("value", "updatedAt"), as_string=True),
    )
