"""Users of an organization."""

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_value, require_name
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import format_time, utc_now
from stores.contracts.errors import Conflict
from stores.entities.users import User


async def list_users(context: Context, organization_id: str) -> list[User]:
    """All users of an organization."""
    return await Repository(context, User, organization_id).list_all()


async def create_user(
    context: Context, organization_id: str, name: str, email: str, role: str | None
) -> User:
    """Create a user. Raises `Conflict` if the organization has one with this e-mail address."""
    users = await open_repository(context, User, organization_id)
    document = {
        "_id": ObjectId(),
        "name": require_name(name, "name"),
        "email": require_name(email, "email"),
        "role": check_value(role or "user", "role"),
        "status": "active",
        "organizationId": organization_id,
        "createdAt": format_time(utc_now()),
    }
    taken = Conflict("User with this email already exists", fields=["email"])
    return await users.insert(document, conflict=taken)
