"""The writes of the document contract, inside the transaction that makes them one."""

from collections.abc import Callable

from stores.backends.sqlite.rows import CollectionRows
from stores.contracts.changes import apply
from stores.contracts.documents import (
    Collection,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Guard,
    ReplaceMany,
    UpdateOne,
    Write,
)
from stores.contracts.errors import Conflict, NotFound

Rows = Callable[[Collection], CollectionRows]


def check_guard(rows_of: Rows, guard: Guard | None) -> None:
    """Raise `NotFound` if the guard fails."""
    if guard is not None and rows_of(guard.collection).first(guard.where) is None:
        raise NotFound(f"{guard.what} not found")


def apply_write(rows_of: Rows, write: Write) -> Document | None:
    """Apply one write of several. None means that it neither changed nor inserted a document."""
    match write:
        case UpdateOne():
            return update_one(rows_of, write)
        case DeleteMany(collection, where):
            rows = rows_of(collection)
            rows.delete([number for number, _ in rows.matching(where)])
        case ReplaceMany(collection, where, documents):
            rows = rows_of(collection)
            rows.delete([number for number, _ in rows.matching(where)])
            for document in documents:
                rows.insert(document)
        case CreateCollections(collections):
            for collection in collections:
                rows_of(collection).create()
        case DropCollections(collections):
            for collection in collections:
                rows_of(collection).drop()
    return {}


def update_one(rows_of: Rows, write: UpdateOne) -> Document | None:
    """The changed document, or the inserted one; None if there is neither, or it collides with another."""
    rows = rows_of(write.collection)
    row = rows.first(write.where)
    if row is not None:
        number, document = row
        changed = apply(document, write.change)
        rows.update(number, changed)
        return changed
    if write.insert is None:
        return None
    changed = apply(write.insert, write.change)
    try:
        rows.insert(changed)
    except Conflict:
        return None
    return changed
