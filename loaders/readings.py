"""Many reads of machines' series in one tick become one query: the loaders of a tenant and a request."""

from asyncio import gather
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Sequence,
)
from typing import Any, TypeAlias, TypeVar

from loaders.batching import Loader
from loaders.guarding import FindConflicts, GuardedLoader
from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.counters import CounterCell, CounterRule
from stores.contracts.errors import LimitExceeded, Unavailable
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.samples import (
    END_OF_TIME,
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Kind,
    Neighbours,
    Occurrence,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series import SeriesDatabase
from stores.contracts.series_queries import (
    Aggregation,
    OccurrencePosition,
    SeriesQuery,
    Source,
    SourceQuery,
    Windows,
)

MAX_EXTENTS = 50_000  # series that one query returns
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
# Machines (None: all points) whose occurrences are one list, and the position behind which the page begins.
MachinesPage: TypeAlias = tuple[tuple[str, ...] | None, OccurrencePosition | None]


class Readings:
    """The loaders of one tenant's series; the same arguments give the same loader, and so one query.

    `max_points` limits the values that one query may request: a larger one raises `LimitExceeded`, before the
    store is queried where the size is known in advance. `find_conflicts` returns by machine id why some
    machines must not be read.
    """

    def __init__(
        self, series: SeriesDatabase, max_points: int, find_conflicts: FindConflicts | None = None
    ) -> None:
        self.series = series
        self._max_points = max_points
        self._find_conflicts = find_conflicts
        self._loaders: dict[Hashable, Loader[Any, Any]] = {}

    def latest(
        self, measurement: str, fields: tuple[str, ...], before: int = END_OF_TIME, where: Where = ()
    ) -> Loader[str, dict[str, Sample]]:
        """Return the loader, by machine id, of the newest sample of each field before a time."""

        async def load(machines: list[str]) -> list[dict[str, Sample]]:
            query = SeriesQuery(measurement, fields, machines, stop=before, where=where)
            by_machine = await self.series.latest(query)
            return [by_machine.get(machine, {}) for machine in machines]

        return self._loader(("latest", measurement, fields, before, where), load)

    def points(
        self, measurement: str, start: int, stop: int, where: Where = ()
    ) -> Loader[tuple[str, str], ByTags[list[Sample]]]:
        """Return the loader, by machine id and field, of the samples of a range, oldest first."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[list[Sample]]]:
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(self.series.points(query, self._max_points) for query in queries)
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("points", measurement, start, stop, where), load)

    def changes(
        self, measurement: str, start: int, stop: int, where: Where = ()
    ) -> Loader[tuple[str, str], ByTags[SampleColumns]]:
        """Return the loader, by machine id and field, of the changes of a range, oldest first."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[SampleColumns]]:
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(self.series.changes(query, self._max_points) for query in queries)
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("changes", measurement, start, stop, where), load)

    def neighbours(
        self, measurement: str, start: int, stop: int, where: Where = ()
    ) -> Loader[tuple[str, str], ByTags[Neighbours]]:
        """Return the loader, by machine id and field, of the samples next to a range."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[Neighbours]]:
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(map(self.series.neighbours, queries))
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("neighbours", measurement, start, stop, where), load)

    def windows(
        self,
        measurement: str,
        start: int,
        stop: int,
        windows: Windows,
        aggregation: Aggregation,
        where: Where = (),
    ) -> Loader[tuple[str, str], ByTags[list[Cell]]]:
        """Return the loader, by machine id and field, of the windows that have samples, aggregated."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[list[Cell]]]:
            self._check_windows(len(keys) * (len(windows.edges) - 1))
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(self.series.windows(query, windows, aggregation) for query in queries)
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("windows", measurement, start, stop, windows, aggregation, where), load)

    def areas(
        self, measurement: str, start: int, stop: int, windows: Windows, rule: AreaRule, where: Where = ()
    ) -> Loader[tuple[str, str], ByTags[list[AreaCell]]]:
        """Return the loader, by machine id and field, of the areas of the windows that have samples."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[list[AreaCell]]]:
            self._check_windows(len(keys) * (len(windows.edges) - 1))
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(self.series.areas(query, windows, rule) for query in queries)
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("areas", measurement, start, stop, windows, rule, where), load)

    def counters(
        self, measurement: str, start: int, stop: int, windows: Windows, rule: CounterRule, where: Where = ()
    ) -> Loader[tuple[str, str], ByTags[list[CounterCell]]]:
        """Return the loader, by machine id and field, of what counters did in the windows with samples."""

        async def load(keys: list[tuple[str, str]]) -> list[ByTags[list[CounterCell]]]:
            queries = _group_queries(measurement, keys, start, stop, where)
            by_machine = await _merge(
                self.series.counters(query, windows, rule, self._max_points) for query in queries
            )
            return [by_machine.get(machine, {}).get(field, {}) for machine, field in keys]

        return self._loader(("counters", measurement, start, stop, windows, rule, where), load)

    def last(
        self, sources: tuple[Source, ...], limit: int, start: int, stop: int
    ) -> Loader[MachinesPage, list[Occurrence]]:
        """Return the loader, by machines and position, of the last values of the machines together."""

        async def load(pages: list[MachinesPage]) -> list[list[Occurrence]]:
            queries = [SourceQuery(sources, machines, start, stop, after) for machines, after in pages]
            return await self.series.last(queries, limit)

        return self._loader(("last", sources, limit, start, stop), load)

    def last_by_machine(
        self, sources: tuple[Source, ...], limit: int, start: int, stop: int
    ) -> Loader[str, list[Occurrence]]:
        """Return the loader, by machine id, of the last values of the sources, newest first."""

        async def load(machines: list[str]) -> list[list[Occurrence]]:
            query = SourceQuery(sources, machines, start, stop)
            by_machine = await self.series.last_by_machine(query, limit)
            return [by_machine.get(machine, []) for machine in machines]

        return self._loader(("last_by_machine", sources, limit, start, stop), load)

    def machines_with(self, source: Source, start: int, stop: int) -> Loader[str | None, bool]:
        """Return the loader, by machine id (or None), of whether the source has a value in the range."""

        async def load(machines: list[str | None]) -> list[bool]:
            machines_with = await self.series.machines_with(SourceQuery((source,), None, start, stop))
            return [machine in machines_with for machine in machines]

        return self._loader(("machines_with", source, start, stop), load)

    def counts(self, sources: tuple[Source, ...], start: int, stop: int) -> Loader[str, int]:
        """Return the loader, by machine id, of how many values the sources have together."""

        async def load(machines: list[str]) -> list[int]:
            by_machine = await self.series.counts(SourceQuery(sources, machines, start, stop))
            return [by_machine.get(machine, 0) for machine in machines]

        return self._loader(("counts", sources, start, stop), load)

    def written(self, where: Where = ()) -> Loader[tuple[str, str, str], Kind | None]:
        """Return the loader, by machine id, measurement and field, of the kind of what was ever written.

        It is None if nothing was, with such tags. If the store cannot tell, because it would have to read too
        much, it is that of any machine.
        """

        async def load(keys: list[tuple[str, str, str]]) -> list[Kind | None]:
            machines = list(dict.fromkeys(machine for machine, _, _ in keys))
            fields = list(dict.fromkeys((measurement, field) for _, measurement, field in keys))
            query = ExtentQuery(machines, fields, -END_OF_TIME, END_OF_TIME, where)
            try:
                extents = await self.series.extents(query, MAX_EXTENTS)
            except (LimitExceeded, Unavailable):
                catalogue = await self.catalogue()
                return [catalogue.get(measurement, {}).get(field) for _, measurement, field in keys]
            kinds = {(extent.machine, extent.measurement, extent.field): extent.kind for extent in extents}
            return [kinds.get(key) for key in keys]

        return self._loader(("written", where), load)

    def extents(self, start: int = -END_OF_TIME, stop: int = END_OF_TIME) -> Loader[str, list[SeriesExtent]]:
        """Return the loader, by machine id, of which series have samples in a range."""

        async def load(machines: list[str]) -> list[list[SeriesExtent]]:
            extents = await self.series.extents(ExtentQuery(machines, None, start, stop), MAX_EXTENTS)
            by_machine: dict[str, list[SeriesExtent]] = {machine: [] for machine in machines}
            for extent in extents:
                by_machine[extent.machine].append(extent)
            return [by_machine[machine] for machine in machines]

        return self._loader(("extents", start, stop), load)

    async def catalogue(self) -> Catalogue:
        """Return the fields that exist. The store is queried once for a request."""

        async def load(keys: list[str]) -> list[Catalogue]:
            return [await self.series.catalogue()] * len(keys)

        return await self._loader("catalogue", load).load(self.series.database)

    def clear(self) -> None:
        """Forget what was loaded: the store has changed, or the request is over."""
        for loader in self._loaders.values():
            loader.clear()
        self._loaders.clear()

    def cancel(self) -> None:
        """Cancel the calls that are running: nobody waits for them any more."""
        for loader in self._loaders.values():
            loader.cancel()

    def _check_windows(self, count: int) -> None:
        if count > self._max_points:
            advice = "One query requests too many windows (series.max_points): widen `every`."
            raise LimitExceeded("points", self._max_points, count, advice)

    def _loader(self, key: Hashable, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> Loader[K, V]:
        if key not in self._loaders:
            if self._find_conflicts is None or key == "catalogue":
                self._loaders[key] = Loader(load)
            else:
                self._loaders[key] = GuardedLoader(load, self._find_conflicts)
        return self._loaders[key]


def _group_queries(
    measurement: str, keys: Sequence[tuple[str, str]], start: int, stop: int, where: Where
) -> list[SeriesQuery]:
    """Return a query for all machines of which the same fields are requested: nothing else is read."""
    fields: dict[str, dict[str, None]] = {}
    for machine, field in keys:
        fields.setdefault(machine, {})[field] = None
    groups: dict[frozenset[str], tuple[list[str], list[str]]] = {}
    for machine, names in fields.items():
        _, machines = groups.setdefault(frozenset(names), (list(names), []))
        machines.append(machine)
    return [
        SeriesQuery(measurement, names, machines, start, stop, where) for names, machines in groups.values()
    ]


async def _merge(calls: Iterable[Awaitable[ByMachine[V]]]) -> ByMachine[V]:
    """Return the results of concurrent calls for different machines as one."""
    return {machine: values for result in await gather(*calls) for machine, values in result.items()}
