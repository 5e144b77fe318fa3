"""Loads of one tick become one store call. Each request has one set of loaders for each tenant."""

from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from loaders.batching import Loader
from stores.contracts.document_store import DatabaseCollection, DocumentDatabase, DocumentStore
from stores.contracts.documents import AnyOf, Collection, Document, OneOf, Query, find_values_at
from stores.contracts.values import format_scalar, list_forms

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaders:
    """The loaders of one tenant; the same arguments return the same loader."""

    def __init__(self, documents: DocumentDatabase) -> None:
        self._documents = documents
        self._loaders: dict[Hashable, Loader[Any, Any]] = {}

    def pages(self, collection: Collection) -> Loader[Query, list[Document]]:
        """By query: its documents."""

        async def load(queries: list[Query]) -> list[list[Document]]:
            return await self._documents.find_many(collection, queries)

        return self._loader(("pages", collection), load)

    def columns(self, collection: Collection) -> Loader[Query, Sequence[Document]]:
        """By query: its documents, for whoever reads a few keys of each."""

        async def load(queries: list[Query]) -> list[Sequence[Document]]:
            return await self._documents.find_columns(collection, queries)

        return self._loader(("columns", collection), load)

    def by_field(
        self, collection: Collection, names: tuple[str, ...], keys: frozenset[str] | None = None
    ) -> Loader[str, list[Document]]:
        """By value: the documents in which it is shown at one of `names` (dotted paths), ordered by id."""
        paths = [tuple(name.split(".")) for name in names]
        if keys is not None:
            keys |= {path[0] for path in paths}

        async def load(values: list[str]) -> list[list[Document]]:
            forms = tuple(form for value in values for form in list_forms(value))
            conditions = tuple(OneOf(path, forms) for path in paths)
            documents = await self._documents.find(collection, Query(where=(AnyOf(conditions),), keys=keys))
            groups: dict[str, list[Document]] = {value: [] for value in values}
            for document in documents:
                stored = (value for path in paths for value in find_values_at(document, path))
                texts = {value if type(value) is str else format_scalar(value) for value in stored}
                for text in texts:
                    if text is not None and text in groups:
                        groups[text].append(document)
            return [groups[value] for value in values]

        return self._loader(("by", collection, names, keys), load)

    def clear(self) -> None:
        """Discard everything that was loaded: the store has changed, or the request is over."""
        for loader in self._loaders.values():
            loader.clear()
        self._loaders.clear()

    def cancel(self) -> None:
        """Cancel the calls that are running: nobody waits for them any more."""
        for loader in self._loaders.values():
            loader.cancel()

    def _loader(
        self, name: Hashable, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]
    ) -> Loader[K, V]:
        if name not in self._loaders:
            self._loaders[name] = Loader(load)
        return self._loaders[name]


class StoreLoaders:
    """Loaders of reads in all databases of a store; the same arguments return the same loader.

    A database that fails has its exception in place of the values of its collections.
    """

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._loaders: dict[Hashable, Loader[Any, Any]] = {}

    def documents(self, query: Query) -> Loader[DatabaseCollection, list[Document] | Exception]:
        """By database and collection: the documents of a query."""

        async def load(collections: list[DatabaseCollection]) -> list[list[Document] | Exception]:
            return await self._store.find_across(collections, query)

        if query not in self._loaders:
            self._loaders[query] = Loader(load)
        return self._loaders[query]

    def counts(self) -> Loader[DatabaseCollection, int | Exception]:
        """By database and collection: the number of documents."""
        if "counts" not in self._loaders:
            self._loaders["counts"] = Loader(self._store.count_across)
        return self._loaders["counts"]

    def clear(self) -> None:
        """Discard everything that was loaded: the store has changed."""
        for loader in self._loaders.values():
            loader.clear()
        self._loaders.clear()

    def cancel(self) -> None:
        """Cancel the calls that are running: nobody waits for them any more."""
        for loader in self._loaders.values():
            loader.cancel()
