"""Checks of what clients send, before a store is called. Every error names the path of the wrong value."""

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stores.contracts.documents import format_time
from stores.contracts.errors import BadUserInput

MAX_DEPTH = 64  # MongoDB stores at most 100 levels
MAX_NAME_LENGTH = 1024  # characters of an id or a name
MAX_SEARCH_LENGTH = 1000  # characters: stores limit the length of a pattern, each in its own way
MAX_EXACT = 2**53  # larger numbers are stored as doubles, which lose digits
# The fields that hold objects. Elsewhere a name that starts with `$` is an operator in place of a value.
OBJECT_FIELDS = frozenset({"properties", "collections", "configuration"})


def require_name(value: str | None, field: str) -> str:
    """A required name or id. Raises `BadUserInput` if it is missing, blank or too long."""
    if value is None or not value.strip():
        raise BadUserInput(f"{field} is required", fields=[field])
    if len(value) > MAX_NAME_LENGTH or "\0" in value:
        raise BadUserInput(
            f"{field} is longer than {MAX_NAME_LENGTH} characters or contains NUL.", fields=[field]
        )
    return check_value(value, field)  # type: ignore[no-any-return]  # a string stays a string


def check_search(text: str, field: str) -> str:
    """A string to search for. Raises `BadUserInput` if it is longer than every store can search for."""
    if len(text) > MAX_SEARCH_LENGTH:
        raise BadUserInput(
            f"{field} has {len(text)} characters; at most {MAX_SEARCH_LENGTH} are allowed.", fields=[field]
        )
    return text


def find_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone. Raises `BadUserInput` for any other name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the database
        raise BadUserInput(
            f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin.", fields=["timeZone"]
        ) from None


def require_application_id(application_id: str | None, organization_id: str) -> str:
    """The id of a new application, which names collections: short, and without `$`, `.` and NUL."""
    name = require_name(application_id, "applicationId")
    longest = f"{organization_id}.{name}_connectors"
    if any(c in name for c in "$.\0") or len(longest.encode()) > 255 or name.startswith("system"):
        raise BadUserInput(
            "applicationId must not contain $ or . and must be short enough to name a collection.",
            fields=["applicationId"],
        )
    return name


def check_value(value: Any, path: str, depth: int = 0, *, any_names: bool = False) -> Any:
    """A value in the form that stores hold: whole numbers as integers. Raises `BadUserInput`.

    Names in it may hold dots. They may start with `$` if `any_names` is set.
    """
    if depth > MAX_DEPTH:
        raise BadUserInput(f"{path} is nested deeper than {MAX_DEPTH} levels.", fields=[path])
    match value:
        case dict():
            return {
                _check_key(k, path, any_names): check_value(v, f"{path}.{k}", depth + 1, any_names=any_names)
                for k, v in value.items()
            }
        case list():
            items = enumerate(value)
            return [check_value(v, f"{path}.{i}", depth + 1, any_names=any_names) for i, v in items]
        case bool() | None | datetime():
            return value
        case int():
            return value if -MAX_EXACT <= value <= MAX_EXACT else _convert_to_float(value, path)
        case float():
            return (
                int(value)
                if value.is_integer() and abs(value) <= MAX_EXACT
                else _convert_to_float(value, path)
            )
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise BadUserInput(f"{path} is not valid Unicode.", fields=[path]) from None
            return value
    raise BadUserInput(f"{path} cannot be stored.", fields=[path])


def check_object(value: Any, path: str = "document") -> dict[str, Any]:
    """A free-form object in the form that stores hold; null is an empty one.

    At its top level a dotted name would be a path, and a name that starts with `$` an operator: both raise
    `BadUserInput`. In `OBJECT_FIELDS` all names are data.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadUserInput(f"{path} must be an object.", fields=[path])
    for key in value:
        if "." in key:
            raise BadUserInput(f"{path}: the key {key!r} contains a dot", fields=[f"{path}.{key}"])
    return {
        _check_key(k, path, any_names=False): check_value(v, f"{path}.{k}", 1, any_names=k in OBJECT_FIELDS)
        for k, v in value.items()
    }


def list_stored_forms(time: datetime) -> tuple[Any, ...]:
    """The forms in which stores hold a time: a date, and an ISO 8601 string."""
    return time, format_time(time)


def _check_key(key: str, path: str, any_names: bool) -> str:
    if "\0" in key or (key.startswith("$") and not any_names):
        raise BadUserInput(f"{path}: the key {key!r} starts with $ or contains NUL", fields=[f"{path}.{key}"])
    check_value(key, path)
    return key


def _convert_to_float(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadUserInput(f"{path} is not a finite number.", fields=[path])
    return number
