"""Flux for InfluxDB 2: the parts of scripts, with bound values.

Strings are bound: a script names `p0`, the value is sent beside it. After `MAX_BOUND` values, for each of
which the client makes several objects, strings are literals. The sources of one query are combined in one
filter with `or`, and a list of machines is a balanced tree of comparisons: both are pushed down to the
storage engine, while the server rejects a plain chain of more than about 160 comparisons.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from stores.contracts.samples import MACHINE, SECOND, Unsigned
from stores.contracts.series_queries import SeriesQuery, Source, SourceQuery

EARLIEST, LATEST = -(2**63) + 2, 2**63 - 2  # the limits of a range, in nanoseconds
MAX_BOUND = 1_000  # values of a script, of which the client takes about 10 microseconds for each
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# `${` would begin an expression, and a control character may end the line.
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127, ord("$"))} | {34: '\\"', 92: "\\\\"}


class Script:
    """The values that a script names, and the conditions and sources that name them."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.values: dict[str, str | bool | int | float] = {}

    def bind(self, value: str | bool | int | float) -> str:
        """Add a value. Return the name that stands for it, or a literal."""
        if len(self.values) >= MAX_BOUND and type(value) is str:
            return quote(value)
        name = f"p{len(self.values)}"
        self.values[name] = value
        return name

    def read(self, start: int, stop: int, condition: str) -> str:
        """Return the source of the points of a range that satisfy a condition."""
        # Without a stop the range would end now, and the future would be missing.
        start, stop = (min(max(time, EARLIEST), LATEST) for time in (start, stop))
        if start >= stop:  # the server rejects such a range
            start, stop, condition = EARLIEST, EARLIEST + 1, "false"
        limits = f"start: {format_time(start)}, stop: {format_time(stop)}"
        bucket = self.bind(self.bucket)
        return f"from(bucket: {bucket}) |> range({limits}) |> filter(fn: (r) => {condition})"

    def fields(self, measurement: str, fields: Sequence[str]) -> str:
        """Return the condition that a point is of one of these fields."""
        one_of = join_alternatives([f"r._field == {self.bind(name)}" for name in fields])
        return f"r._measurement == {self.bind(measurement)} and {one_of}"

    def machines(self, names: Sequence[str] | None) -> str:
        """Return what is added to a condition to restrict it to these machines; nothing for None."""
        if names is None:
            return ""
        return " and " + join_alternatives([f'r["{MACHINE}"] == {self.bind(name)}' for name in names])

    def read_series(self, query: SeriesQuery, machines: Sequence[str] | None) -> str:
        """Return the source of the points of a query, of these machines."""
        return self.read(query.start, query.stop, self.select(query, query.fields, machines))

    def select(self, query: SeriesQuery, fields: Sequence[str], machines: Sequence[str] | None) -> str:
        """Return the condition that a point is of a query, of these of its fields and of these machines."""
        condition = self.fields(query.measurement, fields) + self.machines(machines)
        return " and ".join([condition, *self.tags(query.where)])

    def tags(self, where: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
        """Return the conditions that each tag has one of its values."""
        conditions = []
        for tag, values in where:
            column = f"r[{quote(tag)}]"  # once: there may be 20,000 values
            conditions.append(
                join_alternatives([f"{column} == {self.bind(v)}" for v in dict.fromkeys(values)])
            )
        return conditions

    def read_sources(self, query: SourceQuery, machines: Sequence[str] | None) -> str:
        """Return the source of the values of a query, of these machines."""
        # The server compares values of several types only if it can leave the whole condition to its storage.
        selected = [source for source in query.sources if source.values != ()]
        sources = join_alternatives([self._match_source(source) for source in selected])
        tables = self.read(query.start, query.stop, f"({sources}){self.machines(machines)}")
        unsigned = [source for source in selected if _selects_unsigned(source)]
        return "".join([tables, *map(self._filter_unsigned, unsigned)])

    def _match_source(self, source: Source) -> str:
        conditions = [self.fields(source.measurement, [source.field]), *self.tags(source.where)]
        if source.values is not None and not _selects_unsigned(source):
            conditions.append(join_alternatives([f"r._value == {self.bind(v)}" for v in source.values]))
        return f"({' and '.join(conditions)})"

    def _filter_unsigned(self, source: Source) -> str:
        """Return a filter of the values of a source, as strings: there are no literals of such values."""
        values = [f"string(v: r._value) == {self.bind(str(int(value)))}" for value in source.values or ()]
        other = f"not ({self.fields(source.measurement, [source.field])})"
        return f" |> filter(fn: (r) => {other} or {join_alternatives(values)})"


def _selects_unsigned(source: Source) -> bool:
    return any(type(value) is Unsigned for value in source.values or ())


def join_alternatives(conditions: Sequence[str]) -> str:
    """Return a balanced tree of conditions combined with `or`."""
    if not conditions:
        return "false"
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return f"({join_alternatives(conditions[:half])} or {join_alternatives(conditions[half:])})"


def quote(text: str) -> str:
    """Return a string as a literal: the names of columns cannot be bound."""
    return f'"{text.translate(ESCAPES)}"'


def format_time(time: int) -> str:
    """Return a time from `EARLIEST` to `LATEST` as a literal, to the nanosecond."""
    seconds, rest = divmod(time, SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def parse_time(text: str) -> int:
    """Return the nanoseconds since 1970 of an RFC 3339 time with up to nine digits below the second."""
    seconds, _, digits = text.removesuffix("Z").partition(".")
    elapsed = datetime.fromisoformat(f"{seconds}+00:00") - EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * SECOND + int(digits.ljust(9, "0") or 0)
