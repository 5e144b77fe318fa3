"""Many reads of machines' series in one tick become one query: the loaders of a tenant and a request."""

from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from loaders.batching import Loader
from stores.contracts.errors import LimitExceeded
from stores.contracts.series import (
    END_OF_TIME,
    Aggregation,
    Catalogue,
    Occurrence,
    Sample,
    SeriesDatabase,
    Source,
    Value,
    Windows,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Cells = list[tuple[int, Value]]  # windows by number, and what their values come to


class Readings:
    """The loaders of one tenant's series; the same arguments give the same loader, and so one query.

    `most` caps the values that one query may ask for: more raises `LimitExceeded` before the store is asked.
    """

    def __init__(self, series: SeriesDatabase, most: int) -> None:
        self.series = series
        self._most = most
        self._made: dict[Hashable, Loader[Any, Any]] = {}

    def latest(
        self, measurement: str, fields: tuple[str, ...], before: int = END_OF_TIME
    ) -> Loader[str, dict[str, Sample]]:
        """By machine: the newest sample of each field that has one, before a time."""

        async def load(machines: list[str]) -> list[dict[str, Sample]]:
            found = await self.series.latest(measurement, fields, machines, before)
            return [found.get(machine, {}) for machine in machines]

        return self._loader(("latest", measurement, fields, before), load)

    def points(self, measurement: str, start: int, stop: int) -> Loader[tuple[str, str], list[Sample]]:
        """By machine and field: the samples of a range, oldest first."""

        async def load(keys: list[tuple[str, str]]) -> list[list[Sample]]:
            machines, fields = _parts(keys)
            found = await self.series.points(measurement, fields, machines, start, stop, self._most)
            return [found.get(machine, {}).get(field, []) for machine, field in keys]

        return self._loader(("points", measurement, start, stop), load)

    def windows(
        self, measurement: str, windows: Windows, aggregate: Aggregation
    ) -> Loader[tuple[str, str], Cells]:
        """By machine and field: the windows that hold samples, and the aggregate of each."""

        async def load(keys: list[tuple[str, str]]) -> list[Cells]:
            machines, fields = _parts(keys)
            asked = len(machines) * len(fields) * (len(windows.edges) - 1)
            if asked > self._most:
                raise LimitExceeded(
                    f"{asked} windows are asked for, at most {self._most} are answered (series.max_points)",
                    limit=self._most,
                )
            found = await self.series.windows(measurement, fields, machines, windows, aggregate)
            return [found.get(machine, {}).get(field, []) for machine, field in keys]

        return self._loader(("windows", measurement, windows, aggregate), load)

    def last(
        self, sources: tuple[Source, ...], limit: int, start: int, stop: int
    ) -> Loader[str, list[Occurrence]]:
        """By machine: the last values of the sources, newest first."""

        async def load(machines: list[str]) -> list[list[Occurrence]]:
            found = await self.series.last(sources, machines, limit, start, stop)
            by_machine: dict[str | None, list[Occurrence]] = {machine: [] for machine in machines}
            for occurrence in found:
                by_machine[occurrence.machine].append(occurrence)
            return [by_machine[machine] for machine in machines]

        return self._loader(("last", sources, limit, start, stop), load)

    def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> Loader[str | None, bool]:
        """By machine (None: the points that name none): whether a point of the range has the value."""

        async def load(machines: list[str | None]) -> list[bool]:
            found = await self.series.machines_with(measurement, field, value, start, stop)
            return [machine in found for machine in machines]

        return self._loader(("with", measurement, field, value, start, stop), load)

    async def catalogue(self) -> Catalogue:
        """What fields there are; asked once, however many fields are looked up."""

        async def load(keys: list[str]) -> list[Catalogue]:
            return [await self.series.catalogue()] * len(keys)

        return await self._loader("catalogue", load).load(self.series.database)

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


def _parts(keys: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(m for m, _ in keys)), list(dict.fromkeys(f for _, f in keys))
