"""Changing one document atomically.

That is done by update operators, or by compare-and-swap where no dotted path can name a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import bson
from pymongo import ReturnDocument

from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.filters import (
    Filter,
    all_of,
    dotted,
    is_namable,
    match_id,
    split_namable,
    to_filter,
)
from stores.contracts.changes import apply, make_later_than, matches
from stores.contracts.documents import CODEC, Change, Document, Path, Where, format_time
from stores.contracts.errors import BadUserInput, Conflict, Unavailable
from stores.contracts.ordering import get_order_value
from stores.contracts.outcomes import NOT_APPLIED

BUSY = "too many clients change this document at the same time"
MAX_ATTEMPTS = 100  # of a change that competes with the changes of others


class Updated(NamedTuple):
    """A document after an update and, if that is known, before it."""

    before: Document | None
    after: Document


async def update_first(
    connection: MongoConnection, collection: Any, where: Where, change: Change, *, with_before: bool = False
) -> Updated | None:
    """Change the first document (by id) that matches and return it as it is now, or None."""
    namable, others = split_namable(where)
    paths = [*change.set, *change.unset, *change.add, *change.pull]
    if change.touch is not None:
        paths.append(change.touch.path)
    for path in paths:
        if not is_namable(path[:1]):
            raise BadUserInput(f"{path[0]!r} cannot name a field.", fields=[".".join(path)])
    if others or not all(map(is_namable, paths)):
        return await _swap(connection, collection, namable, others, change, paths)
    return await _update(connection, collection, to_filter(namable), change, with_before)


async def _update(
    connection: MongoConnection, collection: Any, matched: Filter, change: Change, with_before: bool
) -> Updated | None:
    """One command; with a touch, it is repeated with a later time until no stored time is later."""
    stamp = make_later_than(None)
    for _ in range(MAX_ATTEMPTS):
        condition = matched
        if change.touch is not None:
            time = format_time(stamp) if change.touch.as_string else stamp
            condition = all_of([matched, {dotted(change.touch.path): {"$not": {"$gte": time}}}])
        async with connection.command(is_write=True):
            document: Document | None = await collection.find_one_and_update(
                condition,
                to_operators(change, stamp),
                sort=[("_id", 1)],
                return_document=ReturnDocument.BEFORE if with_before else ReturnDocument.AFTER,
                comment=connection.write_comment,
            )
        if document is not None:
            if not with_before:
                return Updated(None, document)
            return Updated(document, await _find_after(connection, collection, document, change, stamp))
        if change.touch is None:
            return None
        async with connection.command():
            stored = await collection.find_one(matched, sort=[("_id", 1)])
        if stored is None:
            return None
        stamp = make_later_than(get_order_value(stored, change.touch.path))
    raise Unavailable(BUSY, reason="OVERLOADED", outcome=NOT_APPLIED)


async def _find_after(
    connection: MongoConnection, collection: Any, before: Document, change: Change, stamp: datetime
) -> Document:
    """The document after an update whose server has returned it as it was before.

    It is computed. If it has new keys, the stored document is read too, because the server decides on their
    order; the values in it may be those of a later update.
    """
    sets = dict(change.set)
    if change.touch is not None:
        sets[change.touch.path] = format_time(stamp) if change.touch.as_string else stamp
    try:
        after = apply(before, replace(change, set=sets, touch=None))
    except Conflict:  # a path that only a server understands
        after = None
    if after is not None and not _has_new_keys(before, after):
        return bson.decode(bson.encode(after), CODEC)
    async with connection.command():
        stored: Document | None = await collection.find_one(match_id(before["_id"]))
    if after is None:
        return stored or before
    computed: Document = bson.decode(bson.encode(after), CODEC)
    return computed if stored is None else _order_keys(computed, stored)


def _order_keys(document: Document, model: Document) -> Document:
    """The same document with its keys in the order of another one, and those that it does not have last."""
    keys = [key for key in model if key in document]
    ordered = {key: document[key] for key in [*keys, *(key for key in document if key not in model)]}
    for key in keys:
        if isinstance(ordered[key], dict) and isinstance(model[key], dict):
            ordered[key] = _order_keys(ordered[key], model[key])
    return ordered


def _has_new_keys(before: Any, after: Any) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return any(key not in before or _has_new_keys(before[key], value) for key, value in after.items())


async def _swap(
    connection: MongoConnection,
    collection: Any,
    namable: Where,
    others: Where,
    change: Change,
    paths: Sequence[Path],
) -> Updated | None:
    """Compute the change here and store it if nobody has changed what it replaces since it was read."""
    before: Document | None = None
    for _ in range(MAX_ATTEMPTS):
        async with connection.command():
            cursor = collection.find(to_filter(namable), sort=[("_id", 1)])
            stored = None
            async for document in cursor:
                if matches(document, others):
                    stored = document
                    break
        if stored is None:
            return None
        if stored == before:
            raise Conflict("The stored document contains values that cannot be compared.")
        before, changed = stored, apply(stored, change)
        filters: list[Filter] = [match_id(stored["_id"]), to_filter(namable)]
        operators: dict[str, Filter] = {}
        for parent in _select_outermost(
            [_find_namable_parent(path) for path in (*paths, *_list_condition_paths(others))]
        ):
            name, old, new = dotted(parent), _find_value(stored, parent), _find_value(changed, parent)
            filters.append({name: {"$exists": False} if old is MISSING else {"$eq": old}})
            if new is MISSING:
                operators.setdefault("$unset", {})[name] = ""
            else:
                operators.setdefault("$set", {})[name] = new
        async with connection.command(is_write=True):
            result = await collection.update_one(all_of(filters), operators, comment=connection.write_comment)
        if result.matched_count:
            return Updated(stored, changed)
    raise Unavailable(BUSY, reason="OVERLOADED", outcome=NOT_APPLIED)


MISSING = object()


def _find_value(document: Document, path: Path) -> Any:
    value: Any = document
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _find_namable_parent(path: Path) -> Path:
    """The longest start of a path that a dotted path can name."""
    length = next((i for i, key in enumerate(path) if not is_namable((key,))), len(path))
    return path[:length]


def _list_condition_paths(where: Where) -> list[Path]:
    """The paths of conditions that no filter can express: what is stored there must stay as it was read."""
    paths: list[Path] = []
    for condition in where:
        path = getattr(condition, "path", None)
        if path is not None:
            paths.append(path)
    return paths


def _select_outermost(paths: Sequence[Path]) -> list[Path]:
    """The paths without those that lie inside another one: two updates must not overlap."""
    unique = sorted(set(paths), key=len)
    return [p for i, p in enumerate(unique) if not any(p[: len(other)] == other for other in unique[:i])]


def to_operators(change: Change, stamp: datetime) -> Filter:
    """The update operators of a change; `stamp` is the time of its touch."""
    sets = _key_by_name(change.set)
    if change.touch is not None:
        sets[dotted(change.touch.path)] = format_time(stamp) if change.touch.as_string else stamp
    operators = {
        "$set": sets,
        "$unset": {dotted(path): "" for path in change.unset},
        "$addToSet": _key_by_name(change.add),
        "$pull": {name: _quote_literal(value) for name, value in _key_by_name(change.pull).items()},
    }
    return {name: values for name, values in operators.items() if values}


def _key_by_name(values: Mapping[Path, Any]) -> Filter:
    return {dotted(path): value for path, value in values.items()}


def _quote_literal(value: Any) -> Any:
    """A value that `$pull` compares: it would take an object for a condition."""
    return {"$eq": value} if isinstance(value, dict) else value
