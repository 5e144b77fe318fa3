"""The custom scalars: how times, free-form values and bytes cross the wire."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, NewType

import orjson
import strawberry
from bson import Decimal128, ObjectId
from strawberry.schema.config import StrawberryConfig

from sync_gateway.stores.documents import iso

DateTime = NewType("DateTime", datetime)
JSON = NewType("JSON", object)
Base64 = NewType("Base64", bytes)


def to_json(value: Any) -> bytes:
    """JSON of an answer. Stored values stand in it as they are; the encoder turns them in passing."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    """Times and ids as text, bytes as Base64; of types that only other programs store, nothing."""
    match value:
        case datetime():
            return iso(value)
        case ObjectId() | Decimal128():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
    return None


def _parse_time(value: object) -> datetime:
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError("a DateTime is a text such as 2026-01-31T09:05:07.123Z")
    try:
        time = datetime.fromisoformat(value)
        time = (time.astimezone(UTC) if time.tzinfo else time).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError("a DateTime is a text such as 2026-01-31T09:05:07.123Z") from None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _parse_bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a Base64 is a text")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("the text is no Base64") from None


CONFIG = StrawberryConfig(
    auto_camel_case=True,
    scalar_map={
        DateTime: strawberry.scalar(
            name="DateTime",
            description="A point in time, RFC 3339 in UTC with milliseconds: 2026-01-31T09:05:07.123Z.",
            specified_by_url="https://scalars.graphql.org/andimarek/date-time",
            serialize=iso,
            parse_value=_parse_time,
        ),
        JSON: strawberry.scalar(
            name="JSON",
            description="Any JSON value, as free-form documents hold it.",
            serialize=lambda value: value,
            parse_value=lambda value: value,
        ),
        Base64: strawberry.scalar(
            name="Base64",
            description="Bytes as Base64 text (RFC 4648, section 4).",
            serialize=lambda value: base64.b64encode(value).decode(),
            parse_value=_parse_bytes,
        ),
    },
)
