"""Organizations: finding, listing, creating and changing them."""

from asyncio import gather
from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context, Tenant
from resolvers.rules.checks import check_value, list_stored_forms
from resolvers.rules.paging import Page, decode_cursor, encode_cursor, page_size
from stores.contracts.changes import lower
from stores.contracts.documents import Change, Document, OneOf, Touch, equals
from stores.contracts.errors import Conflict, NotFound
from stores.entities.collections import CONFIG, USERS, devices
from stores.entities.organizations import APPLICATIONS, ORGANIZATION, Organization

PLACE = ("organizations",)


async def get_organization(context: Context, organization_id: str) -> Organization | None:
    """The organization, or None where there is none or the viewer may not see it."""
    tenant = context.viewer.tenant(organization_id)
    entries = await config_entries(tenant)
    if not entries:
        known = await context.viewer.databases()
        if organization_id not in known or context.viewer.is_default(organization_id):
            return None
    return Organization(organization_id, entries)


async def require_organization(context: Context, organization_id: str) -> Organization:
    found = await get_organization(context, organization_id)
    if found is None:
        raise NotFound("Organization not found", fields=["organizationId"])
    return found


async def config_entries(tenant: Tenant) -> list[Document]:
    """The two entries of `config`, in one call however many fields of a request ask for them."""
    found = await tenant.loaders.by_field(CONFIG, ("key",)).load_many([ORGANIZATION, APPLICATIONS])
    return [entry for entries in found for entry in entries[:1]]


async def list_organizations(
    context: Context, first: int | None, cursor_after: str | None, search: str | None
) -> Page[Organization]:
    """The organizations that the viewer may see, by id."""
    limit, seen = page_size(first), decode_cursor(PLACE, cursor_after)
    names = await _names(context, search)
    rest = [name for name in names if seen is None or name > str(seen[1])]
    found = await _organizations(context, rest[:limit])

    async def count() -> int:
        return len(names)

    return Page(
        nodes=found,
        encode_cursor=lambda o: encode_cursor(PLACE, (None, o.organization_id)),
        has_next=len(rest) > limit,
        has_previous=seen is not None,
        count=count,
    )


async def _names(context: Context, search: str | None) -> list[str]:
    """The ids of the organizations; only a search and the default database need to be looked into."""
    names = list(await context.viewer.databases())
    looked = names if search else [name for name in names if context.viewer.is_default(name)]
    found = {o.organization_id: o for o in await _organizations(context, looked)}
    if not search:
        return [name for name in names if name in found or name not in looked]
    wanted = lower(search)
    return [n for n, o in found.items() if wanted in lower(n) or wanted in lower(o.name)]


async def _organizations(context: Context, names: list[str]) -> list[Organization]:
    found = await gather(*(get_organization(context, name) for name in names))
    return [organization for organization in found if organization is not None]


async def count_devices(context: Context, organization: Organization) -> int:
    """The devices of the registered applications."""
    loaders = context.viewer.tenant(organization.organization_id).loaders
    return sum(await loaders.counts().load_many([devices(a) for a in organization.settings]))


async def count_users(context: Context, organization: Organization) -> int:
    loaders = context.viewer.tenant(organization.organization_id).loaders
    return await loaders.counts().load(USERS)


async def size_on_disk(context: Context, organization: Organization) -> int | None:
    info = (await context.viewer.databases()).get(organization.organization_id)
    return None if info is None else info.size


async def create_organization(context: Context, organization_id: str, values: dict[str, Any]) -> Organization:
    tenant = context.viewer.tenant(organization_id)
    fresh = _entry()
    # No stored entry has the fresh id, so that this either inserts it or finds the key taken.
    where = [equals("key", ORGANIZATION), equals("_id", fresh["_id"])]
    if await tenant.documents.update(CONFIG, where, _change(values), insert=fresh) is None:
        raise Conflict(f"organization {organization_id} exists already", fields=["organizationId"])
    return await _changed(context, organization_id)


async def update_organization(
    context: Context,
    organization_id: str,
    values: dict[str, Any],
    *,
    if_updated_at: datetime | None,
    create_if_missing: bool,
) -> Organization:
    """Change the fields given. One that holds data but was never saved is saved by it."""
    documents = context.viewer.tenant(organization_id).documents
    if not create_if_missing:
        await require_organization(context, organization_id)
    where = [equals("key", ORGANIZATION)]
    if if_updated_at is not None:
        condition = OneOf(("value", "updatedAt"), list_stored_forms(if_updated_at))
        if await documents.update(CONFIG, [*where, condition], _change(values)) is None:
            current = (await _changed(context, organization_id)).document
            raise Conflict("the organization has changed since", fields=["ifUpdatedAt"], current=current)
    elif await documents.update(CONFIG, where, _change(values), insert=_entry()) is None:
        # Another client made it between the look and the insert: now there is one to change.
        await documents.update(CONFIG, where, _change(values))
    return await _changed(context, organization_id)


async def _changed(context: Context, organization_id: str) -> Organization:
    context.viewer.discard_loaded()
    return await require_organization(context, organization_id)


def _entry() -> Document:
    return {"_id": ObjectId(), "key": ORGANIZATION, "value": {}}


def _change(values: dict[str, Any]) -> Change:
    return Change(
        set={("value", name): check_value(value, name) for name, value in values.items()},
        touch=Touch(("value", "updatedAt"), as_string=True),
    )
