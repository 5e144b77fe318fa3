"""The contract of the time-series store: what a backend can do, without knowing what the series mean.

What series consist of is in `samples`, and what is asked of them in `series_queries`.

Whatever was never written is empty, never an error: measurements, fields, tags and machines. A database that
does not exist is empty in the embedded store; on a server it is an error, because its name may be wrong.
Names are data: quotes, backslashes, line feeds and pieces of query languages in them have no meaning.
"""

from abc import ABC, abstractmethod
from asyncio import sleep, to_thread
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, TypeAlias

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.caches import CacheOwner
from stores.contracts.counters import CounterCell, CounterRule, split_counter
from stores.contracts.deletions import PointDeletion
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.machine_moves import MachineMoves
from stores.contracts.rewrites import RewriteLog
from stores.contracts.samples import (
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Neighbours,
    Occurrence,
    Point,
    Sample,
    SampleColumns,
    Where,
)
from stores.contracts.series_queries import (
    AggregateFunction,
    Aggregation,
    SeriesQuery,
    SourceQuery,
    Windows,
    presume_samples,
)

CellRule: TypeAlias = (
    Aggregation | AreaRule | CounterRule
)  # by which the samples of a window become one value
THREAD_SAMPLES = 2_000  # of a machine; the windows of more counters are found in a thread


def _split_counters(
    by_field: Mapping[str, ByTags[list[Sample]]], edges: Sequence[int], rule: CounterRule
) -> dict[str, ByTags[list[CounterCell]]]:
    """Return by field and tags what the counters of a machine did in the windows that have samples."""
    return {
        field: {
            tags: cells for tags, samples in by_tags.items() if (cells := split_counter(samples, edges, rule))
        }
        for field, by_tags in by_field.items()
    }


class SeriesDatabase(ABC):
    """The time series of one database: no call can reach another database.

    Every call raises `Unavailable` if the store does not answer.
    """

    database: str
    # For each sample of a window, these take the store about a microsecond or more; others, a fifth of that
    sampled_functions: ClassVar[frozenset[AggregateFunction]] = frozenset(("quantile",))

    def presume_window_samples(self, query: SeriesQuery, windows: Windows, rule: CellRule) -> int:
        """Return how many samples the store is likely to read for windows: nobody knows it before.

        0 if the store has rollups of them, or adds them up so fast that they do not matter.
        """
        if isinstance(rule, Aggregation) and rule.function not in self.sampled_functions:
            return 0
        return presume_samples(query)

    @abstractmethod
    async def catalogue(self) -> Catalogue:
        """Return every measurement's fields and their kinds. A backend may cache them for 30 seconds."""

    @abstractmethod
    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        """Return which series machines have, in any order. Its cost is that of series, not of samples.

        InfluxDB 3 reads the whole range. Raises `LimitExceeded` if there are more than `limit` series.
        """

    @abstractmethod
    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        """Return the newest sample by machine and field. Machines and fields without one are missing."""

    @abstractmethod
    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        """Return the samples by machine, field and tags, oldest first. Series without any are missing.

        Raises `LimitExceeded` if there are more than `limit` samples altogether.
        """

    @abstractmethod
    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        """Return of each series the first sample, and every sample whose value differs from the one before.

        With `period`, also the first sample of each period of so many nanoseconds, counted from 1970: what is
        in a period then depends on its own samples only. By machine, field and tags, oldest first. Raises
        `LimitExceeded` if there are more than `limit`.
        """

    @abstractmethod
    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        """Return by machine, field and tags the samples next to a range. Series without any are missing."""

    @abstractmethod
    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        """Return the windows that have samples by machine, field and tags: index and aggregated value.

        The tags are those of `aggregation.by` that the series have: `()` without `by`. The cells are in the
        order of the windows. A function of `NUMERIC` returns nothing for a field of strings. If several
        samples of a window share its first (or last) time, `first` (or `last`) is their greatest value.
        """

    @abstractmethod
    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        """Return by machine, field and tags the areas of the windows that have samples, in their order.

        Fields of strings have none.
        """

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> ByMachine[ByTags[list[CounterCell]]]:
        """Return by machine, field and tags what counters did in the windows that have samples.

        Fields of strings have none. Raises `LimitExceeded` if there are more than `limit` samples.
        """
        points, counters = await self.points(query, limit), {}
        for machine, by_field in points.items():
            count = sum(len(samples) for by_tags in by_field.values() for samples in by_tags.values())
            split = partial(_split_counters, by_field, windows.edges, rule)
            counters[machine] = await to_thread(split) if count > THREAD_SAMPLES else split()
            await sleep(0)  # other requests get a turn
        return counters

    @abstractmethod
    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        """Return for each query the last `limit` values of its sources and machines together.

        They are ordered by time, newest first, then by source, machine id and tags (None first); those up to
        `after` are left out. A server is called once for each query.
        """

    @abstractmethod
    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        """Return by machine the last `limit` values of all sources, in the order of `last`."""

    @abstractmethod
    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        """Return by machine how many values the sources have; without machines, one sum under None."""

    @abstractmethod
    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        """Return the machines for which a source has a value; None stands for points without a machine."""

    @abstractmethod
    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        """Return the machines that have a sample of any field in a range; `where` as that of a `Source`."""


class SeriesStore(CacheOwner, ABC):
    """All databases of a deployment. There is one client, pooled; opening it does not wait for the server."""

    @property
    def damaged_samples(self) -> int:
        """How often samples were left out of a result because they are damaged, since the start."""
        return 0

    @property
    def is_suspended(self) -> bool:
        """Whether calls are rejected for a while, because the store is down."""
        return False

    @abstractmethod
    def database(self, name: str) -> SeriesDatabase:
        """Return the time series of one database (or bucket). This creates nothing."""

    @abstractmethod
    async def ping(self) -> None:
        """Return if the store answers; raise `Unavailable` if it does not."""

    async def check_writes(self) -> None:
        """Return if the store takes writes; raise `Unavailable` if it does not. This leaves nothing written.

        A store on a server has no such check: it returns at once.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close files and connections."""


class WritableSeriesStore(SeriesStore, MachineMoves, RewriteLog, PointDeletion):
    """A store for which the gateway itself accepts points, and from which it deletes old ones."""

    @abstractmethod
    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write points in one transaction. Return for each None, or why it was rejected.

        The kind of a field never changes: a point that would change it is rejected, the others are stored.
        """

    @abstractmethod
    async def retain(self, cutoff: int, rollup_cutoff: int | None = None) -> int:
        """Delete all points older than `cutoff` from every database. Return how many values were deleted.

        Windows of whole hours are answered from rollups after that, unless they are older than
        `rollup_cutoff`, a time that is not after `cutoff`.
        """

    @abstractmethod
    async def backfill(self) -> tuple[int, int]:
        """Derive some of what is missing in a file of an earlier version: results are right without it, too.

        Return how many series were done before, and how many there are: if all, nothing was to be done. A
        backfill that was interrupted goes on where it was.
        """
