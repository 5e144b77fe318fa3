"""The contract of the document store: what a backend can do, without knowing a single entity.

A document is a `dict` in stored key order with BSON's types: text, numbers, booleans, None, lists, dicts,
naive UTC `datetime`s of whole milliseconds and `ObjectId`s. Paths are tuples of keys and step into lists
as MongoDB's dotted paths do: `("events", "class")` is the class of any item of `events`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from bson import DatetimeMS, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion

Document: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

ID: Path = ("_id",)

# Old documents may hold dates that Python has not, and text that is not UTF-8: neither may cost a list.
CODEC: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)


@dataclass(frozen=True, slots=True)
class Unique:
    """No two documents of a collection share the value of one of `fields` (spellings of one key).

    With `within`, only documents equal in these fields count. A value that is missing or null never
    collides; documents that already collide are left alone.
    """

    fields: tuple[str, ...]
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection and what may be asked of it: `indexes` are the paths that conditions and orders may name.

    A last key of `*` stands for every key: `("properties", "*")` allows `("properties", "ip")`.
    """

    name: str
    unique: tuple[Unique, ...] = ()
    indexes: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value at `path`, or an item of a list there, is one of `values`; None finds a missing one too."""

    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """There is (or is not) something at `path`, be it null."""

    path: Path
    present: bool = True


@dataclass(frozen=True, slots=True)
class Contains:
    """A text at one of `paths` holds `text`, in any case (of ASCII letters)."""

    paths: tuple[Path, ...]
    text: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions holds."""

    conditions: tuple["Condition", ...]


Condition: TypeAlias = OneOf | Exists | Contains | AnyOf
Where: TypeAlias = Sequence[Condition]


def equals(path: str | Path, value: Any) -> OneOf:
    return OneOf((path,) if isinstance(path, str) else path, (value,))


@dataclass(frozen=True, slots=True)
class Order:
    """By the value at `path` (missing counts as null), then by id, both ascending or both descending.

    Values of several types are ordered as MongoDB does: null, numbers, text, object ids, booleans, dates.
    """

    path: Path = ID
    descending: bool = False


BY_ID = Order()


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents, in which order, from where, how many (None: all) and with which top-level keys.

    `after` is the position of the last document already seen: its value at the order's path and its id.
    `keys` None means whole documents; `_id` always comes along. A backend may give more than `keys`.
    """

    where: Where = ()
    order: Order = BY_ID
    after: tuple[Any, Any] | None = None
    limit: int | None = None
    keys: frozenset[str] | None = None


ALL = Query()


@dataclass(frozen=True, slots=True)
class Touch:
    """A time that strictly increases: now, or one millisecond past the stored time if that is later."""

    path: Path
    as_string: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic change of a document: set values, unset paths, add to or pull from lists, touch a time."""

    set: Mapping[Path, Any] = field(default_factory=dict)
    unset: Sequence[Path] = ()
    add: Mapping[Path, Any] = field(default_factory=dict)
    pull: Mapping[Path, Any] = field(default_factory=dict)
    touch: Touch | None = None


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """A database: its name, its size in bytes (None: the store does not say), whether it is empty."""

    name: str
    size: int | None
    empty: bool


class DocumentDatabase(ABC):
    """One database, that is one tenant's documents: no call can reach another's.

    Every call raises `Unavailable` when the store does not answer within its deadline. A collection
    that does not exist, or cannot under its name, reads as empty.
    """

    database: str

    async def find(self, collection: Collection, query: Query = ALL) -> list[Document]:
        """The documents of one query, in its order."""
        return (await self.find_many(collection, [query]))[0]

    @abstractmethod
    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        """The documents of each query, in the order of the queries, in one call to the store."""

    @abstractmethod
    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        """How many documents of each collection fit, in the order of `collections`."""

    @abstractmethod
    async def insert(self, collection: Collection, document: Document) -> None:
        """Keep a new document under its `_id`. Raises `Conflict` where `_id` or a `Unique` is taken
        (`extensions["fields"]` names the fields); then nothing is written."""

    @abstractmethod
    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        """Change the first document (by id) that fits, atomically, and answer it as it is now.

        None when none fits; with `insert`, that document is then changed and kept instead, unless a
        `Unique` says that it is there already (None again). Raises `Conflict` as `insert` does.
        """

    @abstractmethod
    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        """Delete the documents that fit, or only the first (by id); answer how many went."""

    @abstractmethod
    async def replace(self, collection: Collection, where: Where, documents: Sequence[Document]) -> None:
        """Put `documents` in the place of those that fit: all or nothing. Raises as `insert` does."""

    @abstractmethod
    async def create_collections(self, collections: Sequence[Collection]) -> None:
        """Make empty collections; those that exist stay as they are."""

    @abstractmethod
    async def drop_collections(self, collections: Sequence[Collection]) -> None:
        """Remove whole collections; those that do not exist are no error."""

    @abstractmethod
    async def list_collections(self) -> list[str]:
        """The names of the collections, sorted."""

    @abstractmethod
    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Keep documents as they are, replacing those of the same id: for copies between stores.

        An older system may have kept what collides, so that `Unique` is not asked where nothing was
        written through the contract yet; a collection with indexes of its own raises `Conflict`."""


class DocumentStore(ABC):
    """All databases of a deployment. One client, pooled; opening it does not wait for the server."""

    default: str  # the database that holds what belongs to no tenant

    @abstractmethod
    def database(self, name: str) -> DocumentDatabase:
        """The documents of one database; nothing is made by asking."""

    @abstractmethod
    async def list_databases(self) -> list[DatabaseInfo]:
        """Every database that holds a collection, by name; the server's own are left out."""

    @abstractmethod
    async def ping(self) -> None:
        """Return when the store answers; raise `Unavailable` when it does not."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of files and connections."""


def utc_now() -> datetime:
    """The time as stores keep it: naive, UTC, whole milliseconds."""
    time = datetime.now(UTC).replace(tzinfo=None)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def format_time(time: datetime) -> str:
    """`2026-01-31T09:05:07.123Z`: the one text form of a time."""
    return time.isoformat(timespec="milliseconds") + "Z"


def to_milliseconds(time: datetime | DatetimeMS) -> int:
    """Milliseconds since 1970; times that Python has not are kept as nothing else."""
    return int(time if isinstance(time, DatetimeMS) else DatetimeMS(time))


def values_at(document: Any, path: Path) -> list[Any]:
    """What stands at a path, stepping into lists; items of a list at its end count beside the list itself."""
    if not path:
        return [document, *document] if isinstance(document, list) else [document]
    if isinstance(document, list):
        return [v for item in document if isinstance(item, dict) for v in values_at(item, path)]
    if isinstance(document, dict) and path[0] in document:
        return values_at(document[path[0]], path[1:])
    return []


def order_value(document: Document, path: Path) -> Any:
    """The value that a document is ordered by: a scalar, or None for anything else."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return None if isinstance(value, dict | list) else value


def order_key(value: Any) -> tuple[int, Any]:
    """A key that sorts values in memory as stores order them (what is none of these types counts as null)."""
    match value:
        case bool():
            return 4, value
        case int() | float():
            return 1, value
        case str():
            return 2, value.encode()
        case ObjectId():
            return 3, value
        case datetime() | DatetimeMS():
            return 5, to_milliseconds(value)
    return 0, 0


def claimed_values(document: Document, unique: Unique) -> Iterable[Any]:
    """The values that a document claims under a `Unique`."""
    return {
        value
        for name in unique.fields
        if (value := document.get(name)) is not None and not isinstance(value, dict | list)
    }
