"""API keys in the graph."""

from dataclasses import asdict
from datetime import timedelta
from enum import Enum
from typing import Annotated

import strawberry

from resolvers import key_administration
from resolvers.api_keys import KeySpec
from resolvers.grants import GrantLimits, Role
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import optional, required
from schema.engine.scalars import JSON, DateTime, Duration
from schema.types.shared import CREATED_AT
from stores.contracts.times import WrittenDuration
from stores.entities import api_keys as stored

LIMITS = (
    "The limits of its own by name, such as `{cost_per_minute: 60000}`. What is not named is as the settings"
    " say."
)
WEEK = Duration(WrittenDuration.parse("P7D"))


@strawberry.enum(name="Role", description="What a key may do in its organizations.")
class KeyRole(Enum):
    VIEWER = strawberry.enum_value(Role.VIEWER, description="Reads.")
    EDITOR = strawberry.enum_value(
        Role.EDITOR, description="Also changes devices, connectors, event classes and functions."
    )
    ADMIN = strawberry.enum_value(
        Role.ADMIN,
        description="Also changes the organization: users, gateways, applications, icons, keys.",
    )
    OPERATOR = strawberry.enum_value(Role.OPERATOR, description="Does everything, in every organization.")


@strawberry.type(description="An API key and its rights. The key itself is not stored.")
class ApiKey:
    key_id: str = attribute("The id of the key, which is a part of it.")
    name: str = attribute("What the key is for.")
    role: str | None = attribute(
        "The role: `viewer`, `editor`, `admin` or `operator`. Null if it reads nothing."
    )
    application_ids: list[str] | None = attribute(
        "The applications that it is limited to. Null if it is not."
    )
    ingest: bool = attribute("Whether it may write points.")
    limits: JSON = attribute(LIMITS)
    created_at: DateTime | None = attribute(CREATED_AT)
    created_by: str | None = attribute("The id of the key that created it.")
    expires_at: DateTime | None = attribute("The time when it ends. Null if it does not.")
    revoked_at: DateTime | None = attribute("The time when it was revoked.")
    last_used_at: DateTime | None = attribute("The time of its last use, within a minute.")

    @derived("The organizations that it is for, as far as you may see them. A key of an operator names none.")
    def organization_ids(root: strawberry.Parent[stored.ApiKey], info: Info) -> list[str]:
        return key_administration.get_visible_organizations(info.context, root)


@strawberry.input(description="What a key may use at most.")
class KeyLimitsInput:
    cost_per_minute: int | None = optional("The cost of its requests in a minute.", None)
    concurrent_requests: int | None = optional("The number of its requests at the same time.", None)


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    name: str = required("What the key is for, such as a dashboard.")
    organization_ids: list[str] = optional("The organizations that it is for; none for an operator.", ())
    role: KeyRole | None = optional("The role. Without a role, the key reads nothing.", None)
    ingest: bool = optional("Whether it may write points.", False)
    application_ids: list[str] | None = optional("Only these applications of the organizations.", None)
    expires_at: DateTime | None = optional("The time when it ends.", None)
    limits: KeyLimitsInput | None = optional("Limits of its own, below those of the settings.", None)


@strawberry.input(description="An API key to revoke.")
class RevokeApiKeyInput:
    key_id: str = required("The id of the key.")


@strawberry.input(description="An API key to replace.")
class RotateApiKeyInput:
    key_id: str = required("The id of the key.")
    overlap: Duration = optional("How long the old key stays valid.", WEEK)


@strawberry.type(description="An API key after the mutation.")
class ApiKeyPayload:
    api_key: ApiKey | None = attribute("The key and its rights.")
    secret: str | None = attribute("The key itself, which cannot be shown again. Null unless it is new.")


@strawberry.type
class ApiKeyQueries:
    @derived(
        "The API keys of your organizations, revoked and expired ones too, in the order of creation.",
        list[ApiKey],
    )
    async def api_keys(self, info: Info) -> list[stored.ApiKey]:
        return await key_administration.list_keys(info.context)


@strawberry.type
class ApiKeyMutations:
    @mutation("Creates an API key.")
    async def create_api_key(
        self, info: Info, input: Annotated[CreateApiKeyInput, argument("The new key.")]
    ) -> ApiKeyPayload | None:
        spec = KeySpec(
            input.name,
            tuple(input.organization_ids),
            None if input.role is None else Role[input.role.name],
            input.ingest,
            None if input.application_ids is None else tuple(input.application_ids),
            input.expires_at,
            GrantLimits() if input.limits is None else GrantLimits(**asdict(input.limits)),
        )
        key, text = await key_administration.create_key(info.context, spec)
        return ApiKeyPayload(api_key=as_type(ApiKey, key), secret=text)

    @mutation("Revokes an API key for good. Every server rejects it within 5 seconds.")
    async def revoke_api_key(
        self, info: Info, input: Annotated[RevokeApiKeyInput, argument("The key.")]
    ) -> ApiKeyPayload | None:
        key = await key_administration.revoke_key(info.context, input.key_id)
        return ApiKeyPayload(api_key=as_type(ApiKey, key), secret=None)

    @mutation("Creates an API key with the rights of an old one, which ends after a while.")
    async def rotate_api_key(
        self, info: Info, input: Annotated[RotateApiKeyInput, argument("The old key.")]
    ) -> ApiKeyPayload | None:
        overlap = timedelta(seconds=min(input.overlap // 1_000_000_000, 10**10))
        key, text = await key_administration.rotate_key(info.context, input.key_id, overlap)
        return ApiKeyPayload(api_key=as_type(ApiKey, key), secret=text)
