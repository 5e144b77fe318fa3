"""Users in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import scopes, users
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import optional, required
from schema.engine.scalars import DateTime
from schema.types.node import Node
from schema.types.shared import (
    CREATED_AT,
    DOCUMENT_ID,
    IDEMPOTENCY_KEY,
    IN_ORGANIZATION,
    ORGANIZATION,
    get_context_of_creation,
)
from stores.entities import users as stored


@strawberry.type(description="A person who belongs to an organization.")
class User(Node):
    document_id: str = attribute(DOCUMENT_ID)
    name: str = attribute("The name of the person.")
    email: str = attribute("The e-mail address, unique within the organization.")
    role: str = attribute("The role, such as `admin`, `user` or `viewer`.")
    status: str = attribute("The status, such as `active`.")
    created_at: DateTime | None = attribute(CREATED_AT)

    @derived(IN_ORGANIZATION, ORGANIZATION)
    async def organization(root: strawberry.Parent[stored.User], info: Info) -> Any:
        assert root.organization_id is not None
        return await scopes.require_organization(info.context, root.organization_id)


@strawberry.input(description="A new user.")
class CreateUserInput:
    organization_id: str = required("The id of the organization.")
    name: str = required("The name of the person.")
    email: str = required("The e-mail address, unique within the organization.")
    role: str | None = optional("The role; `user` by default.", None)
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.type(description="The user after the mutation.")
class UserPayload:
    user: User | None = attribute("The created user.")


@strawberry.type
class UserMutations:
    @mutation("Creates a user of an organization.")
    async def create_user(
        self, info: Info, input: Annotated[CreateUserInput, argument("The new user.")]
    ) -> UserPayload | None:
        created = await users.create_user(
            get_context_of_creation(info, input), input.organization_id, input.name, input.email, input.role
        )
        return UserPayload(user=as_type(User, created))
