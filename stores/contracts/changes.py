"""What conditions and changes mean, on a document in memory: the reference for every backend."""

import copy
from datetime import datetime, timedelta
from typing import Any

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
    format_time,
    utc_now,
    values_at,
)
from stores.contracts.errors import Conflict

MILLISECOND = timedelta(milliseconds=1)


def same(one: Any, other: Any) -> bool:
    """Equal as the store compares: 1 is 1.0, but True is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def fits(document: Document, where: Where) -> bool:
    return all(_holds(document, condition) for condition in where)


def _holds(document: Document, condition: Condition) -> bool:
    match condition:
        case OneOf(path, values):
            found = values_at(document, path)
            return any(same(f, v) for f in found for v in values) or (not found and None in values)
        case Exists(path, present):
            return bool(values_at(document, path)) == present
        case AnyOf(conditions):
            return any(_holds(document, each) for each in conditions)
        case Contains(paths, text):
            found = [v for path in paths for v in values_at(document, path) if isinstance(v, str)]
            return any(lower(text) in lower(value) for value in found)


def lower(text: str) -> str:
    """Lower case of ASCII letters only, which is what every store can compare alike."""
    return text.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def apply(document: Document, change: Change) -> Document:
    """The document after the change; the given one stays as it is."""
    changed = copy.deepcopy(document)
    for path, value in change.set.items():
        _parent(changed, path)[path[-1]] = value
    for path in change.unset:
        _parent(changed, path).pop(path[-1], None)
    for path, value in change.add.items():
        items = _parent(changed, path).setdefault(path[-1], [])
        if not isinstance(items, list):
            raise Conflict(f"{'.'.join(path)} holds no list", fields=[".".join(path)])
        if not any(same(item, value) for item in items):
            items.append(value)
    for path, value in change.pull.items():
        items = _parent(changed, path).get(path[-1])
        if isinstance(items, list):
            items[:] = [item for item in items if not same(item, value)]
    if change.touch is not None:
        path = change.touch.path
        parent = _parent(changed, path)
        time = later_than(parent.get(path[-1]))
        parent[path[-1]] = format_time(time) if change.touch.as_string else time
    return changed


def later_than(stored: Any) -> datetime:
    """Now, or one millisecond past the stored time where that is later; what is no time does not count."""
    if isinstance(stored, str):
        try:
            stored = datetime.fromisoformat(stored).replace(tzinfo=None)
        except ValueError:
            stored = None
    time = utc_now()
    return max(time, stored + MILLISECOND) if isinstance(stored, datetime) else time


def _parent(document: Document, path: Path) -> Document:
    """The object that holds the last key of a path, made where it is missing."""
    for step, name in enumerate(path[:-1]):
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            place = ".".join(path[: step + 1])
            raise Conflict(f"{place} holds no object", fields=[place])
    return document
