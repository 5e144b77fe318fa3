"""What is asked of series: samples, values of several sources, and windows.

Ranges are `start <= time < stop`, in nanoseconds since 1970, and may extend into the future.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from stores.contracts.samples import END_OF_TIME, SECOND, Kind, Value, Where

PRESUMED_INTERVAL = 5 * SECOND  # between two samples of a field


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


def presume_samples(query: SeriesQuery) -> int:
    """Return how many samples a query selects, if each field has one every `PRESUMED_INTERVAL`."""
    return len(query.machines) * len(query.fields) * (query.stop - query.start) // PRESUMED_INTERVAL


class OccurrencePosition(NamedTuple):
    """A position in a list of occurrences: behind the first `passed` ones that have this place in the order.

    None are all of them. They differ in a tag that their source does not list, or are of several databases.
    """

    time: int
    source: int
    machine: str | None
    tags: tuple[str | None, ...]
    passed: int | None


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """The values of several sources with `start <= time < stop`.

    `machines` None means all points, including those without a machine. `after` is for `last` alone.
    """

    sources: Sequence[Source]
    machines: Sequence[str] | None = None
    start: int = -END_OF_TIME
    stop: int = END_OF_TIME
    after: OccurrencePosition | None = None


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
    nearest rank: the value at position ceil(q * n) of n sorted values, or the first one for q = 0. `mean`
    and `stddev` are floats and `count` is an integer; `min`, `max`, `sum` and `quantile` are integers for
    integers and booleans, otherwise floats. Sums of integers may exceed 64 bits. What overflows a float is
    infinite; InfluxDB 2 leaves out a window whose `stddev` does.
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
