"""How stored scalars are shown as strings, and which stored values a string may stand for.

Stored keys and ids may have any BSON type, but clients send and read strings. Numbers are shown as JavaScript
shows them, because the old system does: the number 5.0 is `5`.
"""

import contextlib
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp, json_util
from bson.binary import UUID_SUBTYPE
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d+)?|NaN|-?Infinity")
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_JSON = json_util.CANONICAL_JSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
MAX_ID_LENGTH = 4096  # characters of an id that is written as extended JSON
ID_TYPES = (Binary, bytes, Code, datetime, DatetimeMS, Decimal128, float, Int64, MaxKey, MinKey, Timestamp)


def format_scalar(value: Any) -> str | None:
    """The string of a scalar; None for null and for what has no obvious string."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return format_number(value)
        case ObjectId() | Decimal128():
            return str(value)
        case datetime():
            return format_time(value)
        case Binary() if value.subtype == UUID_SUBTYPE and len(value) == 16:
            return str(UUID(bytes=value))
    return None


def format_number(value: float) -> str:
    """A number as JavaScript writes it: `5`, `0.1`, `1e+21`, `NaN`."""
    if isinstance(value, int):
        return str(int(value))
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+}"


def format_time(time: datetime) -> str:
    """A naive time in UTC as `2026-01-31T09:05:07.123Z`."""
    return time.isoformat(timespec="milliseconds") + "Z"


def list_forms(text: str) -> tuple[Any, ...]:
    """The stored values that are shown as `text`: the string itself and, for most strings, nothing else."""
    forms: list[Any] = [text]
    if _NUMBER.fullmatch(text):
        with contextlib.suppress(ValueError, ArithmeticError):
            number: float = int(text) if text.lstrip("-").isdecimal() else float(text)
            if not -(2**63) <= number < 2**63:
                number = float(number)  # no stored integer is that large
            forms.append(number)  # which equals integers, doubles and decimals of the same value
            if isinstance(number, float):
                forms.append(Decimal128(text))  # no double equals the decimal 5.1
    elif text in ("true", "false"):
        forms.append(text == "true")
    elif _OBJECT_ID.fullmatch(text):
        forms.append(ObjectId(text))
    elif _UUID.fullmatch(text):
        forms.append(Binary(UUID(text).bytes, UUID_SUBTYPE))
    elif _TIME.fullmatch(text):
        with contextlib.suppress(ValueError):
            forms.append(datetime.fromisoformat(text).replace(tzinfo=None))
    return tuple(forms)


def format_id(value: Any) -> str:
    """The string of an id of any type; types without an obvious one are written as extended JSON."""
    text = None if isinstance(value, Code) else format_scalar(value)
    return text if text is not None else dump_id(value)


def list_id_forms(text: str) -> tuple[Any, ...]:
    """The stored ids that are shown as `text`."""
    forms = list_forms(text)
    if text.startswith("{"):
        value = load_id(text)
        if value is not None and format_id(value) == text:
            return (*forms, value)
    return forms


def dump_id(value: Any) -> str:
    """An id of any type as extended JSON."""
    return json_util.dumps(value, json_options=_JSON)


def load_id(text: str) -> Any:
    """The id that extended JSON stands for, or None.

    An object whose keys start with `$`, or a regular expression, would be an operator in a filter: clients
    cannot name such an id, and servers do not store it.
    """
    if len(text) > MAX_ID_LENGTH:
        return None
    with contextlib.suppress(ValueError, TypeError, KeyError, ArithmeticError, RecursionError, BSONError):
        value = json_util.loads(text, json_options=_JSON)
        if isinstance(value, dict) and not any(key.startswith("$") for key in value):
            return value
        if isinstance(value, ID_TYPES):
            return value
    return None
