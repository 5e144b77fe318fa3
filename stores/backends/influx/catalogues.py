"""What the databases of an InfluxDB server hold, read from the server and cached."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from stores.contracts.samples import MACHINE, Kind
from stores.contracts.series_queries import NUMERIC, AggregateFunction

T = TypeVar("T")
CATALOGUE_TTL_S = 30.0


@dataclass(slots=True)
class DatabaseCatalogue:
    """The fields of a database with their kinds, and its tags, by measurement. InfluxDB 2 lists no tags."""

    fields: dict[str, dict[str, Kind]] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)

    def has_column(self, measurement: str, name: str) -> bool:
        """Return whether a measurement has a tag or field of this name."""
        return name in self.tags.get(measurement, ()) or name in self.fields.get(measurement, ())

    def has_machines(self, measurement: str) -> bool:
        return self.has_column(measurement, MACHINE)

    def list_tags(self, measurement: str) -> list[str]:
        """Return the tags of a measurement in order, without that of the machine."""
        return sorted(self.tags.get(measurement, set()) - {MACHINE})

    def kinds(self, measurement: str, names: Sequence[str]) -> dict[str, Kind]:
        """Return those of the fields that exist, with their kinds."""
        stored = self.fields.get(measurement, {})
        return {name: stored[name] for name in dict.fromkeys(names) if name in stored}

    def find_kinds_for(
        self, measurement: str, names: Sequence[str], function: AggregateFunction
    ) -> dict[str, Kind]:
        """Return those of the fields that exist and that an aggregate function is defined for."""
        strings = function not in NUMERIC
        kinds = self.kinds(measurement, names)
        return {name: kind for name, kind in kinds.items() if strings or kind != "string"}


class SharedTask(Generic[T]):
    """A coroutine whose result several callers wait for. It is cancelled when none of them waits any more."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._task = asyncio.create_task(work)
        self._waiting = 0

    @property
    def is_over(self) -> bool:
        """Whether nobody can get the result any more: it is complete, or was cancelled."""
        return self._task.done() or self._waiting == 0

    async def result(self) -> T:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._task.cancel()  # no effect on a task that is complete


class CatalogueCache:
    """The catalogues of a server's databases; concurrent readers of one database share one query."""

    def __init__(self, read: Callable[[str], Coroutine[Any, Any, DatabaseCatalogue]]) -> None:
        self._read = read
        self._cached: dict[str, tuple[float, DatabaseCatalogue]] = {}
        self._running: dict[str, SharedTask[DatabaseCatalogue]] = {}

    def __len__(self) -> int:
        return sum(map(len, (c.fields for _, c in self._cached.values())))

    async def get(self, database: str, *, refresh: bool = False) -> DatabaseCatalogue:
        """Return a catalogue that is at most 30 seconds old; with `refresh`, read it again."""
        expires, catalogue = self._cached.get(database, (0.0, DatabaseCatalogue()))
        if expires > time.monotonic() and not refresh:
            return catalogue
        if database not in self._running:
            self._running[database] = SharedTask(self._load(database))
        shared = self._running[database]
        try:
            return await shared.result()
        finally:
            if shared.is_over and self._running.get(database) is shared:
                del self._running[database]

    async def _load(self, database: str) -> DatabaseCatalogue:
        expires = time.monotonic() + CATALOGUE_TTL_S
        catalogue = await self._read(database)
        if catalogue.fields:  # an empty database is about to be written to: it is read again
            self._cached[database] = expires, catalogue
        return catalogue
