"""Records: typed views of documents. A value of the wrong type costs its own field, nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar, overload

from bson import ObjectId

from stores.contracts.columns import read_key
from stores.contracts.documents import Document
from stores.contracts.lazy_lists import LazyList, ObjectColumns
from stores.contracts.values import format_id, format_scalar

T = TypeVar("T")


def read_string(value: Any) -> str | None:
    """A string; a number, a boolean, an id or a time as its string; anything else as None."""
    return format_scalar(value)


def read_bool(value: Any) -> bool | None:
    """A boolean; anything else as None."""
    return value if isinstance(value, bool) else None


def read_time(value: Any) -> datetime | None:
    """A time that is stored as a date or as an ISO 8601 string, naive and in UTC; anything else as None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        return None


def read_strings(value: Any) -> list[str]:
    """The strings of a list; a string alone, as old clients sent it, is a list of one."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    strings = (item if type(item) is str else read_string(item) for item in value)
    return [string for string in strings if string is not None]


def read_object(value: Any) -> dict[str, Any]:
    """An object; anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def read_objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; an object alone is a list of one."""
    items = [value] if isinstance(value, dict) else value
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


# By reader: the type of the values, and of the items in them, that it returns unchanged. Stored times are
# naive and in UTC.
UNCHANGED_TYPES: dict[Callable[[Any], Any], tuple[type | None, type | None]] = {
    read_string: (str, None),
    read_bool: (bool, None),
    read_time: (datetime, None),
    read_object: (dict, None),
    read_strings: (list, str),
    read_objects: (list, dict),
}


class Attribute(ABC, Generic[T]):
    """A descriptor that can be read from many objects at once."""

    @abstractmethod
    def of(self, objects: Sequence[Any]) -> Sequence[T]:
        """Its value for each object."""

    def read_typed(self, objects: Sequence[Any]) -> tuple[Sequence[T], set[type]]:
        """Its value for each object, and the types of the values."""
        values = self.of(objects)
        return values, set(map(type, values))


class Stored(Attribute[T]):
    """A field that is stored under the first of `keys` that exists; `default` if it cannot be read."""

    def __init__(self, read: Callable[[Any], T | None], *keys: str, default: T) -> None:
        self.read, self.keys, self.default = read, keys, default
        unchanged, self._items = UNCHANGED_TYPES.get(read, (None, None))
        self._plain = {unchanged, NoneType} if default is None and len(keys) == 1 else {unchanged}

    @overload
    def __get__(self, record: None, owner: type) -> "Stored[T]": ...
    @overload
    def __get__(self, record: "Record", owner: type) -> T: ...
    def __get__(self, record: "Record | None", owner: type) -> "T | Stored[T]":
        if record is None:
            return self
        get, read = record.document.get, self.read
        for key in self.keys:
            value = read(get(key))
            if value is not None:
                return value
        return self.default

    def of(self, objects: "Sequence[Record]") -> Sequence[T]:
        return self.read_typed(objects)[0]

    def read_typed(self, objects: "Sequence[Record]") -> tuple[Sequence[T], set[type]]:
        """Values that need not be converted are read together."""
        values = read_stored(objects, self.keys[0])
        types = set(map(type, values))
        if types <= self._plain and (
            self._items is None or {self._items}.issuperset(map(type, chain.from_iterable(values)))
        ):
            return values, types
        converted = [self.__get__(record, type(record)) for record in objects]
        return converted, set(map(type, converted))


class Identity(Stored[str]):
    """The id of the document as a string."""

    def __init__(self) -> None:
        super().__init__(format_id, "_id", default="")

    def read_typed(self, objects: "Sequence[Record]") -> tuple[list[str], set[type]]:
        ids = read_stored(objects, "_id")
        format_one = str if {ObjectId}.issuperset(map(type, ids)) else format_id
        return list(map(format_one, ids)), {str}


def optional(read: Callable[[Any], T | None], *keys: str) -> Stored[T | None]:
    """A field that may be missing."""
    return Stored[T | None](read, *keys, default=None)


def read_or_empty(read: Callable[[Any], T], key: str) -> Stored[T]:
    """A list or an object that is empty if it is missing."""
    return Stored(read, key, default=read(None))


class Record:
    """A document, and the organization and the application that it belongs to (None: to none)."""

    __slots__ = ("application_id", "document", "organization_id")
    stored: ClassVar[dict[str, tuple[str, ...]]] = {}  # attribute -> the document's keys it reads

    def __init__(
        self,
        document: Document,
        organization_id: str | None = None,
        application_id: str | None = None,
    ) -> None:
        self.document = document
        self.organization_id = organization_id
        self.application_id = application_id

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.stored = {
            name: field.keys
            for base in cls.__mro__
            for name, field in vars(base).items()
            if isinstance(field, Stored)
        }

    document_id = Identity()
    created_at = optional(read_time, "createdAt")
    updated_at = optional(read_time, "updatedAt")


R = TypeVar("R", bound=Record)


class Records(LazyList[R]):
    """A list of records of one class and scope. A record is made when it is accessed."""

    __slots__ = ("documents", "scope")

    def __init__(
        self, class_: type[R], documents: Sequence[Document], scope: tuple[str | None, str | None]
    ) -> None:
        self.class_, self.documents = class_, documents
        self.scope = scope  # the ids of the organization and of the application

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> "Records[R]": ...
    def __getitem__(self, index: int | slice) -> "R | Records[R]":
        if isinstance(index, slice):
            return Records(self.class_, self.documents[index], self.scope)
        return self.class_(self.documents[index], *self.scope)

    def __iter__(self) -> Iterator[R]:
        class_, (organization_id, application_id) = self.class_, self.scope
        return (class_(document, organization_id, application_id) for document in self.documents)


LISTS = frozenset((list, tuple, Records, ObjectColumns))  # the types of lists of objects


def join_lists(lists: Collection[Sequence[Any]]) -> Sequence[Any]:
    """One list of the objects of all lists. Of lazy ones of one class and scope, no object is made."""
    if len(lists) == 1:
        return next(iter(lists))
    if {ObjectColumns}.issuperset(map(type, lists)) and len({part.class_ for part in lists}) == 1:  # type: ignore[attr-defined]  # as was just tested
        return ObjectColumns.join(next(iter(lists)).class_, lists)  # type: ignore[arg-type,attr-defined]
    if {Records}.issuperset(map(type, lists)):
        records: Collection[Records[Any]] = lists  # type: ignore[assignment]  # as was just tested
        kinds = {(part.class_, part.scope) for part in records}
        if len(kinds) == 1:
            [(class_, scope)] = kinds
            return Records(class_, list(chain.from_iterable(part.documents for part in records)), scope)
    return list(chain.from_iterable(lists))


def read_scopes(records: Sequence[Record]) -> Sequence[tuple[str | None, str | None]]:
    """The ids of the organization and of the application of each record."""
    if isinstance(records, Records):
        return [records.scope] * len(records)
    return [(record.organization_id, record.application_id) for record in records]


def read_stored(records: Sequence[Record], key: str) -> Sequence[Any]:
    """What each record's document has under a key, None where it has nothing."""
    if isinstance(records, Records):
        return read_key(records.documents, key)
    return [record.document.get(key) for record in records]
