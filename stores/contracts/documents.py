"""Documents, collections, queries and writes, as every backend of `document_store.py` understands them.

A document is a `dict` in stored key order with BSON's types: strings, numbers, booleans, None, lists, dicts,
naive UTC `datetime`s of whole milliseconds, `ObjectId`s and the other classes of `bson`. Paths are tuples of
keys and step into lists as MongoDB's dotted paths do: `("events", "class")` is the class of any item of
`events`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from bson import DatetimeMS
from bson.codec_options import CodecOptions, DatetimeConversion

from stores.contracts.values import format_scalar
from stores.contracts.values import format_time as format_time

Document: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

ID: Path = ("_id",)

# Existing documents may contain dates outside Python's range and strings that are not valid UTF-8. Neither
# may make a list unreadable.
CODEC: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)


@dataclass(frozen=True, slots=True)
class Unique:
    """No two documents of a collection have the same value in any of `fields` (spellings of one key).

    With `within`, only documents that are equal in these fields are compared. A missing value or null never
    collides. Stored documents that already collide stay as they are. With `ignore_case`, strings that
    differ only in case are the same.
    """

    fields: tuple[str, ...]
    within: tuple[str, ...] = ()
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection. `indexes` are the paths that conditions and orders may name.

    A last key of `*` stands for every key: `("properties", "*")` allows `("properties", "ip")`. `anchor`
    names a collection of the same database that contains a document whenever this one does: a server can only
    join many collections starting from a document.
    """

    name: str
    unique: tuple[Unique, ...] = ()
    indexes: tuple[Path, ...] = ()
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value at `path`, or an item of a list there, is one of `values`. None also matches no value."""

    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """A value exists at `path`, or does not if `present` is false. Null is a value."""

    path: Path
    present: bool = True


@dataclass(frozen=True, slots=True)
class Contains:
    """A string at one of `paths` contains `text`. The case of ASCII letters is ignored."""

    paths: tuple[Path, ...]
    text: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions matches."""

    conditions: tuple["Condition", ...]


Condition: TypeAlias = OneOf | Exists | Contains | AnyOf
Where: TypeAlias = Sequence[Condition]


def equals(path: str | Path, value: Any) -> OneOf:
    """The condition that the value at a path equals `value`."""
    return OneOf((path,) if isinstance(path, str) else path, (value,))


@dataclass(frozen=True, slots=True)
class Order:
    """By the value at `path` (a missing value counts as null), then by id, both ascending or both descending.

    Values of different types are ordered as MongoDB orders them, see `order_key`.
    """

    path: Path = ID
    descending: bool = False


BY_ID = Order()


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to return, in which order, after which, how many (None: all), with which keys.

    `after` is the position of the last document that was read: its value at the order's path, and its id.
    `keys` are top-level keys; without them whole documents are returned. A backend may return more keys than
    requested, and always returns `_id`.
    """

    where: Where = ()
    order: Order = BY_ID
    after: tuple[Any, Any] | None = None
    limit: int | None = None
    keys: frozenset[str] | None = None


ALL = Query()


def first_of(query: Query, number: int) -> Query:
    """The query for no more than the first `number` documents of a query."""
    return query if query.limit is not None and query.limit <= number else replace(query, limit=number)


@dataclass(frozen=True, slots=True)
class Touch:
    """A time that strictly increases: now, or one millisecond after the stored time if that is later."""

    path: Path
    as_string: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic change of a document: set values, unset paths, add to or pull from lists, advance a time."""

    set: Mapping[Path, Any] = field(default_factory=dict)
    unset: Sequence[Path] = ()
    add: Mapping[Path, Any] = field(default_factory=dict)
    pull: Mapping[Path, Any] = field(default_factory=dict)
    touch: Touch | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """A write is valid only while `collection` contains a document that matches `where`.

    Such as the entry of the application that the written document belongs to. Otherwise the write is not
    applied, and raises `NotFound` with `what` in its message.
    """

    collection: Collection
    where: Where
    what: str


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Apply a write once for each `key` of a database within 24 hours.

    A repetition with the same `fingerprint` (of the request) returns the first result; with another
    fingerprint it raises `Conflict`.
    """

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class UpdateOne:
    """Apply `change` to the first document that matches; with `insert`, to that document if none matches."""

    collection: Collection
    where: Where
    change: Change
    insert: Document | None = None


@dataclass(frozen=True, slots=True)
class DeleteMany:
    """Delete all documents that match."""

    collection: Collection
    where: Where


@dataclass(frozen=True, slots=True)
class ReplaceMany:
    """Delete all documents that match and insert `documents`."""

    collection: Collection
    where: Where
    documents: Sequence[Document]


@dataclass(frozen=True, slots=True)
class CreateCollections:
    """Create empty collections. Existing ones stay as they are."""

    collections: Sequence[Collection]


@dataclass(frozen=True, slots=True)
class DropCollections:
    """Delete whole collections. Collections that do not exist are ignored."""

    collections: Sequence[Collection]


Write: TypeAlias = UpdateOne | DeleteMany | ReplaceMany | CreateCollections | DropCollections


def list_written(writes: Sequence[Write]) -> list[Collection]:
    """The collections that writes name, in their order."""
    collections: list[Collection] = []
    for write in writes:
        match write:
            case CreateCollections() | DropCollections():
                collections += write.collections
            case _:
                collections.append(write.collection)
    return collections


def utc_now() -> datetime:
    """The current time as it is stored: naive, in UTC, in whole milliseconds."""
    time = datetime.now(UTC).replace(tzinfo=None)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def to_milliseconds(time: datetime | DatetimeMS) -> int:
    """Milliseconds since 1970."""
    return int(time if isinstance(time, DatetimeMS) else DatetimeMS(time))


def find_values_at(document: Any, path: Path) -> list[Any]:
    """The values at a path, stepping into lists.

    A list at the end of the path counts, and so does each of its items.
    """
    if not path:
        return [document, *document] if isinstance(document, list) else [document]
    if isinstance(document, list):
        return [v for item in document if isinstance(item, dict) for v in find_values_at(item, path)]
    if isinstance(document, dict) and path[0] in document:
        return find_values_at(document[path[0]], path[1:])
    return []


def list_claimed_values(document: Document, unique: Unique) -> set[str]:
    """The values of a document that a `Unique` compares, as they are shown.

    The number 5.0 and the string `5` are one value, and so are strings that differ in case if it is ignored.
    """
    texts = (format_scalar(document.get(name)) for name in unique.fields)
    return {text.casefold() if unique.ignore_case else text for text in texts if text is not None}
