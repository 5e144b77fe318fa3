"""The custom scalars: how times, durations, free-form values and bytes are written in JSON."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NewType

import orjson
import strawberry
from bson import ObjectId
from strawberry.schema.config import StrawberryConfig

from stores.contracts.documents import format_time
from stores.contracts.samples import SECOND
from stores.contracts.times import WrittenDuration, WrittenTime
from stores.contracts.values import format_scalar

DateTime = NewType("DateTime", WrittenTime)  # in answers a datetime or an int: nanoseconds since 1970
Duration = NewType("Duration", WrittenDuration)  # in answers an int: nanoseconds
JSON = NewType("JSON", object)
Base64 = NewType("Base64", bytes)
BigInt = NewType("BigInt", int)


def to_json(value: Any) -> bytes:
    """The JSON of a response. It may contain stored values, which the encoder converts."""
    value = _format_columns(value)
    try:
        return _encode(value)
    except orjson.JSONEncodeError:
        return _encode(_embed_large_integers(value))


def _encode(value: Any) -> bytes:
    return orjson.dumps(value, default=_convert_stored, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _format_columns(value: Any) -> Any:
    """A list of documents in which ids and times are strings, if all of them have one under the same key.

    The encoder converts one value at a time, which takes twice as long as all the rest of its work.
    """
    if not (type(value) is list and len(value) > 1 and {dict}.issuperset(map(type, value))):
        return value
    documents = value
    for key, first in value[0].items():
        if type(first) not in (ObjectId, datetime):
            continue
        column = [document.get(key) for document in value]
        if {type(first)}.issuperset(map(type, column)):
            texts = list(map(str, column)) if type(first) is ObjectId else format_datetimes(column)
            documents = list(map(dict.copy, value)) if documents is value else documents
            for document, text in zip(documents, texts, strict=True):
                document[key] = text
    return documents


def _embed_large_integers(value: Any) -> Any:
    """A copy in which integers beyond 64 bits, such as sums, are ready JSON, because orjson refuses them."""
    match value:
        case dict():
            return {key: _embed_large_integers(member) for key, member in value.items()}
        case list() | tuple():
            return [_embed_large_integers(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: _embed_large_integers(getattr(value, field.name)) for field in fields(value)}
        case int() if not -(2**63) <= value < 2**64:
            return orjson.Fragment(str(value))
    return value


def _convert_stored(value: Any) -> Any:
    """Times and ids as strings, bytes as Base64, and null for types that only other programs store."""
    match value:  # first what every document has: an id and two times
        case ObjectId():
            return str(value)
        case datetime():
            return format_time(value)
    text = format_scalar(value)
    return base64.b64encode(value).decode() if text is None and isinstance(value, bytes) else text


def _parse_time(value: object) -> WrittenTime:
    try:
        if isinstance(value, str):
            return WrittenTime.parse(value)
    except ValueError:
        pass
    raise ValueError("a DateTime is a string such as 2026-01-31T09:05:07.123Z")


def _format_datetime(value: datetime | int) -> str:
    """A time with three, six or nine digits after the second, as it needs."""
    if isinstance(value, datetime):
        return format_time(value)
    seconds, rest = divmod(value, SECOND)
    milliseconds, below = divmod(rest, 1_000_000)
    if not below:
        return f"{_format_second(seconds)}.{milliseconds:03}Z"
    digits = f"{rest:09}"
    return f"{_format_second(seconds)}.{digits[:6] if digits.endswith('000') else digits}Z"


def format_datetimes(times: Sequence[datetime]) -> list[str]:
    """Stored times as strings. Writing them together takes a ninth of the time that one by one takes."""
    written = orjson.dumps(times, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode()
    texts = written.replace('000Z"', 'Z"')[2:-2].split('","')
    if {24}.issuperset(map(len, texts)):
        return texts
    # orjson writes six digits after the second, or none at all.
    return [text if len(text) == 24 else format_time(time) for text, time in zip(texts, times, strict=True)]


def _format_second(seconds: int) -> str:
    day, second = divmod(seconds, 86_400)
    return f"{_format_day(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


@lru_cache(4096)  # the times of a series are close together
def _format_day(day: int) -> str:
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


_INTEGER = re.compile(r"-?[0-9]{1,100}")


def _parse_duration(value: object) -> WrittenDuration:
    try:
        if isinstance(value, str):
            return WrittenDuration.parse(value)
    except ValueError:
        pass
    raise ValueError("a Duration is a string such as PT5M, PT24H or P7D, or 5m, 24h or 7d")


def _format_duration(value: int) -> str:
    """A duration in hours, minutes and seconds, because a day does not always have 24 hours."""
    seconds, rest = divmod(value, SECOND)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    fraction = f"{rest:09}".rstrip("0")
    parts = f"{hours}H" * bool(hours) + f"{minutes}M" * bool(minutes)
    if seconds or fraction or not parts:
        parts += f"{seconds}{'.' * bool(fraction)}{fraction}S"
    return f"PT{parts}"


def _parse_integer(value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise ValueError("a BigInt is a string of at most 100 decimal digits")


def _parse_bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a Base64 value is a string")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("the string is not valid Base64") from None


CONFIG = StrawberryConfig(
    auto_camel_case=True,
    scalar_map={
        DateTime: strawberry.scalar(
            name="DateTime",
            description="A point in time as RFC 3339 writes it, with up to nine digits after the second:"
            " `2026-01-31T09:05:07.123Z`. Answers are in UTC. In a range of time, a time without an offset is"
            " local time of the time zone in force; elsewhere it is UTC.",
            specified_by_url="https://scalars.graphql.org/andimarek/date-time",
            serialize=_format_datetime,
            parse_value=_parse_time,
        ),
        Duration: strawberry.scalar(
            name="Duration",
            description="A length of time as ISO 8601 writes it, in weeks, days, hours, minutes and seconds:"
            " `PT5M`, `P1DT12H`. Inputs may also be intervals as Grafana writes them: `5m`, `1d12h`.",
            specified_by_url="https://scalars.graphql.org/andimarek/duration",
            serialize=_format_duration,
            parse_value=_parse_duration,
        ),
        JSON: strawberry.scalar(
            name="JSON",
            description="Any JSON value.",
            serialize=lambda value: value,
            parse_value=lambda value: value,
        ),
        BigInt: strawberry.scalar(
            name="BigInt",
            description="An integer of any size, as a string of decimal digits: `18446744073709551615`.",
            serialize=str,
            parse_value=_parse_integer,
        ),
        Base64: strawberry.scalar(
            name="Base64",
            description="Bytes as a Base64 string (RFC 4648, section 4).",
            serialize=lambda value: base64.b64encode(value).decode(),
            parse_value=_parse_bytes,
        ),
    },
)
