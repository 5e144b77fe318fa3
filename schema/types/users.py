"""Users in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import organizations, users
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import optional, required
from schema.engine.scalars import DateTime
from schema.types.node import Node
from schema.types.shared import ORGANIZATION
from stores.entities import users as stored


@strawberry.type(description="A person of an organization.")
class User(Node):
    document_id: str = attribute("The id in the store.")
    name: str = attribute("The name.")
    email: str = attribute("The e-mail address, unique within the organization.")
    role: str = attribute("The role, such as `admin`, `user` or `viewer`.")
    status: str = attribute("The status, such as `active`.")
    created_at: DateTime | None = attribute("When it was made.")

    @derived("The organization it belongs to.", ORGANIZATION)
    async def organization(root: strawberry.Parent[stored.User], info: Info) -> Any:
        assert root.organization_id is not None
        return await organizations.require_organization(info.context, root.organization_id)


@strawberry.input(description="A new user.")
class CreateUserInput:
    organization_id: str = required("The organization.")
    name: str = required("The name.")
    email: str = required("The e-mail address, unique within the organization.")
    role: str | None = optional("The role; `user` when it is not given.", None)


@strawberry.type(description="The user as it is now.")
class UserPayload:
    user: User = attribute("The user.")


@strawberry.type
class UserMutations:
    @mutation("Create a user.")
    async def create_user(
        self, info: Info, input: Annotated[CreateUserInput, argument("The user.")]
    ) -> UserPayload:
        created = await users.create_user(
            info.context, input.organization_id, input.name, input.email, input.role
        )
        return UserPayload(user=created)  # type: ignore[arg-type]  # a record
