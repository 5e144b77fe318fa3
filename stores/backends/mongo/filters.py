"""Conditions, orders and positions of the document contract, in MongoDB's query language."""

import math
import re
from collections.abc import Iterable
from typing import Any

from bson import Regex

from stores.contracts.documents import (
    ID,
    AnyOf,
    Condition,
    Contains,
    Exists,
    OneOf,
    Order,
    Path,
    Where,
)
from stores.contracts.errors import BadUserInput
from stores.contracts.ordering import order_key

Filter = dict[str, Any]
# The aliases of types in the order in which MongoDB sorts them, by the first part of `order_key`. `$gt` and
# `$lt` compare values of one type only.
TYPES: dict[int, str] = {
    -1: "minKey",
    0: "null",
    1: "number",
    2: "string",
    3: "object",
    4: "array",
    5: "binData",
    6: "objectId",
    7: "bool",
    8: "date",
    9: "timestamp",
    10: "regex",
    11: "javascript",
    12: "javascriptWithScope",
    13: "maxKey",
}
LAST_KNOWN_TO_ALL = 10  # some servers do not know the aliases of the types after it
COMPOSITE_OR_NULL = ("null", "object", "array")


def is_namable(path: Path) -> bool:
    """Whether a dotted path can name the field: every key has letters, no dot and no leading dollar sign."""
    return all(key and "." not in key and key[0] != "$" and "\0" not in key for key in path)


def dotted(path: Path) -> str:
    """The path as MongoDB writes it. Raises `BadUserInput` if no dotted path can name the field."""
    if not is_namable(path):
        raise BadUserInput(f"{'.'.join(path)!r} cannot name a field.", fields=[".".join(path)])
    return ".".join(path)


def all_of(filters: Iterable[Filter]) -> Filter:
    """A filter that matches what all of `filters` match."""
    parts = [part for part in filters if part]
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}


def to_filter(where: Where) -> Filter:
    return all_of(map(_to_filter, where))


def split_namable(where: Where) -> tuple[list[Condition], list[Condition]]:
    """The conditions that a filter can express, and those that name fields which no dotted path can name."""
    namable: list[Condition] = []
    others: list[Condition] = []
    for condition in where:
        (namable if all(map(is_namable, _list_paths(condition))) else others).append(condition)
    return namable, others


def _list_paths(condition: Condition) -> list[Path]:
    match condition:
        case AnyOf(conditions):
            return [path for one in conditions for path in _list_paths(one)]
        case Contains(paths):
            return list(paths)
        case OneOf(path) | Exists(path):
            return [path]


def _to_filter(condition: Condition) -> Filter:
    match condition:
        case OneOf(path, values):
            return _equals_one(dotted(path), values)
        case Exists(path, present):
            return {dotted(path): {"$exists": present}}
        case AnyOf(conditions):
            return {"$or": [_to_filter(one) for one in conditions]}
        case Contains(paths, text):
            return {"$or": [{dotted(path): {"$regex": ignore_ascii_case(text)}} for path in paths]}


def _equals_one(name: str, values: tuple[Any, ...]) -> Filter:
    """Objects and regular expressions have to be marked as values: they would be operators and patterns."""
    if any(isinstance(value, dict | Regex) for value in values):
        return {"$or": [{name: {"$eq": value}} for value in values]}
    return {name: values[0] if len(values) == 1 else {"$in": list(values)}}


def match_id(document_id: Any) -> Filter:
    """A filter for one document. It is as plain as the id allows, so that every server uses its index."""
    return _equals_one("_id", (document_id,))


def ignore_ascii_case(text: str) -> str:
    """A pattern that matches `text`, with ASCII letters in either case, as every store compares."""
    return "".join(
        f"[{c.lower()}{c.upper()}]"
        if c.isascii() and c.isalpha()
        else f"\\x{{{ord(c):x}}}"
        if c.isascii() and not c.isalnum()
        else re.escape(c)
        for c in text
    )


def to_sort(order: Order) -> list[tuple[str, int]]:
    direction = -1 if order.descending else 1
    return [("_id", direction)] if order.path == ID else [(dotted(order.path), direction), ("_id", direction)]


def match_after_position(order: Order, position: tuple[Any, Any]) -> Filter:
    """A filter for what a list in this order contains after a position: the order's value, and an id."""
    value, document_id = position
    later_ids = _match_after_value("_id", document_id, order.descending)
    if order.path == ID:
        return later_ids
    name = dotted(order.path)
    tie = all_of([_equals_one(name, (value,)), later_ids])
    return {"$or": [_match_after_value(name, value, order.descending), tie]}


def _match_after_value(name: str, value: Any, descending: bool) -> Filter:
    rank = order_key(value)[0]
    operator = "$lt" if descending else "$gt"
    filters = _match_after_within_type(name, value, operator)
    if descending and rank > LAST_KNOWN_TO_ALL:
        later = [alias for other, alias in TYPES.items() if other >= rank]
        filters.append({"$nor": [{name: {"$type": alias}} for alias in later]})
    elif descending:
        filters += [{name: {"$type": alias}} for other, alias in TYPES.items() if other < rank]
    elif rank < max(TYPES):
        # Not the list of later types: old servers do not know the names of all of them.
        earlier = [alias for other, alias in TYPES.items() if other <= rank]
        filters.append({"$nor": [{name: {"$type": alias}} for alias in earlier]})
    return {"$or": filters} if filters else {"_id": {"$in": []}}


def _match_after_within_type(name: str, value: Any, operator: str) -> list[Filter]:
    """What follows a value among those of its type. NaN is the first number, but compares with none."""
    rank = order_key(value)[0]
    if rank in (0, min(TYPES), max(TYPES)):
        return []  # these types have one value
    is_number, is_nan = rank == order_key(0)[0], order_key(value) == order_key(math.nan)
    if is_nan:
        others = [{name: {"$type": "number"}}, {name: {"$ne": math.nan}}]
        return [{"$and": others}] if operator == "$gt" else []
    filters: list[Filter] = [{name: {operator: value}}]
    return [*filters, {name: math.nan}] if is_number and operator == "$lt" else filters


def is_ordered_by_scalar(path: Path, scalar: bool) -> Filter:
    """The documents that an order sorts by a scalar, or those that it counts as null."""
    name = dotted(path)
    counted_as_null: list[Filter] = [{name: {"$type": alias}} for alias in COMPOSITE_OR_NULL]
    counted_as_null.append({name: {"$exists": False}})
    return {"$nor": counted_as_null} if scalar else {"$or": counted_as_null}
