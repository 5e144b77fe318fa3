"""Secrets inside documents: which values are secrets, and how they are masked."""

import re
from collections.abc import Callable
from typing import Any

MASK = "********"
SECRET = re.compile(
    "password|passwd|secret|token|api[_-]?key|access_key|private_key|credential", re.IGNORECASE
)


def map_secrets(value: Any, convert: Callable[[str], str], secret: bool = False) -> Any:
    """A copy with `convert` applied to every string under a key that names a secret, except empty strings."""
    match value:
        case dict():
            return {k: map_secrets(v, convert, secret or bool(SECRET.search(k))) for k, v in value.items()}
        case list():
            return [map_secrets(item, convert, secret) for item in value]
        case str() if secret and value:
            return convert(value)
    return value


def mask_secrets(value: Any) -> Any:
    """A copy of `value` in which every secret is replaced by a mask."""
    return map_secrets(value, lambda _: MASK)


def restore_secrets(value: Any, stored: Any) -> Any:
    """A copy of `value` in which every mask is replaced by the stored value at the same path."""
    match value:
        case dict():
            kept = stored if isinstance(stored, dict) else {}
            return {k: restore_secrets(v, kept.get(k)) for k, v in value.items()}
        case list():
            items = stored if isinstance(stored, list) else []
            return [restore_secrets(v, items[i] if i < len(items) else None) for i, v in enumerate(value)]
        case str() if value == MASK and isinstance(stored, str):
            return stored
    return value
