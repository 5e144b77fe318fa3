"""Organizations and applications, to which everything else belongs: finding and requiring them."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from loaders.batching import load_distinct
from resolvers.context import Context, Tenant
from resolvers.rules.repository import Repository
from stores.contracts.documents import Condition, Document, Exists, Guard, OneOf, Query, equals
from stores.contracts.errors import Forbidden, NotFound
from stores.entities.applications import Application, make_settings_path
from stores.entities.entity import Entity
from stores.entities.organizations import APPLICATIONS_KEY, ORGANIZATION_KEY, Organization

E = TypeVar("E", bound=Entity)
CONFIG = Organization.collection_of()
CONFIG_ENTRIES = Query(where=(OneOf(("key",), (ORGANIZATION_KEY, APPLICATIONS_KEY)),))


async def get_organization(context: Context, organization_id: str) -> Organization | None:
    """The organization, or None if it does not exist or the viewer may not see it."""
    tenant = context.viewer.tenant(organization_id)
    entries = await _read_config_entries(context, tenant)
    if not entries:
        databases = await context.viewer.databases()
        if organization_id not in databases or context.viewer.is_default(organization_id):
            return None
    return Organization(organization_id, entries)


async def get_organizations(
    context: Context, organization_ids: Sequence[str | None]
) -> list[Organization | Exception | None]:
    """The organization of each id, one object for all that are equal; None where there is no id."""

    async def get(organization_id: str | None) -> Organization | None:
        return await get_organization(context, organization_id) if organization_id else None

    return await load_distinct(organization_ids, get)


async def require_organizations(
    context: Context, organization_ids: Sequence[str]
) -> list[Organization | Exception]:
    """As `get_organizations`, with `NotFound` where there is none."""
    return await load_distinct(organization_ids, partial(require_organization, context))


async def get_applications(
    context: Context, scopes: Sequence[tuple[str | None, str | None]]
) -> list[Application | Exception | None]:
    """The application of each organization and application id, as `get_organizations` does."""

    async def get(scope: tuple[str | None, str | None]) -> Application | None:
        organization_id, application_id = scope
        if organization_id is None or application_id is None:
            return None
        return await get_application(context, organization_id, application_id)

    return await load_distinct(scopes, get)


async def require_organization(context: Context, organization_id: str) -> Organization:
    """The organization. Raises `NotFound`."""
    organization = await get_organization(context, organization_id)
    if organization is None:
        raise NotFound("Organization not found", fields=["organizationId"])
    return organization


async def get_application(context: Context, organization_id: str, application_id: str) -> Application | None:
    """A registered application, or None."""
    organization = await get_organization(context, organization_id)
    applications = organization.applications if organization else []
    return next((a for a in applications if a.application_id == application_id), None)


async def require_application(context: Context, organization_id: str, application_id: str) -> Application:
    """A registered application. Raises `NotFound`."""
    await require_organization(context, organization_id)
    application = await get_application(context, organization_id, application_id)
    if application is None:
        raise NotFound("Application not found", fields=["applicationId"])
    return application


def require_all_applications(context: Context, organization_id: str) -> None:
    """Raise `Forbidden` if the grant is for some applications of an organization that it covers.

    What belongs to the organization itself is not theirs to change. This makes no store call.
    """
    grant = context.viewer.grant
    if grant.applications is not None and grant.covers(organization_id):
        raise Forbidden("This requires a grant for all applications of the organization.")


async def open_repository(
    context: Context, entity: type[E], organization_id: str, application_id: str | None = None
) -> Repository[E]:
    """The documents of an entity in an application or an organization that exists, to change them.

    Raises `NotFound`, and `Forbidden` for those of an organization if the grant is for some applications.

    A new document is stored only if its application still exists then: nothing is left of one that is deleted
    meanwhile, and a new application of the same id inherits nothing.
    """
    if application_id is None:
        require_all_applications(context, organization_id)
        await require_organization(context, organization_id)
        return Repository(context, entity, organization_id)
    await require_application(context, organization_id, application_id)
    guard = Guard(Application.collection_of(), is_registered(application_id), "Application")
    return Repository(context, entity, organization_id, application_id, guard=guard)


def is_registered(application_id: str) -> tuple[Condition, ...]:
    """What the document of all applications meets while it has an entry of this one."""
    return equals("key", APPLICATIONS_KEY), Exists(make_settings_path(application_id))


async def _read_config_entries(context: Context, tenant: Tenant) -> list[Document]:
    """The documents of the organization and of its applications, in one call for all organizations."""
    config = (tenant.documents.database, CONFIG)
    entries = await context.viewer.across.documents(CONFIG_ENTRIES).load(config)
    if isinstance(entries, Exception):
        raise entries
    return entries[::-1]  # the first document of a key counts, if another program has stored several
