"""Batched loading by key: all keys that one tick requests are one call, and no key is requested twice."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from aiodataloader import DataLoader

from stores.contracts.request_record import trace

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def gather_settled(calls: Iterable[Awaitable[V]]) -> list[V | Exception]:
    """The results of concurrent calls; for a call that fails, its exception."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return results  # type: ignore[return-value]  # other exceptions were raised


async def load_distinct(keys: Sequence[K], load: Callable[[K], Awaitable[V]]) -> list[V | Exception]:
    """The value of each key, or the exception of its call. Equal keys are one call, and have one value."""
    distinct = list(dict.fromkeys(keys))
    values = dict(zip(distinct, await gather_settled(map(load, distinct)), strict=True))
    return [values[key] for key in keys]


async def load_by_group(
    groups: Sequence[Hashable], load: Callable[[list[int]], Awaitable[Sequence[V]]]
) -> list[V | Exception]:
    """Call `load` once for each group, with the indexes of its members, and return all values in order.

    If the call of a group fails, its exception stands for every member of the group.
    """
    indexes: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        indexes[group].append(index)
    results: list[Any] = [None] * len(groups)
    loaded = await gather_settled(map(load, indexes.values()))
    for members, values in zip(indexes.values(), loaded, strict=True):
        repeated = [values] * len(members) if isinstance(values, Exception) else values
        for index, value in zip(members, repeated, strict=True):
            results[index] = value
    return results


class Loader(Generic[K, V]):
    """Loads values by key and caches them for as long as it lives; a failed call is not repeated.

    `aiodataloader` knows when a tick is over. It receives lists of keys, not keys: a thousand keys that are
    requested together then cost one future, not a thousand.
    """

    def __init__(self, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self._cached: dict[K, tuple[asyncio.Task[list[V]], int]] = {}  # the call, and the key's index in it
        # A bound method would create a reference cycle and keep the loaded data alive until the next
        # collection.
        self._ticks: DataLoader[list[K], None] = DataLoader(
            partial(_dispatch, load, self._cached), cache=False
        )

    async def load(self, key: K) -> V:
        return (await self.load_many((key,)))[0]

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        """The values of keys, in their order. Raises what the call for any of the keys raised."""
        missing = [key for key in keys if key not in self._cached]
        if missing:
            await self._ticks.load(missing)
        entries = [self._cached[key] for key in keys]
        if not entries:
            return []
        running = {call for call, _ in entries if not call.done()}
        if len(running) == 1:
            await asyncio.shield(*running)  # as `wait` below, in a third of the time
        elif running:
            await asyncio.wait(running)
        return [call.result()[index] for call, index in entries]

    async def load_settled(self, keys: Sequence[K]) -> list[V | Exception]:
        """As `load_many`; a key that may fail on its own has its exception in place of its value."""
        return [*await self.load_many(keys)]

    def clear(self) -> None:
        self._cached.clear()

    def cancel(self) -> None:
        """Cancel the calls that are running: nobody waits for them any more."""
        for call in {call for call, _ in self._cached.values()}:
            call.cancel()  # no effect on a call that is complete


async def _dispatch(
    load: Callable[[list[K]], Coroutine[Any, Any, list[V]]],
    cached: dict[K, tuple[asyncio.Task[list[V]], int]],
    lists: list[list[K]],
) -> list[None]:
    """Start one call for all keys of a tick that are not cached."""
    missing = list(dict.fromkeys(key for keys in lists for key in keys if key not in cached))
    if missing:
        call = asyncio.ensure_future(_load_batch(load, missing))
        cached |= {key: (call, index) for index, key in enumerate(missing)}
    return [None] * len(lists)


async def _load_batch(load: Callable[[list[K]], Coroutine[Any, Any, list[V]]], keys: list[K]) -> list[V]:
    with trace("batch", sync_gateway__batch__size=len(keys)):
        return await load(keys)
