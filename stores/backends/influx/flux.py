"""Flux for InfluxDB 2: scripts in pieces, values bound, and the annotated CSV that answers come in.

Texts are bound: a script names `p0`, the value stands beside it. The sources of one query are or-ed in one
filter, and a list of machines is a balanced tree of comparisons: both are pushed down to the storage, and a
plain chain of more than some 160 is refused.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from stores.contracts.series import MACHINE, SECOND, Kind, Source

EARLIEST, LATEST = -(2**63) + 2, 2**63 - 2  # what a range may name, in nanoseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# `${` would begin an expression, and a control character may end the line.
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127, ord("$"))} | {34: '\\"', 92: "\\\\"}
KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "long": "integer",
    "unsignedLong": "integer",
    "double": "float",
    "string": "string",
}


class Script:
    """A script that grows, and the values that it names."""

    def __init__(self) -> None:
        self.values: dict[str, str | bool | int | float] = {}

    def value(self, value: str | bool | int | float) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return name

    def reading(self, bucket: str, start: int, stop: int, condition: str) -> str:
        """The points of a range of which a condition holds; without an end it would end now."""
        start, stop = (min(max(time, EARLIEST), LATEST) for time in (start, stop))
        if start >= stop:  # the server refuses such a range
            start, stop, condition = EARLIEST, EARLIEST + 1, "false"
        limits = f"start: {moment(start)}, stop: {moment(stop)}"
        return f"from(bucket: {self.value(bucket)}) |> range({limits}) |> filter(fn: (r) => {condition})"

    def fields(self, measurement: str, fields: Sequence[str]) -> str:
        named = _any([f"r._field == {self.value(name)}" for name in fields])
        return f"r._measurement == {self.value(measurement)} and {named}"

    def machines(self, names: Sequence[str] | None) -> str:
        """The condition that a point is of one of these machines; of None, nothing."""
        if names is None:
            return ""
        return " and " + _any([f'r["{MACHINE}"] == {self.value(name)}' for name in names])

    def sources(self, sources: Sequence[Source]) -> str:
        parts = []
        for source in sources:
            conditions = [self.fields(source.measurement, [source.field])]
            for tag, wanted in source.where:
                conditions.append(_any([f"r[{quoted(tag)}] == {self.value(each)}" for each in wanted]))
            parts.append(f"({' and '.join(conditions)})")
        return _any(parts)


def _any(conditions: Sequence[str]) -> str:
    """Conditions or-ed as a balanced tree."""
    if not conditions:
        return "false"
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return f"({_any(conditions[:half])} or {_any(conditions[half:])})"


def quoted(name: str) -> str:
    """A text as a literal, for column names, which cannot be bound."""
    return f'"{name.translate(ESCAPES)}"'


def moment(time: int) -> str:
    """A time from `EARLIEST` to `LATEST` as a literal, to the nanosecond."""
    seconds, rest = divmod(time, SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


class Row(NamedTuple):
    """A row of an answer: the kind of its value, its columns as texts, and which result it belongs to."""

    kind: Kind
    columns: dict[str, str]

    @property
    def time(self) -> int:
        return nanoseconds(self.columns["_time"])

    @property
    def machine(self) -> str | None:
        return self.columns.get(MACHINE) or None

    @property
    def value(self) -> Any:
        return value_of(self.columns["_value"], self.kind)


class FailedQuery(Exception):
    """An error that came in the place of a table."""


def rows(answer: str) -> Iterator[Row]:
    """The rows of annotated CSV (`#datatype`). Raises `FailedQuery`."""
    types: list[str] = []
    names: list[str] = []
    # The server ends lines with both characters, and those within a text with it.
    for cells in csv.reader(io.StringIO(answer.replace("\r\n", "\n"), newline="\n")):
        if not cells:
            continue
        if cells[0] == "#datatype":
            types, names = cells, []
        elif not names:
            names = cells
            if "error" in names and "reference" in names:
                types = []
            elif not types:
                raise FailedQuery("the answer is no annotated CSV")
        elif not types:
            raise FailedQuery(cells[1] if len(cells) > 1 else "")
        else:
            columns = dict(zip(names, cells, strict=False))
            yield Row(KINDS.get(dict(zip(names, types, strict=False)).get("_value", ""), "string"), columns)


def value_of(text: str, kind: Kind) -> Any:
    match kind:
        case "boolean":
            return text == "true"
        case "integer":
            return int(text)
        case "float":
            return float(text)
    return text


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of a time as RFC 3339 with up to nine digits below the second."""
    seconds, _, digits = text.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(f"{seconds}+00:00") - EPOCH
    return (whole.days * 86_400 + whole.seconds) * SECOND + int(digits.ljust(9, "0") or 0)
