"""The contract of the time-series store: what a backend can do, without knowing what the series mean.

A point has a measurement, tags (strings), fields and a time; the tag `machine_id` names its machine. Points
with the same measurement, tag set and time are one point: their fields are merged, and a later write of a
field wins. A time is an `int`: nanoseconds since 1970, UTC. A value is a `bool`, `int`, `float` or `str`; a
field that was not written has no value, while an empty string is a value. Ranges are `start <= time < stop`
and may extend into the future.

Whatever was never written is empty, never an error: measurements, fields, tags and machines. A database that
does not exist is empty in the embedded store; on a server it is an error, because its name may be wrong.
Names are data: quotes, backslashes, line feeds and pieces of query languages in them have no meaning.
"""

# Long because it is one contract: all that can be done with the series of a database.
from abc import ABC, abstractmethod
from asyncio import sleep
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeVar

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.caches import CacheOwner
from stores.contracts.counters import CounterCell, CounterRule, split_counter
from stores.contracts.deletions import PointDeletion
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.machine_moves import MachineMoves
from stores.contracts.rewrites import RewriteLog

if TYPE_CHECKING:
    from stores.contracts.occurrences import OccurrencePosition

T = TypeVar("T")
Value: TypeAlias = bool | int | float | str
Kind = Literal["boolean", "integer", "unsigned", "float", "string"]
Catalogue: TypeAlias = Mapping[str, Mapping[str, Kind]]  # by measurement and field, the kind of the values
ByMachine: TypeAlias = dict[str, dict[str, T]]  # by machine id and field
Cell: TypeAlias = tuple[int, Value]  # the index of a window and its aggregated value

Tags: TypeAlias = tuple[tuple[str, str], ...]  # of one series: names and values by name, without the machine
ByTags: TypeAlias = dict[Tags, T]
Where: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]  # of each tag, the values that are allowed

MACHINE = "machine_id"
SECOND = 1_000_000_000
END_OF_TIME = 2**63 - 1


class Unsigned(int):
    """A value below 2**64 that is written to a field of unsigned integers. Such values are read as `int`."""


KINDS: dict[type, Kind] = {
    bool: "boolean",
    int: "integer",
    Unsigned: "unsigned",
    float: "float",
    str: "string",
}


class Sample(NamedTuple):
    """A value and its time."""

    time: int
    value: Value


class Neighbours(NamedTuple):
    """The last sample before a range and the first one after it."""

    before: Sample | None = None
    after: Sample | None = None


class Occurrence(NamedTuple):
    """One value of one of the requested sources, with the tags that its source lists."""

    time: int
    machine: str | None
    source: int  # the index of its source in the request
    value: Value
    tags: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A field of a measurement.

    `tags` are returned with each value. `where` restricts the values by tag, and `values` to those of them
    that are of the kind of the field.
    """

    measurement: str
    field: str
    tags: tuple[str, ...] = ()
    where: Where = ()
    values: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """The samples of some fields of one measurement, of some machines, with `start <= time < stop`.

    The list of machines may have any length: a backend that cannot ask for all at once asks several times.
    `where` restricts the samples by tag, as that of a `Source` does.
    """

    measurement: str
    fields: Sequence[str]
    machines: Sequence[str]
    start: int = -END_OF_TIME
    stop: int = END_OF_TIME
    where: Where = ()


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """The values of several sources with `start <= time < stop`.

    `machines` None means all points, including those without a machine. `after` is for `last` alone.
    """

    sources: Sequence[Source]
    machines: Sequence[str] | None = None
    start: int = -END_OF_TIME
    stop: int = END_OF_TIME
    after: "OccurrencePosition | None" = None


INTEGRAL: tuple[Kind, ...] = ("boolean", "integer", "unsigned")  # sums of these are integers
AggregateFunction = Literal["mean", "min", "max", "sum", "count", "first", "last", "stddev", "quantile"]
# These are not defined for strings.
NUMERIC: tuple[AggregateFunction, ...] = ("mean", "min", "max", "sum", "stddev", "quantile")


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How the values of a window become one. True counts as 1 and False as 0, except in `first` and `last`.

    The series of a machine that have the same values of the tags `by` are aggregated together: without `by`,
    all of them. A name that is not that of a tag separates nothing.

    `stddev` is the sample standard deviation; a window with a single value has none. `quantile` is the
    nearest rank: the value at position ceil(q * n) of n sorted values, or the first one for q = 0. `mean`,
    `stddev` and `quantile` are floats and `count` is an integer; `min`, `max` and `sum` are integers for
    integers and booleans, otherwise floats. Sums of integers may exceed 64 bits.
    """

    function: AggregateFunction
    q: float | None = None  # only for quantile: 0 <= q <= 1
    by: tuple[str, ...] = ()


class Span(NamedTuple):
    """Consecutive windows of one width: the index of the first window, and times in nanoseconds."""

    first: int
    start: int
    stop: int
    width: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive windows `edges[i] <= time < edges[i + 1]`; the first starts no later than the range.

    `step` is the width in nanoseconds if all windows have the same width, otherwise None; `unit` and `zone`
    say which calendar made the windows.
    """

    edges: tuple[int, ...]
    step: int | None = None
    unit: Literal["hour", "day", "week", "month"] | None = None  # a week starts on Monday
    zone: str = "UTC"  # a name of the IANA time zone database

    def __hash__(self) -> int:  # there may be 50,000 edges, and loaders use windows as keys
        return hash((self.edges[0], self.edges[-1], self.step, self.unit, self.zone))

    def spans(self) -> list[Span]:
        """The windows grouped into runs of the same width: one run, or a few if a calendar made them."""
        if self.step is not None:
            return [Span(0, self.edges[0], self.edges[-1], self.step)]
        spans: list[Span] = []
        for index, (edge, next_edge) in enumerate(pairwise(self.edges)):
            if spans and spans[-1].width == next_edge - edge:
                spans[-1] = spans[-1]._replace(stop=next_edge)
            else:
                spans.append(Span(index, edge, next_edge, next_edge - edge))
        return spans


class SeriesDatabase(ABC):
    """The time series of one database: no call can reach another database.

    Every call raises `Unavailable` if the store does not answer.
    """

    database: str

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
    async def changes(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        """Return of each series the first sample, and every sample whose value differs from the one before.

        By machine, field and tags, oldest first. Raises `LimitExceeded` if there are more than `limit`.
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
            counters[machine] = {
                field: {
                    tags: cells
                    for tags, samples in by_tags.items()
                    if (cells := split_counter(samples, windows.edges, rule))
                }
                for field, by_tags in by_field.items()
            }
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


@dataclass(frozen=True, slots=True)
class Point:
    """A point to write. Whoever makes it leaves out empty tags and fields without a value."""

    measurement: str
    tags: tuple[tuple[str, str], ...]  # sorted by name
    fields: Mapping[str, Value]
    time: int


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
