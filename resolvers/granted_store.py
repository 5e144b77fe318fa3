"""The document store as a grant lets it be seen: what it does not cover is empty, and takes no writes.

Every read and write of a request goes through here, so that a resolver that forgets to check cannot leak.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from resolvers.grants import Grant
from stores.contracts.document_store import DatabaseCollection, DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import (
    Change,
    Collection,
    CreateCollections,
    Document,
    DropCollections,
    Guard,
    IdempotencyKey,
    OneOf,
    Query,
    ReplaceMany,
    Where,
    Write,
    list_written,
)
from stores.contracts.errors import Forbidden, NotFound
from stores.contracts.journal import CappedCollection, Journal, JournalEntry
from stores.contracts.records import read_object, read_string, read_strings
from stores.entities.audit import AuditEntry
from stores.entities.entity import APPLICATION, APPLICATION_ID, PLACEHOLDER, Entity
from stores.entities.organizations import APPLICATIONS_KEY, Organization
from stores.entities.registry import find_entity_of_collection
from stores.wrappers.documents import WrappedDocumentDatabase
from stores.wrappers.hidden import Hidden

# A database that no store has. What a viewer may not see is looked for there, so that the answer and the
# calls to the store are those for an organization that does not exist.
NO_DATABASE = "~none"


class GrantedDocumentStore(DocumentStore):
    """Passes each call to `store` for the organizations and applications of a grant."""

    def __init__(self, store: DocumentStore, grant: Grant) -> None:
        self._store, self._grant = store, grant
        self.default = store.default

    @property
    def hidden(self) -> DocumentDatabase:
        """What stands in place of a database that must not be seen."""
        return WrappedDocumentDatabase(self._store.database(NO_DATABASE), Hidden())

    def database(self, name: str) -> DocumentDatabase:
        if not self._grant.covers(name):
            return self.hidden
        documents = self._store.database(name)
        if self._grant.applications is None:
            return documents
        return NarrowedDatabase(documents, self.hidden, self._grant.applications)

    async def find_across(
        self, collections: Sequence[DatabaseCollection], query: Query
    ) -> list[list[Document] | Exception]:
        if self._grant.applications is not None:
            return await super().find_across(collections, query)  # by `database`
        return await self._store.find_across(self._hide_uncovered(collections), query)

    async def count_across(self, collections: Sequence[DatabaseCollection]) -> list[int | Exception]:
        if self._grant.applications is not None:
            return await super().count_across(collections)
        return await self._store.count_across(self._hide_uncovered(collections))

    def _hide_uncovered(self, collections: Sequence[DatabaseCollection]) -> list[DatabaseCollection]:
        return [
            (name if self._grant.covers(name) else NO_DATABASE, collection)
            for name, collection in collections
        ]

    async def list_databases(self) -> list[DatabaseInfo]:
        return [info for info in await self._store.list_databases() if self._grant.covers(info.name)]

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        """A view is not closed: the store belongs to the application."""


class NarrowedDatabase(DocumentDatabase):
    """The database of an organization, of which only some `applications` are seen.

    What belongs to the organization itself can be read, but only a grant for all applications changes it.
    """

    def __init__(
        self, documents: DocumentDatabase, hidden: DocumentDatabase, applications: frozenset[str]
    ) -> None:
        self._documents, self._hidden, self._applications = documents, hidden, applications
        self._condition = OneOf((APPLICATION_ID,), tuple(sorted(applications)))
        self.database = documents.database

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        narrowed = [self._narrow_query(collection, query) for query in queries]
        results = await self._find_database_of(collection).find_many(collection, narrowed)
        return [[self._narrow_document(collection, document) for document in result] for result in results]

    async def find_across(
        self, collections: Sequence[Collection], query: Query, *, total: int | None = None
    ) -> list[list[Document]]:
        return [(await self.find_many(collection, [query]))[0] for collection in collections]

    async def count(self, collections: Sequence[Collection], where: Where = ()) -> list[int]:
        counts = []
        for collection in collections:
            narrowed = self._narrow_where(collection, where)
            counts += await self._find_database_of(collection).count([collection], narrowed)
        return counts

    async def insert(
        self,
        collection: Collection,
        document: Document,
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Document:
        self._check_writes([collection])
        self._check_documents(collection, [document])
        return await self._find_database_of(collection).insert(
            collection, document, guard=guard, idempotency=idempotency
        )

    async def update(
        self, collection: Collection, where: Where, change: Change, *, insert: Document | None = None
    ) -> Document | None:
        self._check_writes([collection])
        self._check_documents(collection, [insert] if insert is not None else [])
        narrowed = self._narrow_where(collection, where)
        return await self._find_database_of(collection).update(collection, narrowed, change, insert=insert)

    async def delete(self, collection: Collection, where: Where, *, first_only: bool = False) -> int:
        self._check_writes([collection])
        narrowed = self._narrow_where(collection, where)
        return await self._find_database_of(collection).delete(collection, narrowed, first_only=first_only)

    async def write_all(
        self,
        writes: Sequence[Write],
        *,
        guard: Guard | None = None,
        idempotency: IdempotencyKey | None = None,
        result: Document | None = None,
    ) -> Document | None:
        collections = list_written(writes)
        self._check_writes(collections)
        if any(self._find_database_of(collection) is self._hidden for collection in collections):
            raise NotFound("Application not found")
        narrowed = [self._narrow_write(write) for write in writes]
        return await self._documents.write_all(narrowed, guard=guard, idempotency=idempotency, result=result)

    async def list_collections(self) -> list[str]:
        names = await self._documents.list_collections()
        return [name for name in names if self._find_database_of(Collection(name)) is not self._hidden]

    async def read_raw(self, collection: Collection, query: Query) -> list[bytes]:
        raise Forbidden("Copying requires a grant for all applications.")

    async def write_raw(self, collection: Collection, documents: Sequence[bytes]) -> None:
        raise Forbidden("Copying requires a grant for all applications.")

    async def upsert(self, collection: Collection, documents: Sequence[Document]) -> None:
        raise Forbidden("Copying requires a grant for all applications.")

    async def append(self, target: CappedCollection, entries: Sequence[JournalEntry]) -> None:
        raise Forbidden("Appending requires a grant for all applications.")

    def with_journal(self, journal: Journal) -> "NarrowedDatabase":
        return NarrowedDatabase(self._documents.with_journal(journal), self._hidden, self._applications)

    def _find_database_of(self, collection: Collection) -> DocumentDatabase:
        """Where a collection is read: a collection of another application is hidden."""
        entity = _find_entity_of(collection)
        if entity is None or entity.scope is not APPLICATION or entity.shares_collection:
            return self._documents
        _, _, suffix = entity.collection.partition(PLACEHOLDER)
        return self._documents if collection.name.removesuffix(suffix) in self._applications else self._hidden

    def _narrow_where(self, collection: Collection, where: Where) -> Where:
        entity = _find_entity_of(collection)
        names_application = entity is not None and (
            entity.shares_collection or issubclass(entity, AuditEntry)
        )
        return (*where, self._condition) if names_application else where

    def _narrow_query(self, collection: Collection, query: Query) -> Query:
        return replace(query, where=self._narrow_where(collection, query.where))

    def _narrow_document(self, collection: Collection, document: Document) -> Document:
        """The document that lists the applications, with the visible ones."""
        if collection.name != Organization.collection or document.get("key") != APPLICATIONS_KEY:
            return document
        value = dict(read_object(document.get("value")))
        settings = read_object(value.get("applicationSettings"))
        value["applicationSettings"] = {k: v for k, v in settings.items() if k in self._applications}
        available = read_strings(value.get("availableApplications"))
        value["availableApplications"] = [id_ for id_ in available if id_ in self._applications]
        if read_string(value.get("defaultApplication")) not in self._applications:
            value["defaultApplication"] = None
        return {**document, "value": value}

    def _narrow_write(self, write: Write) -> Write:
        match write:
            case CreateCollections() | DropCollections():
                return write
            case ReplaceMany():
                self._check_documents(write.collection, write.documents)
        return replace(write, where=self._narrow_where(write.collection, write.where))

    def _check_writes(self, collections: Sequence[Collection]) -> None:
        for collection in collections:
            entity = _find_entity_of(collection)
            if entity is None or entity is Organization or entity.scope is not APPLICATION:
                raise Forbidden("This requires a grant for all applications of the organization.")

    def _check_documents(self, collection: Collection, documents: Sequence[Document]) -> None:
        entity: Any = _find_entity_of(collection)
        for document in documents if entity.shares_collection else ():
            if document.get(APPLICATION_ID) not in self._applications:
                raise NotFound("Application not found")


def _find_entity_of(collection: Collection) -> type[Entity] | None:
    return find_entity_of_collection(collection.name, is_default=False)
