"""Ids: those of the store, and the global ids that identify an entity across all organizations."""

import base64
import binascii
import math
import time
from collections.abc import Iterator
from types import NoneType
from typing import Any

import orjson
from bson import ObjectId
from bson.errors import InvalidId

from stores.contracts.values import dump_id, load_id


def is_object_id(value: str) -> bool:
    """Whether a string is an ObjectId in hexadecimal digits."""
    return len(value) == 24 and all(c in "0123456789abcdefABCDEF" for c in value)


def encode_global_id(kind: str, *keys: Any) -> str:
    """An opaque id: the kind of an entity and its keys, outermost first. The keys keep their BSON types."""
    encoded = [_encode_key(key) for key in keys]
    return base64.urlsafe_b64encode(orjson.dumps([kind, *encoded])).decode().rstrip("=")


def decode_global_id(value: str) -> tuple[str, list[Any]] | None:
    """The kind and the keys of a global id, or None if the string is not one."""
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        kind, *encoded = orjson.loads(raw)
        keys = [_decode_key(key) for key in encoded]
        if not isinstance(kind, str) or encode_global_id(kind, *keys) != value:
            return None
    except (binascii.Error, ValueError, TypeError, KeyError, InvalidId):
        return None
    return kind, keys


def _encode_key(key: Any) -> Any:
    """Strings, numbers and null as they are; other types as an object with one key."""
    if isinstance(key, ObjectId):
        return {"": str(key)}
    is_json = type(key) in (str, int, bool, NoneType) or (type(key) is float and math.isfinite(key))
    return key if is_json else {"$": dump_id(key)}


def _decode_key(key: Any) -> Any:
    match key:
        case {"": str(text)}:
            return ObjectId(text)
        case {"$": str(text)}:
            return load_id(text)
        case str() | int() | float() | None:
            return key
    raise ValueError


def generate_ids(prefix: str) -> Iterator[str]:
    """Ids that name the current millisecond and those after it, in case one is taken."""
    milliseconds = time.time_ns() // 1_000_000
    for later in range(10_000):
        yield f"{prefix}_{milliseconds + later}"
