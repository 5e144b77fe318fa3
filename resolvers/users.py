"""Users of an organization."""

from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.organizations import require_organization
from resolvers.rules.checks import check_value, require_name
from stores.contracts.documents import ALL, equals, format_time, utc_now
from stores.contracts.documents import Query as DocumentQuery
from stores.contracts.errors import Conflict
from stores.entities.collections import USERS
from stores.entities.users import User


async def list_users(context: Context, organization_id: str) -> list[User]:
    found = await context.viewer.tenant(organization_id).loaders.pages(USERS).load(ALL)
    return [User(each, organization_id) for each in found]


async def get_user(context: Context, organization_id: str, document_id: Any) -> User | None:
    loader = context.viewer.tenant(organization_id).loaders.pages(USERS)
    found = await loader.load(DocumentQuery(where=(equals("_id", document_id),), limit=1))
    return User(found[0], organization_id) if found else None


async def create_user(
    context: Context, organization_id: str, name: str, email: str, role: str | None
) -> User:
    """Keep a new user. Raises `Conflict` where the organization has one of that e-mail address."""
    tenant = context.viewer.tenant(organization_id)
    await require_organization(context, organization_id)
    kept = {
        "_id": ObjectId(),
        "name": require_name(name, "name"),
        "email": require_name(email, "email"),
        "role": check_value(role or "user", "role"),
        "status": "active",
        "organizationId": organization_id,
        "createdAt": format_time(utc_now()),
    }
    try:
        await tenant.documents.insert(USERS, kept)
    except Conflict:
        raise Conflict("User with this email already exists", fields=["email"]) from None
    return User(kept, organization_id)
