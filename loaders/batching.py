"""Loading by key: what is asked for in one tick is one call, and nothing is asked for twice."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def settled(calls: Iterable[Awaitable[V]]) -> list[V | Exception]:
    """The answers of calls side by side; of one that fails, its exception."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Exception):
            raise answer
    return answers  # type: ignore[return-value]  # other exceptions were raised


async def by_group(
    groups: Sequence[Hashable], load: Callable[[list[int]], Awaitable[Sequence[V]]]
) -> list[V | Exception]:
    """What `load` answers for the places of each group; where it fails, the exception in each of them."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        places[group].append(place)
    found: list[Any] = [None] * len(groups)
    for of_group, values in zip(places.values(), await settled(map(load, places.values())), strict=True):
        each = [values] * len(of_group) if isinstance(values, Exception) else values
        for place, value in zip(of_group, each, strict=True):
            found[place] = value
    return found


class Loader(Generic[K, V]):
    """Keeps what `load` answered for as long as it lives; a call that failed is not repeated.

    `aiodataloader` says when a tick is over. It is given lists of keys, not keys: a thousand keys that are
    asked for together then cost one future, not a thousand.
    """

    def __init__(self, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self._found: dict[K, tuple[asyncio.Task[list[V]], int]] = {}  # the call, and the key's place in it
        # Not a method of its own: it would hold itself, and what it loaded, until the collector comes.
        self._ticks: DataLoader[list[K], None] = DataLoader(
            partial(_dispatch, load, self._found), cache=False
        )

    async def load(self, key: K) -> V:
        return (await self.load_many((key,)))[0]

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        """The values of keys, in their order. Raises what the call raised that asked for any of them."""
        missing = [key for key in keys if key not in self._found]
        if missing:
            await self._ticks.load(missing)
        found = [self._found[key] for key in keys]
        if not found:
            return []
        running = {call for call, _ in found if not call.done()}
        if running:
            await asyncio.wait(running)
        return [call.result()[place] for call, place in found]

    def clear(self) -> None:
        self._found.clear()


async def _dispatch(
    load: Callable[[list[K]], Coroutine[Any, Any, list[V]]],
    found: dict[K, tuple[asyncio.Task[list[V]], int]],
    lists: list[list[K]],
) -> list[None]:
    """Begin one call for all keys of a tick that none was begun for."""
    missing = list(dict.fromkeys(key for keys in lists for key in keys if key not in found))
    if missing:
        call = asyncio.ensure_future(load(missing))
        found |= {key: (call, place) for place, key in enumerate(missing)}
    return [None] * len(lists)
