"""API keys: the credentials that the gateway itself gives to programs."""

from typing import Any

from stores.contracts.records import (
    Stored,
    optional,
    read_bool,
    read_object,
    read_or_empty,
    read_string,
    read_strings,
    read_time,
)
from stores.entities.entity import SHARED, Entity


def _read_applications(value: Any) -> list[str] | None:
    return None if value is None else read_strings(value)


def _read_limits(value: Any) -> dict[str, int]:
    """The limits of a key. One that cannot be read permits as little as possible."""
    names = ("cost_per_minute", "concurrent_requests")
    limits = {name: read_object(value).get(name) for name in names}
    return {
        name: limit if type(limit) is int and limit > 0 else 1
        for name, limit in limits.items()
        if limit is not None
    }


class ApiKey(Entity):
    """A key and its rights. Of the key itself, only its id and the hash of its secret are stored."""

    __slots__ = ()

    scope = SHARED
    collection = "gateway_api_keys"
    node_kind = None
    document_kind = None
    unique = (("keyId",),)
    indexes = ("keyId",)
    secrets = ()

    key_id = Stored(read_string, "keyId", default="")
    name = Stored(read_string, "name", default="")
    secret_sha256 = Stored(read_string, "secretSha256", default="")
    role = optional(read_string, "role")
    organization_ids = read_or_empty(read_strings, "organizationIds")
    application_ids = optional(_read_applications, "applicationIds")
    ingest = Stored(read_bool, "ingest", default=False)
    limits = read_or_empty(_read_limits, "limits")
    created_by = optional(read_string, "createdBy")
    expires_at = optional(read_time, "expiresAt")
    revoked_at = optional(read_time, "revokedAt")
    last_used_at = optional(read_time, "lastUsedAt")
