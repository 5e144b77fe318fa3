"""Reading and writing the documents of one entity in one scope."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Generic, NoReturn, TypeVar

from resolvers.context import Context, Tenant
from resolvers.rules.checks import list_stored_forms
from resolvers.rules.ids import is_object_id
from resolvers.rules.repetitions import is_other_request
from stores.contracts.documents import (
    ID,
    Change,
    Condition,
    Document,
    Guard,
    OneOf,
    Path,
    Query,
    ReplaceMany,
    equals,
)
from stores.contracts.errors import BadUserInput, Conflict, NotFound
from stores.contracts.records import Records
from stores.contracts.values import list_id_forms
from stores.entities.entity import APPLICATION_ID, Entity

E = TypeVar("E", bound=Entity)
UPDATED_AT: Path = ("updatedAt",)


class Repository(Generic[E]):
    """The documents of an entity that belong to an application, to an organization or to nobody.

    Nothing here checks that the application or the organization exists: `resolvers.scopes` does, and passes
    the `guard`, so that new documents are stored only while it does.
    """

    def __init__(
        self,
        context: Context,
        entity: type[E],
        organization_id: str | None = None,
        application_id: str | None = None,
        *,
        guard: Guard | None = None,
    ) -> None:
        viewer = context.viewer
        self.tenant: Tenant = (
            viewer.shared_tenant() if organization_id is None else viewer.tenant(organization_id)
        )
        self.entity = entity
        self.collection = entity.collection_of(application_id)
        self._guard = guard
        self._once = context.idempotency
        self._organization_id, self._application_id = organization_id, application_id

    def record(self, document: Document) -> E:
        """The entity that a document stores."""
        return self.entity(document, self._organization_id, self._application_id)

    def records(self, documents: Sequence[Document]) -> Records[E]:
        """The entities that documents store."""
        return Records(self.entity, documents, (self._organization_id, self._application_id))

    async def list_all(self) -> list[E]:
        """All of them, in the declared order of the entity."""
        return [self.record(document) for document in await self.load_all()]

    async def load_all(self) -> list[Document]:
        """Their documents. One call to the store for all applications that share a collection."""
        loaders = self.tenant.loaders
        if self.entity.shares_collection and self._application_id is not None:
            return await loaders.by_field(self.collection, (APPLICATION_ID,)).load(self._application_id)
        return await self.load(self._query())

    async def load(self, query: Query) -> list[Document]:
        """The documents of a query, in one call with the other queries of the request."""
        try:
            hash(query)
        except TypeError:  # a value of a condition, such as an id that is an object, is no key of a loader
            return await self.tenant.documents.find(self.collection, query)
        return await self.tenant.loaders.pages(self.collection).load(query)

    async def load_columns(self, query: Query) -> Sequence[Document]:
        """As `load`, for a list of which a few keys are read."""
        try:
            hash(query)
        except TypeError:
            return (await self.tenant.documents.find_columns(self.collection, [query]))[0]
        return await self.tenant.loaders.columns(self.collection).load(query)

    async def get(self, *conditions: Condition) -> E | None:
        """The first one that meets the conditions. One call for all that a request asks for at a time."""
        documents = await self.load(self._query(*conditions, limit=1))
        return self.record(documents[0]) if documents else None

    async def get_by_id(self, document_id: Any) -> E | None:
        """The one with an id, which may have any BSON type."""
        return await self.get(equals("_id", document_id))

    async def match_id(self, text: str) -> Condition:
        """The condition that the id is shown as `text`.

        Raises `BadUserInput` if that is neither 24 hexadecimal digits nor the string of a stored id.
        """
        forms = list_id_forms(text)
        if is_object_id(text):
            return OneOf(ID, forms)
        query = self._query(OneOf(ID, forms), limit=1)
        documents = await self.tenant.documents.find(self.collection, query)
        if not documents:
            noun = self.entity.noun().lower()
            raise BadUserInput(f"Invalid {noun} ID format", fields=["documentId"])
        return equals(ID, documents[0]["_id"])

    async def find(self, *conditions: Condition) -> E:
        """As `get`, but always from the store. Raises `NotFound`."""
        documents = await self.tenant.documents.find(self.collection, self._query(*conditions, limit=1))
        if not documents:
            raise NotFound(f"{self.entity.noun()} not found")
        return self.record(documents[0])

    async def insert(self, document: Document, *, conflict: Conflict) -> E:
        """Store a new document.

        Raises `conflict` if one of its unique keys is taken, and `NotFound` if its application was deleted.
        A repetition under the idempotency key of the context returns the first one.
        """
        try:
            inserted = await self.tenant.documents.insert(
                self.collection, document, guard=self._guard, idempotency=self._once
            )
        except Conflict as error:
            raise (error if is_other_request(error) else conflict) from None
        return self.record(inserted)

    async def replace(self, documents: Sequence[Document]) -> list[E]:
        """Store these in place of all that are there, or change nothing. Raises as `insert` does."""
        replacement = ReplaceMany(self.collection, self._query().where, documents)
        await self.tenant.documents.write_all([replacement], guard=self._guard)
        return [self.record(document) for document in documents]

    async def update(
        self,
        conditions: Sequence[Condition],
        change: Change,
        *,
        if_updated_at: datetime | None = None,
        conflict: Conflict | None = None,
    ) -> E:
        """Change the first one that meets the conditions, and return it as it is afterwards.

        Raises `NotFound`; `conflict` (or the store's own) if a unique key is taken; and `Conflict` with the
        `current` record if it was changed since `if_updated_at`.
        """
        record = await self.try_update(conditions, change, if_updated_at=if_updated_at, conflict=conflict)
        if record is None:
            await self.raise_not_written(conditions)
        return record

    async def try_update(
        self,
        conditions: Sequence[Condition],
        change: Change,
        *,
        if_updated_at: datetime | None = None,
        conflict: Conflict | None = None,
    ) -> E | None:
        """As `update`, but None if no document meets the conditions or has this `updatedAt`."""
        where = [*self._query(*conditions).where, *match_updated_at(if_updated_at)]
        try:
            document = await self.tenant.documents.update(self.collection, where, change)
        except Conflict as error:
            taken = set(error.extensions.get("fields", ())).intersection(
                chain.from_iterable(self.entity.unique)
            )
            raise (conflict if conflict is not None and taken else error) from None
        return None if document is None else self.record(document)

    async def delete(self, conditions: Sequence[Condition], *, if_updated_at: datetime | None = None) -> E:
        """Delete the first one that meets the conditions, and return it. Raises as `update` does."""
        record = await self.find(*conditions)
        where = [*self._query(*conditions).where, *match_updated_at(if_updated_at)]
        if not await self.tenant.documents.delete(self.collection, where, first_only=True):
            await self.raise_not_written(conditions)
        return record

    def _query(self, *conditions: Condition, limit: int | None = None) -> Query:
        return self.entity.query(self._application_id, *conditions, limit=limit)

    async def raise_not_written(self, conditions: Sequence[Condition]) -> NoReturn:
        """Raise the reason why a write met no document: there is none, or it was changed."""
        record = await self.find(*conditions)
        raise Conflict(
            f"{self.entity.noun()} was changed by another client.",
            fields=["ifUpdatedAt"],
            current=record,
        )


def match_updated_at(if_updated_at: datetime | None, path: Path = UPDATED_AT) -> list[OneOf]:
    """The condition that the stored time is the one that the client has seen; none if it gives no time."""
    return [] if if_updated_at is None else [OneOf(path, list_stored_forms(if_updated_at))]
