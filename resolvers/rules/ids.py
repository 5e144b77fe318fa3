"""Ids: those of the store, and the global ids that identify an entity across all organizations."""

import base64
import binascii
import time
from collections.abc import Iterator
from typing import Any

import orjson
from bson import ObjectId
from bson.errors import InvalidId

from stores.contracts.errors import BadUserInput


def parse_object_id(value: str, field: str, message: str = "") -> ObjectId:
    """The object id of 24 hex digits. Raises `BadUserInput` for anything else."""
    if len(value) == 24 and all(c in "0123456789abcdefABCDEF" for c in value):
        return ObjectId(value)
    raise BadUserInput(message or f"{field} is not an id of 24 hex digits", fields=[field])


def encode_global_id(kind: str, *keys: Any) -> str:
    """An opaque id: the kind of an entity and its keys, outermost first. Object ids keep their type."""
    encoded = [{"": str(key)} if isinstance(key, ObjectId) else key for key in keys]
    return base64.urlsafe_b64encode(orjson.dumps([kind, *encoded], default=str)).decode().rstrip("=")


def decode_global_id(value: str) -> tuple[str, list[Any]] | None:
    """The kind and the keys of a global id, or None if the string is not one."""
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        kind, *keys = orjson.loads(raw)
        keys = [ObjectId(key[""]) if isinstance(key, dict) else key for key in keys]
    except (binascii.Error, ValueError, TypeError, KeyError, InvalidId):
        return None
    are_scalars = all(isinstance(key, str | int | float | ObjectId | None) for key in keys)
    if not isinstance(kind, str) or not are_scalars or encode_global_id(kind, *keys) != value:
        return None
    return kind, keys


def generate_ids(prefix: str) -> Iterator[str]:
    """Ids that name the current millisecond and those after it, in case one is taken."""
    milliseconds = time.time_ns() // 1_000_000
    for later in range(10_000):
        yield f"{prefix}_{milliseconds + later}"
