"""Loads of what machines have reported, except for machines that must not be read."""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from loaders.batching import Loader

# By machine id, why some of these machines must not be read.
FindConflicts = Callable[[Collection[str]], Awaitable[Mapping[str, Exception]]]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class GuardedLoader(Loader[K, V]):
    """Loads what machines have reported, except for those that must not be read."""

    def __init__(
        self, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]], find_conflicts: FindConflicts
    ) -> None:
        async def load_allowed(keys: list[K]) -> list[V | Exception]:
            machines = [_list_machines(key) for key in keys]
            conflicts = await find_conflicts(set(chain.from_iterable(machines)))
            if not conflicts:
                return [*await load(keys)]
            errors = [next((conflicts[m] for m in of_key if m in conflicts), None) for of_key in machines]
            allowed = [key for key, error in zip(keys, errors, strict=True) if error is None]
            values = iter(await load(allowed) if allowed else [])
            return [next(values) if error is None else error for error in errors]

        super().__init__(load_allowed)  # type: ignore[arg-type]  # `load_many` raises the exceptions

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        values: list[V] = []
        for value in await self.load_settled(keys):
            if isinstance(value, Exception):
                raise value
            values.append(value)
        return values

    async def load_settled(self, keys: Sequence[K]) -> list[V | Exception]:
        return [*await super().load_many(keys)]


def _list_machines(key: Any) -> tuple[str, ...]:
    """The machine ids in the key of a loader: the key itself, or the first part of it."""
    machines: tuple[str, ...] | str | None = key[0] if isinstance(key, tuple) else key
    return (machines,) if isinstance(machines, str) else machines or ()
