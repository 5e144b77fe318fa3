"""Conditions, orders and positions of the document contract, as SQL over index rows.

An index row (table `lookups`) says that a document has a value at a path.
"""

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import bson
from bson import Code, DatetimeMS, Decimal128, ObjectId

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
    find_values_at,
    to_milliseconds,
)

# What an index row stands for: the scalar that orders its document; an item of a list; or, ordered as null,
# that there is nothing or that there is an object or a list. Each document has one row that is not an ITEM.
SCALAR, ITEM, NOTHING, COMPOSITE = range(4)
NULL = float("-inf")  # stands for null: below every number, and equal to itself, which NULL is not


def make_index_key(value: Any) -> Any:
    """Encode a value so that SQLite orders it as MongoDB does.

    That is null < numbers < strings < object ids < booleans < dates.
    """
    match value:
        case bool():
            return b"\x08" + bytes([value])
        case Code():  # a subclass of str
            return b"\x0d" + bson.encode({"": value})
        case str():
            return value
        case None:
            return NULL
        case int() | float():
            return value if value == value else NULL  # noqa: PLR0124 - SQLite has no NaN
        case Decimal128():
            return make_index_key(float(value.to_decimal()))
        case ObjectId():
            return b"\x07" + value.binary
        case datetime() | DatetimeMS():
            return b"\x09" + struct.pack(">Q", to_milliseconds(value) + (1 << 63))
        case _:
            return b"\x05" + bson.encode({"": value})


def make_index_rows(collection: Collection, document: Document) -> Iterator[tuple[str, Any, int]]:
    """Yield the index rows of a document: path, value and kind."""
    for path in _list_indexed_paths(collection):
        if path[-1] == "*":
            parent = document.get(path[0])
            for name in parent if isinstance(parent, dict) else ():
                yield from _list_rows(document, (path[0], name))
        else:
            yield from _list_rows(document, path)


def _list_rows(document: Document, path: Path) -> Iterator[tuple[str, Any, int]]:
    name, values = ".".join(path), find_values_at(document, path)
    scalars = {make_index_key(v) for v in values if not isinstance(v, dict | list)}
    if len(values) == 1 and scalars:
        yield name, scalars.pop(), SCALAR
        return
    yield name, NULL, COMPOSITE if values else NOTHING
    for value in scalars:
        yield name, value, ITEM


def _list_indexed_paths(collection: Collection) -> dict[Path, None]:
    unique: dict[Path, None] = {(name,): None for key in collection.unique for name in key.fields}
    return {**unique, **dict.fromkeys(collection.indexes)}


def can_use_index(collection: Collection, condition: Condition) -> bool:
    """Whether index rows exist for every path of a condition."""
    if isinstance(condition, AnyOf):
        return all(can_use_index(collection, c) for c in condition.conditions)
    indexed = _list_indexed_paths(collection)
    paths = condition.paths if isinstance(condition, Contains) else (condition.path,)
    return all(path == ID or path in indexed or (*path[:-1], "*") in indexed for path in paths)


def select_statement(
    collection: Collection, number: int, query: Query, columns: str = "d.body"
) -> tuple[str, list[Any]]:
    """Return the SQL of a query over collection `number`, and its values."""
    sign, direction = ("<", "DESC") if query.order.descending else (">", "ASC")
    where, values = list(query.where), []
    by_id = query.order.path == ID
    leading = _find_leading(collection, where) if by_id else None
    # CROSS JOIN keeps the order of the tables: the index rows are read in order, up to the limit.
    by_index = f"SELECT {columns} FROM lookups o CROSS JOIN documents d ON d.number = o.document WHERE"
    if leading is not None:
        where.remove(leading)
        sql = f"{by_index} o.collection = ? AND o.path = ? AND o.value = ? AND o.kind != {COMPOSITE}"
        values += [number, ".".join(leading.path), make_index_key(leading.values[0])]
        position = order = "o.id"
    elif by_id:
        # The plus keeps the planner from reading the whole collection if the conditions select few documents.
        selects_few = any(_selects_few(collection, c) for c in where)
        sql = f"SELECT {columns} FROM documents d WHERE {'+' * selects_few}d.collection = ?"
        values += [number]
        position = order = "d.id"
    else:
        sql = f"{by_index} o.collection = ? AND o.path = ? AND o.kind != {ITEM}"
        values += [number, ".".join(query.order.path)]
        position, order = "(o.value, o.id)", f"o.value {direction}, o.id"
    if query.after is not None:
        last = query.after[1:] if by_id else query.after
        sql += f" AND {position} {sign} ({', '.join('?' * len(last))})"
        values += map(make_index_key, last)
    sql += _make_conditions(collection, where, number, values) + f" ORDER BY {order} {direction}"
    if query.limit is not None:
        sql += " LIMIT ?"
        values.append(query.limit)
    return sql, values


def _find_leading(collection: Collection, where: Where) -> OneOf | None:
    """Return a condition whose index rows are in the order of ids: reading them stops after a page."""
    for c in where:
        if isinstance(c, OneOf) and c.path != ID and len(c.values) == 1 and can_use_index(collection, c):
            return c
    return None


def _selects_few(collection: Collection, condition: Condition) -> bool:
    """Whether a condition selects documents by a unique key."""
    if isinstance(condition, AnyOf):
        return all(_selects_few(collection, c) for c in condition.conditions)
    unique = {(name,) for key in collection.unique for name in key.fields}
    return isinstance(condition, OneOf) and condition.path in unique


def count_statement(collection: Collection, number: int, where: Where) -> tuple[str, list[Any]]:
    """Return the SQL that counts the documents that match, and its values."""
    values: list[Any] = [number]
    sql = "SELECT count(*) FROM documents d WHERE d.collection = ?"
    return sql + _make_conditions(collection, where, number, values), values


def _make_conditions(collection: Collection, where: Where, number: int, values: list[Any]) -> str:
    return "".join(" AND " + _make_condition(collection, c, number, values) for c in where)


def _make_condition(collection: Collection, condition: Condition, number: int, values: list[Any]) -> str:
    if not can_use_index(collection, condition):
        raise LookupError(f"{collection.name} has no index for {condition}")
    if isinstance(condition, OneOf) and condition.path == ID:
        values += map(make_index_key, condition.values)
        return f"d.id IN ({', '.join('?' * len(condition.values))})"
    if isinstance(condition, AnyOf):
        return (
            f"({' OR '.join(_make_condition(collection, c, number, values) for c in condition.conditions)})"
        )
    has = "d.number IN (SELECT document FROM lookups WHERE collection = ? AND path"
    match condition:
        case OneOf(path, accepted):
            values += [number, ".".join(path), *map(make_index_key, accepted)]
            marks = ", ".join("?" * len(accepted))
            return f"{has} = ? AND value IN ({marks}) AND kind != {COMPOSITE})"
        case Exists(path, present):
            values += [number, ".".join(path)]
            return f"{'' if present else 'NOT '}{has} = ? AND kind != {NOTHING})"
        case Contains(paths, text):
            pattern = re.sub(r"([%_\\])", r"\\\1", text)
            values += [number, *(".".join(path) for path in paths), f"%{pattern}%"]
            marks = ", ".join("?" * len(paths))
            return f"{has} IN ({marks}) AND typeof(value) = 'text' AND value LIKE ? ESCAPE '\\')"
