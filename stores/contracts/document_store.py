"""The contract of the document store: what a backend can do, without knowing a single entity."""

import asyncio
import copy
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, TypeVar

from stores.contracts.caches import CacheOwner
from stores.contracts.documents import (
    ALL,
    Change,
    Collection,
    CreateCollections,
    Document,
    DropCollections,
    Guard,
    IdempotencyKey,
    Query,
    Where,
    Write,
)
from stores.contracts.errors import GatewayError
from stores.contracts.journal import CappedCollection, Journal, JournalEntry

T = TypeVar("T")
DatabaseCollection: TypeAlias = tuple[str, Collection]  # a collection, and the name of its database


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """A database: its name, its size in bytes (None if the store does not report it), whether it is empty."""

    name: str
    size: int | None
    empty: bool


class DocumentDatabase(ABC):
    """One database, which holds the documents of one tenant. No call can reach another tenant's.

    Every call raises `Unavailable` if the store does not answer within its deadline. A collection that does
    not exist, or cannot exist under its name, reads as empty. Errors of writes say in `extensions["outcome"]`
    whether the write may have been applied, see `outcomes.py`.
    """

    database: str
    journal: Journal | None = None  # of what `insert`, `update`, `delete` and `write_all` change

    def with_journal(self, journal: Journal) -> Self:
        """Return the same database, which records in `journal` what its writes change."""
        journaled = copy.copy(self)
        journaled.journal = journal
        return journaled

    async def find(self, collection: Collection, query: Query = ALL) -> list[Document]:
        """Return the documents of one query, in its order."""
        return (await self.find_many(collection, [query]))[0]

    @abstractmethod
    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        """Return the documents of each query, in the order of the queries, by one call to the store."""

    async def find_columns(
        self, collection: Collection, queries: Sequence[Query]
    ) -> list[Sequence[Document]]:
        """As `find_many`, for whoever reads a few keys of many documents.

        Where a backend can save the dict of each document, the documents are `DocumentColumns`.
        """
        return [*await self.find_many(collection, queries)]

    @abstractmethod
    async def find_across(
        self, collections: Sequence[Collection], query: Query, *, total: int | None = None
    ) -> list[list[Document]]:
        """Return the documents of one query in each of several collections, in the order of `collections`.

        With `total`, no more than so many documents are returned altogether, the first ones: the lists of
        collections after those are empty.

        The number of calls to a server is one for each 100 collections; an embedded store needs one.
        """

    @abstractmethod
    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        """Return the number of matching documents of each collection, in the order of `collections`."""

    @abstractmethod
    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Document:
        """Insert a new document and return it; in a repetition under `once`, return the first one.

        Raises `Conflict` if its `_id` or the value of a `Unique` is taken (`extensions["fields"]` names the
        fields), and `NotFound` if the `guard` fails. Nothing is written then.
        """

    @abstractmethod
    async def update(
        self,
        collection: Collection,
        where: Where,
        change: Change,
        *,
        insert: Document | None = None,
    ) -> Document | None:
        """Change the first document (by id) that matches, atomically, and return it as it is now.

        Returns None if none matches. With `insert`, that document is changed and inserted instead, unless a
        `Unique` says that it exists already (None again). Raises `Conflict` as `insert` does.
        """

    @abstractmethod
    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        """Delete the documents that match, or only the first (by id). Return how many were deleted."""

    @abstractmethod
    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
        result: Document | None = None,
    ) -> Document | None:
        """Apply several writes as one: after a failure or a crash, all of them are applied or none.

        The first write decides: if it is an `UpdateOne` that neither changes nor inserts a document, nothing
        is written and None is returned. Otherwise returns `result`, which is recorded for repetitions under
        `idempotency`, or the updated document. Operations of this kind exclude each other in one database.
        Raises `Conflict` and `NotFound` as `insert` does.
        """

    @abstractmethod
    async def append(self, target: CappedCollection, entries: Sequence[JournalEntry]) -> None:
        """Add entries to a capped collection of the databases that they name.

        An embedded store adds all of them or none. A server deletes the oldest ones once in a while, so that
        there may be some too many.
        """

    @abstractmethod
    async def list_collections(self) -> list[str]:
        """Return the sorted names of the collections, without those that the gateway keeps for itself."""

    @abstractmethod
    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        """Return the documents of a query as BSON, byte for byte as they are stored. This is for copies.

        Strings that are not valid UTF-8 are in it as they are; `find` replaces what is not valid in them.
        """

    @abstractmethod
    async def write_raw(self, collection: Collection, documents: Sequence[bytes]) -> None:
        """Store documents byte for byte, otherwise as `upsert` does."""

    @abstractmethod
    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Store documents as they are, replacing those of the same id. This is for copies between stores.

        Existing data may collide, so `Unique` is not checked. A collection that has unique indexes of its own
        raises `Conflict`.
        """

    async def create_collections(self, collections: Sequence[Collection]) -> None:
        """Create empty collections. Existing ones stay as they are."""
        await self.write_all([CreateCollections(collections)])

    async def drop_collections(self, collections: Sequence[Collection]) -> None:
        """Delete whole collections. Collections that do not exist are ignored."""
        await self.write_all([DropCollections(collections)])


class DocumentStore(CacheOwner, ABC):
    """All databases of a deployment. One client, pooled; opening it does not wait for the server."""

    default: str  # the name of the database that contains what belongs to no tenant

    @property
    def damaged_documents(self) -> int:
        """How many damaged documents were left out of lists since the start."""
        return 0

    @property
    def is_suspended(self) -> bool:
        """Whether calls are rejected for a while, because the store is down."""
        return False

    @abstractmethod
    def database(self, name: str) -> DocumentDatabase:
        """Return one database. This creates nothing."""

    async def find_across(
        self, collections: Sequence[DatabaseCollection], query: Query
    ) -> list[list[Document] | Exception]:
        """Return the documents of one query in each of several collections of several databases.

        If a database fails, its exception is the result of each of its collections. An embedded store needs
        one call, a server one for each 100 collections of a database.
        """
        return await self._call_each(collections, lambda documents, some: documents.find_across(some, query))

    async def count_across(self, collections: Sequence[DatabaseCollection]) -> list[int | Exception]:
        """Return the number of documents of each of several collections. Fails as `find_across` does."""
        return await self._call_each(collections, lambda documents, some: documents.count(some))

    async def _call_each(
        self,
        collections: Sequence[DatabaseCollection],
        call: Callable[[DocumentDatabase, Sequence[Collection]], Awaitable[Sequence[T]]],
    ) -> list[T | Exception]:
        """The results for each collection, by one call for each database. Most requests are about one."""
        if len({database for database, _ in collections}) == 1:
            documents = self.database(collections[0][0])
            try:
                return [*await call(documents, [collection for _, collection in collections])]
            except GatewayError as error:
                return [error] * len(collections)
        indexes: defaultdict[str, list[int]] = defaultdict(list)
        for index, (database, _) in enumerate(collections):
            indexes[database].append(index)
        calls = (
            call(self.database(database), [collections[index][1] for index in of_database])
            for database, of_database in indexes.items()
        )
        results: dict[int, T | Exception] = {}
        for of_database, values in zip(
            indexes.values(), await asyncio.gather(*calls, return_exceptions=True), strict=True
        ):
            if isinstance(values, BaseException) and not isinstance(values, Exception):
                raise values
            repeated = [values] * len(of_database) if isinstance(values, Exception) else values
            results |= zip(of_database, repeated, strict=True)
        return [results[index] for index in range(len(collections))]

    @abstractmethod
    async def list_databases(self) -> list[DatabaseInfo]:
        """Return every database that contains a collection, by name, without the server's own."""

    @abstractmethod
    async def ping(self) -> None:
        """Return when the store answers. Raises `Unavailable` if it does not."""

    async def check_writes(self) -> None:
        """Return if the store takes writes; raise `Unavailable` if it does not. This leaves nothing written.

        A store on a server has no such check: it returns at once.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close files and connections."""
