"""Changing one document under the condition that nobody changed it since, and saying why it failed."""

from datetime import datetime

from resolvers.context import Tenant
from resolvers.rules.checks import list_stored_forms
from stores.contracts.documents import Change, Collection, Document, OneOf, Path, Query, Where
from stores.contracts.errors import Conflict, NotFound
from stores.entities.secrets import mask_secrets

UPDATED: Path = ("updatedAt",)


def match_updated_at(if_updated_at: datetime | None, path: Path = UPDATED) -> list[OneOf]:
    """The condition that a stored time is the one that the client has seen."""
    return [] if if_updated_at is None else [OneOf(path, list_stored_forms(if_updated_at))]


async def update_one(
    tenant: Tenant,
    collection: Collection,
    where: Where,
    change: Change,
    *,
    what: str,
    if_updated_at: datetime | None = None,
) -> Document:
    """The document after the change. Raises `NotFound` or, with the document as it is, `Conflict`."""
    documents = tenant.documents
    changed = await documents.update(collection, [*where, *match_updated_at(if_updated_at)], change)
    if changed is None:
        await raise_write_failure(tenant, collection, where, what=what)
    assert changed is not None
    return changed


async def delete_one(
    tenant: Tenant,
    collection: Collection,
    where: Where,
    *,
    what: str,
    if_updated_at: datetime | None = None,
) -> Document:
    """The document as it was. Raises as `update_one` does."""
    found = await tenant.documents.find(collection, Query(where=tuple(where), limit=1))
    condition = [*where, *match_updated_at(if_updated_at)]
    if not found or not await tenant.documents.delete(collection, condition, first_only=True):
        await raise_write_failure(tenant, collection, where, what=what)
    return found[0]


async def raise_write_failure(tenant: Tenant, collection: Collection, where: Where, *, what: str) -> None:
    """Raise what kept a change from being made: there is no such thing, or it has changed."""
    found = await tenant.documents.find(collection, Query(where=tuple(where), limit=1))
    if not found:
        raise NotFound(f"{what} not found")
    raise Conflict(f"{what} has changed since", fields=["ifUpdatedAt"], current=mask_secrets(found[0]))
