"""Users of an organization."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_value, require_name
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import Change, Touch, format_time, utc_now
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
    return await users.insert(document, conflict=_make_conflict())


async def update_user(
    context: Context,
    organization_id: str,
    document_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> User:
    """Set the given fields. Raises `NotFound`, and `Conflict` if another user has the e-mail address."""
    change = Change(
        set={(name,): require_name(value, name) for name, value in values.items()},
        touch=Touch(("updatedAt",), as_string=True),
    )
    users = await open_repository(context, User, organization_id)
    condition = await users.match_id(document_id)
    return await users.update([condition], change, if_updated_at=if_updated_at, conflict=_make_conflict())


async def delete_user(
    context: Context, organization_id: str, document_id: str, if_updated_at: datetime | None
) -> User:
    """Delete a user and return it as it was. Raises `NotFound` and `Conflict`."""
    users = await open_repository(context, User, organization_id)
    condition = await users.match_id(document_id)
    return await users.delete([condition], if_updated_at=if_updated_at)


def _make_conflict() -> Conflict:
    return Conflict("User with this email already exists", fields=["email"])
