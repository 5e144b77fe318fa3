"""What the databases of an InfluxDB server hold, read from the server and cached."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from stores.contracts.series import MACHINE, NUMERIC, AggregateFunction, Kind

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

    def kinds(self, measurement: str, names: Sequence[str]) -> dict[str, Kind]:
        """Return those of the fields that exist, with their kinds."""
        stored = self.fields.get(measurement, {})
        return {name: stored[name] for name in dict.fromkeys(names) if name in stored}

    def kinds_for(
        self, measurement: str, names: Sequence[str], function: AggregateFunction
    ) -> dict[str, Kind]:
        """Return those of the fields that exist and that an aggregate function is defined for."""
        strings = function not in NUMERIC
        kinds = self.kinds(measurement, names)
        return {name: kind for name, kind in kinds.items() if strings or kind != "string"}


class CatalogueCache:
    """The catalogues of a server's databases; concurrent readers of one database share one query."""

    def __init__(self, read: Callable[[str], Awaitable[DatabaseCatalogue]]) -> None:
        self._read = read
        self._cached: dict[str, tuple[float, DatabaseCatalogue]] = {}
        self._running: dict[str, asyncio.Task[DatabaseCatalogue]] = {}

    async def get(self, database: str, *, refresh: bool = False) -> DatabaseCatalogue:
        """Return a catalogue that is at most 30 seconds old; with `refresh`, read it again."""
        expires, catalogue = self._cached.get(database, (0.0, DatabaseCatalogue()))
        if expires > time.monotonic() and not refresh:
            return catalogue
        if database not in self._running:
            self._running[database] = asyncio.create_task(self._load(database))
            self._running[database].add_done_callback(lambda _: self._running.pop(database, None))
        return await asyncio.shield(self._running[database])

    async def _load(self, database: str) -> DatabaseCatalogue:
        expires = time.monotonic() + CATALOGUE_TTL_S
        catalogue = await self._read(database)
        if catalogue.fields:  # an empty database is about to be written to: it is read again
            self._cached[database] = expires, catalogue
        return catalogue
