"""What conditions and changes mean, on a document in memory: the reference for every backend."""

import copy
from datetime import datetime, timedelta
from typing import Any

from bson import Decimal128

from stores.contracts.documents import (
    AnyOf,
    Change,
    Condition,
    Contains,
    Document,
    Exists,
    OneOf,
    Path,
    Where,
    find_values_at,
    format_time,
    utc_now,
)
from stores.contracts.errors import Conflict

MILLISECOND = timedelta(milliseconds=1)


def is_bson_equal(one: Any, other: Any) -> bool:
    """Whether two values are equal as stores compare them: 1 equals 1.0, but not True."""
    if isinstance(one, Decimal128) != isinstance(other, Decimal128):
        one, other = (v.to_decimal() if isinstance(v, Decimal128) else v for v in (one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def matches(document: Document, where: Where) -> bool:
    """Whether a document meets all the conditions."""
    return all(_meets(document, condition) for condition in where)


def _meets(document: Document, condition: Condition) -> bool:
    match condition:
        case OneOf(path, values):
            stored = find_values_at(document, path)
            return any(is_bson_equal(s, v) for s in stored for v in values) or (not stored and None in values)
        case Exists(path, present):
            return bool(find_values_at(document, path)) == present
        case AnyOf(conditions):
            return any(_meets(document, c) for c in conditions)
        case Contains(paths, text):
            strings = [v for path in paths for v in find_values_at(document, path) if isinstance(v, str)]
            return any(lower(text) in lower(string) for string in strings)


def lower(text: str) -> str:
    """Put ASCII letters, and only these, in lower case: every store can compare like that."""
    return text.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def apply(document: Document, change: Change) -> Document:
    """Return a changed copy of the document. Raises `Conflict` if a path leads through a scalar or a list."""
    changed = copy.deepcopy(document)
    for path, value in change.set.items():
        _find_parent(changed, path)[path[-1]] = value
    for path in change.unset:
        _find_parent(changed, path).pop(path[-1], None)
    for path, value in change.add.items():
        items = _find_parent(changed, path).setdefault(path[-1], [])
        if not isinstance(items, list):
            raise Conflict(f"{'.'.join(path)} is not a list.", fields=[".".join(path)])
        if not any(is_bson_equal(item, value) for item in items):
            items.append(value)
    for path, value in change.pull.items():
        items = _find_parent(changed, path).get(path[-1])
        if isinstance(items, list):
            items[:] = [item for item in items if not is_bson_equal(item, value)]
    if change.touch is not None:
        path = change.touch.path
        parent = _find_parent(changed, path)
        time = make_later_than(parent.get(path[-1]))
        parent[path[-1]] = format_time(time) if change.touch.as_string else time
    return changed


def make_later_than(stored: Any) -> datetime:
    """Return now, or one millisecond past the stored time if that is later. Other values are ignored."""
    if isinstance(stored, str):
        try:
            stored = datetime.fromisoformat(stored).replace(tzinfo=None)
        except ValueError:
            stored = None
    time = utc_now()
    return max(time, stored + MILLISECOND) if isinstance(stored, datetime) else time


def _find_parent(document: Document, path: Path) -> Document:
    """Return the object that has the last key of a path; it and its parents are created if missing."""
    for step, name in enumerate(path[:-1]):
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            parent = ".".join(path[: step + 1])
            raise Conflict(f"{parent} is not an object", fields=[parent])
    return document
