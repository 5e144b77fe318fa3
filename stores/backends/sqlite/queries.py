"""Conditions, orders and positions of the document contract, as SQL over the lookup rows.

A lookup row says that a document holds a value at a path.
"""

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import bson
from bson import DatetimeMS, ObjectId

from stores.contracts.documents import (
    ID,
    AnyOf,
    Collection,
    Condition,
    Contains,
    Document,
    Exists,
    OneOf,
    Path,
    Query,
    Where,
    to_milliseconds,
    values_at,
)

# What a lookup row stands for: the scalar that orders its document, an item of a list there, or, ordered
# as null, that there is nothing or something that is no scalar. Each document has one that is no ITEM.
SCALAR, ITEM, NOTHING, COMPOSITE = range(4)
NULL = float("-inf")  # stands for null: below every number, and equal to itself, which NULL is not


def key(value: Any) -> Any:
    """A value as SQLite orders it like MongoDB: null < numbers < text < object ids < booleans < dates."""
    match value:
        case bool():
            return b"\x08" + bytes([value])
        case str():
            return value
        case None:
            return NULL
        case int() | float():
            return value if value == value else NULL  # SQLite knows no NaN
        case ObjectId():
            return b"\x07" + value.binary
        case datetime() | DatetimeMS():
            return b"\x09" + struct.pack(">Q", to_milliseconds(value) + (1 << 63))
        case _:
            return b"\x05" + bson.encode({"": value})


def lookups(collection: Collection, document: Document) -> Iterator[tuple[str, Any, int]]:
    """The rows (path, value, kind) that a document is found by."""
    for path in _lookup_paths(collection):
        if path[-1] == "*":
            parent = document.get(path[0])
            for name in parent if isinstance(parent, dict) else ():
                yield from _rows(document, (path[0], name))
        else:
            yield from _rows(document, path)


def _rows(document: Document, path: Path) -> Iterator[tuple[str, Any, int]]:
    name, found = ".".join(path), values_at(document, path)
    scalars = {key(v) for v in found if not isinstance(v, dict | list)}
    if len(found) == 1 and scalars:
        yield name, scalars.pop(), SCALAR
        return
    yield name, NULL, COMPOSITE if found else NOTHING
    for value in scalars:
        yield name, value, ITEM


def _lookup_paths(collection: Collection) -> dict[Path, None]:
    named: dict[Path, None] = {(name,): None for unique in collection.unique for name in unique.fields}
    return {**named, **dict.fromkeys(collection.indexes)}


def answers(collection: Collection, condition: Condition) -> bool:
    """Whether a condition can be answered from the lookup rows."""
    if isinstance(condition, AnyOf):
        return all(answers(collection, each) for each in condition.conditions)
    known = _lookup_paths(collection)
    asked = condition.paths if isinstance(condition, Contains) else (condition.path,)
    return all(p == ID or p in known or (*p[:-1], "*") in known for p in asked)


def select(
    collection: Collection, number: int, query: Query, columns: str = "d.body"
) -> tuple[str, list[Any]]:
    """The statement of a query over collection `number`, and its values."""
    sign, way = ("<", "DESC") if query.order.descending else (">", "ASC")
    where, values = list(query.where), []
    by_id = query.order.path == ID
    leading = _leading(collection, where) if by_id else None
    # CROSS JOIN keeps the order of the tables: the lookup rows are walked in order, to the limit.
    joined = f"SELECT {columns} FROM lookups o CROSS JOIN documents d ON d.number = o.document WHERE"
    if leading is not None:
        where.remove(leading)
        sql = f"{joined} o.collection = ? AND o.path = ? AND o.value = ? AND o.kind != {COMPOSITE}"
        values += [number, ".".join(leading.path), key(leading.values[0])]
        position = order = "o.id"
    elif by_id:
        # The plus keeps the planner from walking the whole collection where the conditions name few.
        few = any(_names_few(collection, c) for c in where)
        sql = f"SELECT {columns} FROM documents d WHERE {'+' * few}d.collection = ?"
        values += [number]
        position = order = "d.id"
    else:
        sql = f"{joined} o.collection = ? AND o.path = ? AND o.kind != {ITEM}"
        values += [number, ".".join(query.order.path)]
        position, order = "(o.value, o.id)", f"o.value {way}, o.id"
    if query.after is not None:
        seen = query.after[1:] if by_id else query.after
        sql += f" AND {position} {sign} ({', '.join('?' * len(seen))})"
        values += map(key, seen)
    sql += _conditions(collection, where, number, values) + f" ORDER BY {order} {way}"
    if query.limit is not None:
        sql += " LIMIT ?"
        values.append(query.limit)
    return sql, values


def _leading(collection: Collection, where: Where) -> OneOf | None:
    """A condition whose lookup rows stand in the order of ids, so that a page of them ends the search."""
    for c in where:
        if isinstance(c, OneOf) and c.path != ID and len(c.values) == 1 and answers(collection, c):
            return c
    return None


def _names_few(collection: Collection, condition: Condition) -> bool:
    """Whether a condition names documents by their unique keys."""
    if isinstance(condition, AnyOf):
        return all(_names_few(collection, each) for each in condition.conditions)
    unique = {(name,) for unique in collection.unique for name in unique.fields}
    return isinstance(condition, OneOf) and condition.path in unique


def tally(collection: Collection, number: int, where: Where) -> tuple[str, list[Any]]:
    """The statement that counts, and its values."""
    values: list[Any] = [number]
    sql = "SELECT count(*) FROM documents d WHERE d.collection = ?"
    return sql + _conditions(collection, where, number, values), values


def _conditions(collection: Collection, where: Where, number: int, values: list[Any]) -> str:
    return "".join(" AND " + _condition(collection, c, number, values) for c in where)


def _condition(collection: Collection, condition: Condition, number: int, values: list[Any]) -> str:
    if not answers(collection, condition):
        raise LookupError(f"{collection.name} has no lookup for {condition}")
    if isinstance(condition, OneOf) and condition.path == ID:
        values += map(key, condition.values)
        return f"d.id IN ({', '.join('?' * len(condition.values))})"
    if isinstance(condition, AnyOf):
        return f"({' OR '.join(_condition(collection, c, number, values) for c in condition.conditions)})"
    found = "d.number IN (SELECT document FROM lookups WHERE collection = ? AND path"
    match condition:
        case OneOf(path, wanted):
            values += [number, ".".join(path), *map(key, wanted)]
            marks = ", ".join("?" * len(wanted))
            return f"{found} = ? AND value IN ({marks}) AND kind != {COMPOSITE})"
        case Exists(path, present):
            values += [number, ".".join(path)]
            return f"{'' if present else 'NOT '}{found} = ? AND kind != {NOTHING})"
        case Contains(asked, text):
            pattern = re.sub(r"([%_\\])", r"\\\1", text)
            values += [number, *(".".join(path) for path in asked), f"%{pattern}%"]
            marks = ", ".join("?" * len(asked))
            return f"{found} IN ({marks}) AND typeof(value) = 'text' AND value LIKE ? ESCAPE '\\')"
