"""Users in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import scopes, users
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import DateTime
from schema.types.node import Node
from schema.types.shared import (
    CREATED_AT,
    DOCUMENT_ID,
    IDEMPOTENCY_KEY,
    IN_ORGANIZATION,
    ORGANIZATION,
    UPDATED_AT,
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
    updated_at: DateTime | None = attribute(UPDATED_AT)

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


@strawberry.input(description="A change of a user. Fields that are left out stay unchanged.")
class UpdateUserInput:
    organization_id: str = required("The id of the organization.")
    document_id: str = required("The `documentId` of the user.")
    name: str | None = optional("The name of the person.")
    email: str | None = optional("The e-mail address, unique within the organization.")
    role: str | None = optional("The role, such as `admin`, `user` or `viewer`.")
    status: str | None = optional("The status, such as `active`.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The user to delete.")
class DeleteUserInput:
    organization_id: str = required("The id of the organization.")
    document_id: str = required("The `documentId` of the user.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The user after the mutation or, if it was deleted, before it.")
class UserPayload:
    user: User | None = attribute("The user that was created, changed or deleted.")


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

    @mutation("Changes a user of an organization.")
    async def update_user(
        self,
        info: Info,
        input: Annotated[UpdateUserInput, argument("The change, and the user to apply it to.")],
    ) -> UserPayload | None:
        values = select_provided_values(input, "name", "email", "role", "status")
        changed = await users.update_user(
            info.context, input.organization_id, input.document_id, values, input.if_updated_at
        )
        return UserPayload(user=as_type(User, changed))

    @mutation("Deletes a user of an organization.")
    async def delete_user(
        self, info: Info, input: Annotated[DeleteUserInput, argument("The user to delete.")]
    ) -> UserPayload | None:
        deleted = await users.delete_user(
            info.context, input.organization_id, input.document_id, input.if_updated_at
        )
        return UserPayload(user=as_type(User, deleted))
