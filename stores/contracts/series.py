"""The contract of the time-series store: what a backend can do, without knowing what the series mean.

A point has a measurement, tags (texts), fields and a time; the tag `machine_id` says whose it is. Points of
one measurement, tag set and time are one: their fields are merged, and a later write of a field wins. A
time is an `int`: nanoseconds since 1970, UTC. A value is a `bool`, `int`, `float` or `str`; a field that was
not written is nothing, an empty text is a value. Ranges are `start <= time < stop`; the future counts.

What was never written is empty, never an error: measurements, fields, tags, machines and databases. Names are
names: quotes, backslashes, line feeds and pieces of query languages in them have no meaning.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from stores.contracts.errors import LimitExceeded

Value: TypeAlias = bool | int | float | str
Kind = Literal["boolean", "integer", "float", "string"]
Catalogue: TypeAlias = Mapping[str, Mapping[str, Kind]]  # measurement -> field -> what its values are

MACHINE = "machine_id"
SECOND = 1_000_000_000
END_OF_TIME = 2**63 - 1


class Sample(NamedTuple):
    """A value and its time."""

    time: int
    value: Value


class Occurrence(NamedTuple):
    """One value of one of the sources that were asked for, with the tags that its source names."""

    time: int
    machine: str | None
    source: int  # its place among the sources asked for
    value: Value
    tags: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A field; the tags that its values are told with; and, by tag, which values of the tag are wanted."""

    measurement: str
    field: str
    tags: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


AggregateFunction = Literal["mean", "min", "max", "sum", "count", "first", "last", "stddev", "quantile"]
NUMERIC: tuple[AggregateFunction, ...] = ("mean", "min", "max", "sum", "stddev", "quantile")  # not of texts


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What becomes of the values of a window. True counts as 1 and False as 0 in all but `first` and `last`.

    `stddev` is the sample's, and nothing for a single value. `quantile` is the nearest rank: of n values in
    order the one at place ceil(q * n), the first for q = 0. `mean`, `stddev` and `quantile` are floats,
    `count` is an integer, `min`, `max` and `sum` are integers of integers and booleans and else floats.
    """

    function: AggregateFunction
    q: float | None = None  # of quantile: 0 <= q <= 1


class Span(NamedTuple):
    """Windows of one width that follow each other: the number of the first, and times in nanoseconds."""

    number: int
    start: int
    stop: int
    width: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows `edges[i] <= time < edges[i + 1]`, without gaps; the first starts no later than the range.

    Only points of the range `start <= time < stop` are looked at. `step` is the width in nanoseconds where
    all edges are equally far apart, else None; then `unit` and `zone` say which calendar made them.
    """

    start: int
    stop: int
    edges: tuple[int, ...] = field(compare=False)  # the rest says them
    step: int | None = None
    unit: Literal["hour", "day", "week", "month"] | None = None  # a week starts on Monday
    zone: str = "UTC"  # of the IANA database

    def spans(self) -> list["Span"]:
        """The windows as runs of windows of one width: one run, or a few where a calendar made them."""
        found: list[Span] = []
        for number, (edge, following) in enumerate(pairwise(self.edges)):
            if found and found[-1].width == following - edge:
                found[-1] = found[-1]._replace(stop=following)
            else:
                found.append(Span(number, edge, following, following - edge))
        return found


class SeriesDatabase(ABC):
    """One database's time series: no call can reach another's.

    Every call raises `Unavailable` when the store does not answer within its deadline. `machines` None means
    all points, those without a machine too; otherwise points of these machines only. A list of
    machines may be of any length: a backend that cannot ask for all at once asks several times.
    """

    database: str

    @abstractmethod
    async def catalogue(self) -> Catalogue:
        """Every measurement's fields and their kinds. Up to half a minute old where a server keeps it."""

    @abstractmethod
    async def latest(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str], before: int = END_OF_TIME
    ) -> dict[str, dict[str, Sample]]:
        """By machine and field the newest sample before a time; what has none is missing from the answer."""

    @abstractmethod
    async def points(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        start: int,
        stop: int,
        limit: int,
    ) -> dict[str, dict[str, list[Sample]]]:
        """By machine and field the samples of a range, oldest first; what has none is missing.

        Raises `LimitExceeded` where there are more than `limit` samples together. Where several series of a
        machine hold a sample of one time, all of them are told.
        """

    @abstractmethod
    async def windows(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        windows: Windows,
        aggregate: Aggregation,
    ) -> dict[str, dict[str, list[tuple[int, Value]]]]:
        """By machine and field the windows that hold samples: their number (of `edges`) and the aggregate.

        In the order of the windows; several series of a machine count together. A function of `NUMERIC` asked
        of a field of texts gives nothing for it. `first` and `last` of one time: the greatest value.
        """

    @abstractmethod
    async def last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        """The last `limit` values of all sources together: of each machine or, without machines, of all.

        In the order of time, newest first, then of the sources, then of the machine ids (None first).
        With machines the answer is in the order of machine ids, and so within each.
        """

    @abstractmethod
    async def counts(
        self, sources: Sequence[Source], machines: Sequence[str] | None, start: int, stop: int
    ) -> dict[str | None, int]:
        """By machine how many values the sources have; without machines the one sum under None."""

    @abstractmethod
    async def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> set[str | None]:
        """The machines with a point whose field has a value; None stands for all points without a machine."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point to write. Tags without a text and fields without a value are left out by who makes it."""

    measurement: str
    tags: tuple[tuple[str, str], ...]  # sorted by name
    fields: Mapping[str, Value]
    time: int


class SeriesStore(ABC):
    """All databases of a deployment. One client, pooled; opening it does not wait for the server."""

    @abstractmethod
    def database(self, name: str) -> SeriesDatabase:
        """The time series of one database (or bucket); nothing is made by asking."""

    @abstractmethod
    async def ping(self) -> None:
        """Return when the store answers; raise `Unavailable` when it does not."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of files and connections."""


class WritableSeriesStore(SeriesStore):
    """A store that the gateway itself takes points in for, and that forgets old ones."""

    @abstractmethod
    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write points, in one transaction; by point None, or why it was refused while the others were kept.

        A field never changes its kind: a point that would change it is refused.
        """

    @abstractmethod
    async def retain(self, cut: int) -> int:
        """Delete what is older than a time, of every database; answers how many points that were."""


def too_many_points(limit: int) -> LimitExceeded:
    """What `SeriesDatabase.points` raises."""
    return LimitExceeded(
        f"the range holds more than {limit} points (series.max_points):"
        " ask for a shorter range, or for windows",
        limit=limit,
    )


def in_chunks(machines: Sequence[str] | None, size: int) -> Iterator[Sequence[str] | None]:
    """The machines without repetitions, so many at a time; None, which stands for all, as it is."""
    if machines is None:
        yield None
        return
    different = sorted(set(machines))
    for start in range(0, len(different), size):
        yield different[start : start + size]
