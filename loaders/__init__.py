"""Many loads in one tick become one call to the store: one set of loaders for a tenant and a request."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from loaders.batching import Loader
from stores.contracts.documents import AnyOf, Collection, Document, Documents, OneOf, Query, values_at

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaders:
    """The loaders of one tenant; the same arguments give the same loader."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._made: dict[Hashable, Loader[Any, Any]] = {}

    def pages(self, collection: Collection) -> Loader[Query, list[Document]]:
        """By query: the documents that it finds."""

        async def load(queries: list[Query]) -> list[list[Document]]:
            return await self._documents.find_each(collection, queries)

        return self._loader(("pages", collection), load)

    def counts(self) -> Loader[Collection, int]:
        """By collection: how many documents it holds."""
        return self._loader("counts", self._documents.count)

    def by_field(
        self, collection: Collection, names: tuple[str, ...], keys: frozenset[str] | None = None
    ) -> Loader[Any, list[Document]]:
        """By value: the documents that hold it at one of `names` (paths with dots), in the order of ids."""
        paths = [tuple(name.split(".")) for name in names]
        if keys is not None:
            keys |= {path[0] for path in paths}

        async def load(values: list[Any]) -> list[list[Document]]:
            named = tuple(OneOf(path, tuple(values)) for path in paths)
            found = await self._documents.find(collection, Query(where=(AnyOf(named),), keys=keys))
            groups: dict[Any, dict[Any, Document]] = {value: {} for value in values}
            for document in found:
                for path in paths:
                    for value in values_at(document, path):
                        if isinstance(value, Hashable) and value in groups:
                            groups[value][document["_id"]] = document
            return [list(groups[value].values()) for value in values]

        return self._loader(("by", collection, names, keys), load)

    def clear(self) -> None:
        """Forget what was loaded: the store has changed, or the request is over."""
        for loader in self._made.values():
            loader.clear()
        self._made.clear()

    def _loader(
        self, name: Hashable, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]
    ) -> Loader[K, V]:
        if name not in self._made:
            self._made[name] = Loader(load)
        return self._made[name]
