"""What every stored entity declares about itself: all that other modules know of it follows from this."""

from enum import Enum
from typing import Any, ClassVar

from stores.contracts.documents import BY_ID, Collection, Condition, Order, Query, Unique, equals
from stores.contracts.records import Record

APPLICATION_ID = "applicationId"  # the key of the application in collections that applications share
PLACEHOLDER = "{application_id}"
ANCHOR = "config"  # the collection in which every organization has a document


class Scope(Enum):
    """Whose an entity is: it decides where its documents are stored and which deletion removes them."""

    SHARED = "shared"  # nobody's: in the default database
    ORGANIZATION = "organization"  # an organization's: in its database
    APPLICATION = "application"  # an application's: in the database of its organization, deleted with it


SHARED, ORGANIZATION, APPLICATION = Scope

DECLARATIONS = {
    "scope": "SHARED, ORGANIZATION or APPLICATION",
    "collection": f"the name of its collection, with {PLACEHOLDER} if each application has its own",
    "node_kind": "its kind in global ids, which clients store, or None",
    "document_kind": "its name in the query `documents(of:)`, or None",
    "unique": "the unique keys, each a tuple of the spellings of one key",
    "indexes": "the paths that conditions and orders may name, with dots",
    "secrets": "the top-level keys whose values may contain secrets, which are encrypted and masked",
}


class Entity(Record):
    """A stored entity: a record, and the declarations from which its collections, ids and deletion follow.

    Each subclass declares all of `DECLARATIONS` itself, also one that inherits from another entity. If all
    applications share one collection, `applicationId` tells their documents apart; it is added to the unique
    keys and to the indexes.
    """

    __slots__ = ()
    scope: ClassVar[Scope]
    collection: ClassVar[str]
    node_kind: ClassVar[str | None]
    document_kind: ClassVar[str | None]
    unique: ClassVar[tuple[tuple[str, ...], ...]]
    indexes: ClassVar[tuple[str, ...]]
    secrets: ClassVar[tuple[str, ...]]
    order: ClassVar[Order] = BY_ID  # of lists
    ignore_case: ClassVar[bool] = False  # of unique keys
    is_document: ClassVar[bool] = True  # False for a part of a document, which has no `_id` of its own
    shares_collection: ClassVar[bool]  # derived: whether all applications use one

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        missing = [f"{name} ({what})" for name, what in DECLARATIONS.items() if name not in vars(cls)]
        if missing:
            raise TypeError(f"the entity {cls.__name__} must declare {'; '.join(missing)}")
        own_collection = PLACEHOLDER in cls.collection
        if own_collection and cls.scope is not APPLICATION:
            raise TypeError(f"the entity {cls.__name__}: only the scope APPLICATION has {PLACEHOLDER}")
        cls.shares_collection = cls.scope is APPLICATION and not own_collection

    @classmethod
    def collection_of(cls, application_id: str | None = None) -> Collection:
        """The collection of the entity; `application_id` is required if each application has its own."""
        name = cls.collection
        if PLACEHOLDER in name:
            if application_id is None:
                raise TypeError(f"the collection of {cls.__name__} needs an application")
            name = name.replace(PLACEHOLDER, application_id)
        within = (APPLICATION_ID,) if cls.shares_collection else ()
        return Collection(
            name,
            unique=tuple(Unique(spellings, within, cls.ignore_case) for spellings in cls.unique),
            indexes=tuple(tuple(path.split(".")) for path in (*within, *cls.indexes)),
            anchor=None if cls.scope is SHARED else ANCHOR,
        )

    @classmethod
    def conditions(cls, application_id: str | None) -> tuple[Condition, ...]:
        """What tells the documents of an application from those of others in the same collection."""
        return (equals(APPLICATION_ID, application_id),) if cls.shares_collection else ()

    @classmethod
    def query(
        cls, application_id: str | None = None, *conditions: Condition, limit: int | None = None
    ) -> Query:
        """The entity's documents that meet `conditions`, in their declared order."""
        return Query((*cls.conditions(application_id), *conditions), cls.order, limit=limit)

    @classmethod
    def noun(cls) -> str:
        """What messages call the entity, such as `Event class`."""
        kind = cls.node_kind or cls.__name__
        return kind[0] + "".join(f" {c.lower()}" if c.isupper() else c for c in kind[1:])

    def identity(self) -> tuple[Any, ...]:
        """The keys of its global id, outermost first: organization, application and its own."""
        if self.is_document:
            return self.organization_id, self.application_id, self.document.get("_id")
        return tuple(key for key in (self.organization_id, self.application_id) if key is not None)
