"""API keys as a viewer administers them: nobody gives, changes or sees more rights than their own."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from resolvers.api_keys import (
    KeySpec,
    create_api_key,
    find_api_key,
    grant_of,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from resolvers.context import Context
from resolvers.grants import GrantLimits, Role
from resolvers.scopes import require_application, require_organization
from stores.contracts.errors import BadUserInput, Forbidden, NotFound
from stores.entities.api_keys import ApiKey


async def list_keys(context: Context) -> list[ApiKey]:
    """The keys for organizations of the viewer. Only operators see the keys of operators."""
    keys = await list_api_keys(context.viewer.key_documents)
    return [key for key in keys if _is_visible(context, key)]


async def create_key(context: Context, spec: KeySpec) -> tuple[ApiKey, str]:
    """Create a key, and return it with its text.

    Raises `NotFound` for an organization or application that does not exist, and `Forbidden` for rights that
    the viewer does not have.
    """
    _check_rights(context, spec.role, spec.application_ids)
    _check_end(context, spec.expires_at)
    _check_limits(context, spec.limits)
    for organization_id in spec.organization_ids:
        await require_organization(context, organization_id)
        for application_id in spec.application_ids or ():
            await require_application(context, organization_id, application_id)
    return await create_api_key(context.viewer.key_documents, spec, created_by=context.viewer.grant.subject)


async def revoke_key(context: Context, key_id: str) -> ApiKey:
    """Revoke a key for good. Raises `NotFound` and `Forbidden`."""
    await _require_key(context, key_id)
    return await revoke_api_key(context.viewer.key_documents, key_id)


async def rotate_key(context: Context, key_id: str, overlap: timedelta) -> tuple[ApiKey, str]:
    """A key with the rights of an old one, which ends after `overlap`.

    Raises `BadUserInput`, `NotFound` and `Forbidden`.
    """
    if overlap < timedelta():
        raise BadUserInput("`overlap` must not be negative.", fields=["overlap"])
    key = await _require_key(context, key_id)
    _check_end(context, key.expires_at)
    _check_limits(context, grant_of(key).limits)
    subject = context.viewer.grant.subject
    return await rotate_api_key(context.viewer.key_documents, key_id, overlap, created_by=subject)


def get_visible_organizations(context: Context, key: ApiKey) -> list[str]:
    """The organizations of a key that the viewer may see."""
    return [id_ for id_ in key.organization_ids if context.viewer.grant.covers(id_)]


async def _require_key(context: Context, key_id: str) -> ApiKey:
    key = await find_api_key(context.viewer.key_documents, key_id)
    if not _is_visible(context, key):
        raise NotFound("API key not found", fields=["keyId"])
    if get_visible_organizations(context, key) != key.organization_ids:
        raise Forbidden("The key is also for organizations of others: an operator can change it.")
    _check_rights(context, _get_role_of(key), key.application_ids)
    return key


def _is_visible(context: Context, key: ApiKey) -> bool:
    if context.viewer.grant.is_operator:
        return True
    own = context.viewer.grant.applications
    if own is not None and not own.issuperset(key.application_ids or ["*"]):
        return False
    return _get_role_of(key) is not Role.OPERATOR and bool(get_visible_organizations(context, key))


def _check_rights(context: Context, role: Role | None, application_ids: Iterable[str] | None) -> None:
    grant = context.viewer.grant
    if role is not None and not grant.allows(role):
        raise Forbidden(
            f"Only a viewer with the role {role.name.lower()} may give or change it.", fields=["role"]
        )
    if grant.applications is not None and not grant.applications.issuperset(application_ids or ["*"]):
        raise Forbidden("A key must be for applications of yours.", fields=["applicationIds"])


def _check_end(context: Context, expires_at: datetime | None) -> None:
    end = context.viewer.grant.expires_at
    if end is not None and (expires_at is None or expires_at > end):
        raise Forbidden("A new key must end no later than your own rights.", fields=["expiresAt"])


def _check_limits(context: Context, limits: GrantLimits) -> None:
    if not limits.are_within(context.viewer.grant.limits):
        raise Forbidden("A new key may use no more than you may use.", fields=["limits"])


def _get_role_of(key: ApiKey) -> Role | None:
    return Role.__members__.get((key.role or "").upper())
