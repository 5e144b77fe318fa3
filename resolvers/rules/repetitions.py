"""Idempotency keys: a creation that a client repeats under the same key is applied once."""

import hmac
from dataclasses import replace

from resolvers.context import Context
from stores.contracts.documents import IdempotencyKey
from stores.contracts.errors import BadUserInput, Conflict

MAX_KEY_LENGTH = 255
KEY_FIELD = "idempotencyKey"


def run_once_per_key(context: Context, key: str | None, request: bytes) -> Context:
    """The context of a creation. `request` is everything that the creation depends on.

    A repetition within 24 hours returns the first result; another request under the key raises `Conflict`.
    """
    if key is None:
        return context
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise BadUserInput(f"{KEY_FIELD} must have 1 to {MAX_KEY_LENGTH} characters", fields=[KEY_FIELD])
    # The fingerprint is signed, because a request may hold secrets; the oldest key outlives new ones.
    secret = context.cipher.derive_keys("idempotency keys")[-1] if context.cipher.has_keys else b""
    return replace(context, idempotency=IdempotencyKey(key, hmac.digest(secret, request, "sha256").hex()))


def is_other_request(error: Conflict) -> bool:
    """Whether the error says that the key was used for another request."""
    return error.extensions.get("fields") == [KEY_FIELD]
