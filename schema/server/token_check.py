"""From a token of an identity provider to a grant.

A token never carries rights: the settings map its claims to grants. A JSON Web Token (RFC 7519) is checked as
RFC 8725 advises. Whatever is wrong with a token, its sender learns only that it is not valid.
"""

import base64
import json
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import jwt
from cachetools import TLRUCache

from resolvers.grants import Grant, GrantLimits, Role
from schema.server.background import Work
from schema.server.issuer_settings import ClaimGrant, IssuerSettings
from schema.server.key_sets import KeySet
from stores.contracts.errors import Forbidden, Unauthenticated

log = logging.getLogger(__name__)
MAX_TOKEN_BYTES = 8 * 1024
LEEWAY_S = 30  # by which clocks may differ
MAX_CACHED_BYTES, MAX_CACHE_S = 16 * 1024 * 1024, 60.0  # of tokens that were checked, by estimate
Claims = dict[str, Any]


class TokenCheck:
    """Checks tokens against the keys of their issuers."""

    def __init__(self, key_sets: Iterable[KeySet], clock: Callable[[], float] = time.time) -> None:
        self._key_sets = {key_set.settings.issuer: key_set for key_set in key_sets}
        self._grants: TLRUCache[bytes, Grant] = TLRUCache(
            MAX_CACHED_BYTES, _find_cache_end, clock, _estimate_bytes
        )

    def get_cache_size(self) -> int:
        """The number of cached entries."""
        return len(self._grants)

    async def __call__(self, token: str) -> Grant:
        """The grant of a token. Raises `Unauthenticated`, `Forbidden` and `Unavailable`.

        A token that was checked is not checked again for a minute, unless it expires before.
        """
        encoded = token.encode()
        if len(encoded) > MAX_TOKEN_BYTES:
            raise Unauthenticated("The token is not valid.")
        digest = sha256(encoded).digest()
        grant = self._grants.get(digest)
        if grant is None:
            grant = self._grants[digest] = await self._check(token)
        return grant

    def tasks(self) -> dict[str, Work]:
        """What to run in the background, by name: it keeps the keys of the issuers fresh."""
        return {f"keys of {issuer}": key_set.keep_fresh for issuer, key_set in self._key_sets.items()}

    async def _check(self, token: str) -> Grant:
        try:
            header, claims = _read_unverified(token)
            issuer, algorithm, key_id = claims.get("iss"), header.get("alg"), header.get("kid")
            key_set = self._key_sets.get(issuer) if isinstance(issuer, str) else None
            if key_set is None:
                raise jwt.InvalidIssuerError
            if algorithm not in key_set.settings.algorithms or not isinstance(key_id, str | None):
                raise jwt.InvalidAlgorithmError
            key = await key_set.find(key_id, algorithm)
            if key is None:
                raise jwt.InvalidKeyError
            return _map_claims(_verify(token, key, key_set.settings), key_set.settings)
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            log.debug("a token is not valid: %s", type(error).__name__)  # the message may quote the token
            raise Unauthenticated("The token is not valid.") from None


def _find_cache_end(digest: bytes, grant: Grant, now: float) -> float:
    assert grant.expires_at is not None, "tokens without an end are not valid"
    return min(now + MAX_CACHE_S, grant.expires_at.replace(tzinfo=UTC).timestamp())


def _estimate_bytes(grant: Grant) -> int:
    """The memory of a cached grant: mostly the names of what it covers, which come from the token."""
    names = [grant.subject, *(grant.organizations or ()), *(grant.applications or ())]
    return 1024 + sum(len(name) + 100 for name in names)


def _read_unverified(token: str) -> tuple[Claims, Claims]:
    """The header and the claims, which say whose key to check them with. Raises `ValueError`."""
    header, claims, _ = token.split(".")
    return _read_object(header), _read_object(claims)


def _read_object(segment: str) -> Claims:
    text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    value = json.loads(text, object_pairs_hook=_reject_duplicates)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _reject_duplicates(members: list[tuple[str, Any]]) -> Claims:
    """The members of an object. With a name twice, two programs could read two different tokens."""
    value = dict(members)
    if len(value) < len(members):
        raise ValueError("a name occurs twice")
    return value


def _verify(token: str, key: jwt.PyJWK, settings: IssuerSettings) -> Claims:
    """The claims of a token whose signature, issuer, audience and times are right. Raises `PyJWTError`."""
    return jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=settings.audience,
        issuer=settings.issuer,
        leeway=LEEWAY_S,
        options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
    )


def _map_claims(claims: Claims, settings: IssuerSettings) -> Grant:
    """The grant of the first entry of the settings that matches. Raises `Forbidden` if none does."""
    subject = _find_claim(claims, settings.subject)
    if not isinstance(subject, str) or not subject:
        raise jwt.MissingRequiredClaimError(settings.subject)
    expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC).replace(tzinfo=None)
    for entry in settings.grants:
        value = _find_claim(claims, entry.claim)
        if value == entry.value or (isinstance(value, list) and entry.value in value):
            return _make_grant(entry, f"{settings.issuer}|{subject}", expires_at)
    raise Forbidden("The token is valid, but its claims match no grant of the gateway's settings.")


def _find_claim(claims: Claims, name: str) -> Any:
    """A claim by its name, or else by the path of a nested one. None if there is no such claim."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _make_grant(entry: ClaimGrant, subject: str, expires_at: datetime) -> Grant:
    role = None if entry.role is None else Role[entry.role.upper()]
    return Grant(
        subject,
        role,
        organizations=None if role is Role.OPERATOR else frozenset(entry.organizations),
        applications=None if entry.applications is None else frozenset(entry.applications),
        ingest=entry.ingest,
        expires_at=expires_at,
        limits=GrantLimits(**entry.limits.model_dump()),
    )
