"""Conditions, orders, positions and changes of the document contract, in MongoDB's language."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bson import DatetimeMS, ObjectId

from stores.contracts.documents import (
    ID,
    AnyOf,
    Change,
    Condition,
    Contains,
    Exists,
    OneOf,
    Order,
    Path,
    Where,
    format_time,
)
from stores.contracts.errors import BadUserInput

Filter = dict[str, Any]
# The types in the order that MongoDB sorts them; its `$gt` and `$lt` compare only within one of them.
TYPES = ("number", "string", "object", "binData", "objectId", "bool", "date")
SCALARS = [t for t in TYPES if t not in ("object", "binData")]


def dotted(path: Path) -> str:
    for key in path:
        if not key or "." in key or key.startswith("$") or "\0" in key:
            raise BadUserInput(f"{key!r} cannot name a field", fields=[".".join(path)])
    return ".".join(path)


def every(filters: Iterable[Filter]) -> Filter:
    found = [f for f in filters if f]
    return found[0] if len(found) == 1 else {"$and": found} if found else {}


def filter_of(where: Where) -> Filter:
    return every(map(_condition, where))


def _condition(condition: Condition) -> Filter:
    match condition:
        case OneOf(path, values):
            return {dotted(path): values[0] if len(values) == 1 else {"$in": list(values)}}
        case Exists(path, present):
            return {dotted(path): {"$exists": present}}
        case AnyOf(conditions):
            return {"$or": [_condition(each) for each in conditions]}
        case Contains(paths, text):
            return {"$or": [{dotted(path): {"$regex": _pattern(text)}} for path in paths]}


def _pattern(text: str) -> str:
    """A pattern of the text itself, in either case of ASCII letters only, as every store compares."""
    return "".join(
        f"[{c.lower()}{c.upper()}]"
        if c.isascii() and c.isalpha()
        else f"\\x{{{ord(c):x}}}"
        if c.isascii() and not c.isalnum()
        else re.escape(c)
        for c in text
    )


def sort_of(order: Order) -> list[tuple[str, int]]:
    way = -1 if order.descending else 1
    return [("_id", way)] if order.path == ID else [(dotted(order.path), way), ("_id", way)]


def beyond(path: Path, value: Any, descending: bool) -> list[Filter]:
    """Filters, one of which holds for what is sorted behind a value."""
    name, place = dotted(path), TYPES.index(_type(value))
    further = TYPES[:place] if descending else TYPES[place + 1 :]
    found: list[Filter] = [{name: {"$lt" if descending else "$gt": value}}]
    return [*found, *({name: {"$type": t}} for t in further)]


def behind(order: Order, after: tuple[Any, Any]) -> Filter:
    """What a list in this order holds behind a position whose value is a scalar."""
    value, document_id = after
    later_ids = beyond(ID, document_id, order.descending)
    if order.path == ID:
        return {"$or": later_ids}
    tie = every([{dotted(order.path): value}, {"$or": later_ids}])
    return {"$or": [*beyond(order.path, value, order.descending), tie]}


def ordered_by_value(path: Path, scalar: bool) -> Filter:
    """The documents that an order places by their value, or those that it counts as null."""
    name = dotted(path)
    scalars: Filter = every(
        [{"$or": [{name: {"$type": t}} for t in SCALARS]}, {name: {"$not": {"$type": "array"}}}]
    )
    return scalars if scalar else {"$nor": [scalars]}


def changes(change: Change, stamp: datetime | None) -> Filter:
    """The update document; `stamp` is the time of the touch."""
    sets = _named(change.set)
    if change.touch is not None and stamp is not None:
        sets[dotted(change.touch.path)] = format_time(stamp) if change.touch.as_string else stamp
    operators = {
        "$set": sets,
        "$unset": {dotted(path): "" for path in change.unset},
        "$addToSet": _named(change.add),
        "$pull": _named(change.pull),
    }
    return {name: values for name, values in operators.items() if values}


def _named(values: Mapping[Path, Any]) -> Filter:
    return {dotted(path): value for path, value in values.items()}


def _type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case ObjectId():
            return "objectId"
        case datetime() | DatetimeMS():
            return "date"
        case bytes():
            return "binData"
    return "object"
