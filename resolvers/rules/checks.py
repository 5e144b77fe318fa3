"""What clients send, checked before a store is asked. Every refusal names the place that is wrong."""

import math
from datetime import datetime
from typing import Any

from stores.contracts.documents import format_time
from stores.contracts.errors import BadUserInput
from stores.entities.secrets import MASK

MAX_DEPTH = 64  # MongoDB keeps no more than 100 levels
MAX_NAME_LENGTH = 1024  # of an id or a name
MAX_EXACT = 2**53  # beyond it a double, which is how the stores keep large numbers, loses digits


def require_name(value: str | None, field: str) -> str:
    """A name or an id that has to be there: a text that is not blank."""
    if value is None or not value.strip():
        raise BadUserInput(f"{field} is required", fields=[field])
    if len(value) > MAX_NAME_LENGTH or "\0" in value:
        raise BadUserInput(
            f"{field} is longer than {MAX_NAME_LENGTH} characters or holds NUL", fields=[field]
        )
    return check_value(value, field)  # type: ignore[no-any-return]  # a text stays a text


def require_application_id(application_id: str | None, organization_id: str) -> str:
    """An application's id, which has to name collections: no `$`, `.` or NUL, and not too long."""
    name = require_name(application_id, "applicationId")
    longest = f"{organization_id}.{name}_connectors"
    if any(c in name for c in "$.\0") or len(longest.encode()) > 255 or name.startswith("system"):
        raise BadUserInput(
            "applicationId must not hold $ or . and must be short enough to name a collection",
            fields=["applicationId"],
        )
    return name


def check_value(value: Any, path: str, depth: int = 0) -> Any:
    """A value as stores keep it: keys without `$` and dots at any depth, whole numbers as integers."""
    if depth > MAX_DEPTH:
        raise BadUserInput(f"{path} is nested deeper than {MAX_DEPTH} levels", fields=[path])
    match value:
        case dict():
            return {_key(k, path): check_value(v, f"{path}.{k}", depth + 1) for k, v in value.items()}
        case list():
            return [check_value(v, f"{path}.{i}", depth + 1) for i, v in enumerate(value)]
        case bool() | None | datetime():
            return value
        case int():
            return value if -MAX_EXACT <= value <= MAX_EXACT else _float(value, path)
        case float():
            return int(value) if value.is_integer() and abs(value) <= MAX_EXACT else _float(value, path)
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise BadUserInput(f"{path} is not valid Unicode", fields=[path]) from None
            return value
    raise BadUserInput(f"{path} cannot be kept", fields=[path])


def check_object(value: Any, path: str = "document") -> dict[str, Any]:
    """A free-form object, as stores keep it."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadUserInput(f"{path} must be an object", fields=[path])
    return check_value(value, path)  # type: ignore[no-any-return]  # an object stays an object


def reject_masks(value: Any, path: str) -> Any:
    """Refuses a mask where nothing is stored that it could stand for."""
    match value:
        case dict():
            for k, v in value.items():
                reject_masks(v, f"{path}.{k}")
        case list():
            for i, v in enumerate(value):
                reject_masks(v, f"{path}.{i}")
        case str() if value == MASK:
            raise BadUserInput(f"{path} holds a mask; send the secret itself", fields=[path])
    return value


def list_stored_forms(time: datetime) -> tuple[Any, ...]:
    """A time as stores may hold it: a date, or ISO text."""
    return time, format_time(time)


def _key(key: str, path: str) -> str:
    if key.startswith("$") or "." in key or "\0" in key:
        raise BadUserInput(
            f"{path}: the key {key!r} starts with $ or holds a dot or NUL", fields=[f"{path}.{key}"]
        )
    check_value(key, path)
    return key


def _float(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadUserInput(f"{path} is not a finite number", fields=[path])
    return number
