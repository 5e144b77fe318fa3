"""Services as they are kept, in the default database, and which of their values are secrets."""

import re
from typing import Any

from sync_gateway.stores.records import Record, Stored, optional, text, truth

TYPES = ("mqtt", "kafka", "influxdb", "timescaledb_cloud", "timescaledb", "redis", "topics")

MASK = "********"
SECRET = re.compile(
    "password|passwd|secret|token|api[_-]?key|access_key|private_key|credential", re.IGNORECASE
)


class Service(Record):
    __slots__ = ()

    name = Stored(text, "name", default="")
    type = optional(text, "type")
    enabled = Stored(truth, "enabled", default=False)
    configuration = optional(lambda value: value, "configuration")


def masked(value: Any, secret: bool = False) -> Any:
    """A copy in which every text under a key that names a secret is a mask; empty ones stay empty."""
    match value:
        case dict():
            return {k: masked(v, secret or bool(SECRET.search(k))) for k, v in value.items()}
        case list():
            return [masked(item, secret) for item in value]
        case str() if secret and value:
            return MASK
    return value


def unmasked(value: Any, stored: Any) -> Any:
    """A copy in which a mask stands for what is stored in its place."""
    match value:
        case dict():
            kept = stored if isinstance(stored, dict) else {}
            return {k: unmasked(v, kept.get(k)) for k, v in value.items()}
        case list():
            items = stored if isinstance(stored, list) else []
            return [unmasked(v, items[i] if i < len(items) else None) for i, v in enumerate(value)]
        case str() if value == MASK and isinstance(stored, str):
            return stored
    return value
