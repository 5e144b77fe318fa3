"""The statements for InfluxDB 3 (DataFusion's SQL), and how their rows are read.

Values are bound: `$name` in the text, the value beside it. A list of machines is a parameter each, because
parameters are scalars. Rows have short keys: m machine, t time in nanoseconds, n window or number, s source,
v value, g tag.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stores.contracts.series import END_OF_TIME, MACHINE, AggregateFunction, Aggregation, Kind, Value, Windows

Statement = tuple[str, dict[str, Any]]
SCHEMA_ERRORS = ("Error during planning", "Schema error", "No field named", "not found")
CATALOGUE = """SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'iox'"""
M = f'"{MACHINE}"'


@dataclass(frozen=True, slots=True)
class Branch:
    """A source that the database has; a tag that its measurement has not is None."""

    place: int
    measurement: str
    field: str
    of_machine: bool
    tags: tuple[str | None, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def machine(self) -> str:
        return M if self.of_machine else "CAST(NULL AS VARCHAR)"


class Bound:
    """The values of a statement, each under a name of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def value(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        # A non-negative integer is bound as unsigned.
        return f"CAST(${name} AS BIGINT)" if type(value) is int else f"${name}"

    def one_of(self, column: str, values: Sequence[str]) -> str:
        return f"{column} IN ({', '.join(map(self.value, values))})" if values else "FALSE"

    def within(self, start: int, stop: int) -> list[str]:
        """The conditions of a range; none for an end that is open, which spares the server a scan."""
        found = []
        if start > -END_OF_TIME:
            found.append(f"time >= to_timestamp_nanos({self.value(start)})")
        if stop < END_OF_TIME:
            found.append(f"time < to_timestamp_nanos({self.value(stop)})")
        return found


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def kind_of(value: Value) -> Kind:
    kinds: dict[type, Kind] = {bool: "boolean", int: "integer", float: "float", str: "string"}
    return kinds[type(value)]


def _where(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def latest(
    measurement: str, fields: Mapping[str, Kind], machines: Sequence[str] | None, before: int
) -> Statement:
    bound = Bound()
    columns = [f"{M} AS m"]
    for i, name in enumerate(map(quoted, fields)):
        present = f"FILTER (WHERE {name} IS NOT NULL)"
        columns.append(f"CAST(max(time) {present} AS BIGINT) AS t{i}")
        columns.append(f"last_value({name} ORDER BY time, {name}) {present} AS v{i}")
    conditions = [bound.one_of(M, machines or ()), *bound.within(-END_OF_TIME, before)]
    text = f"SELECT {', '.join(columns)} FROM {quoted(measurement)} WHERE {_where(conditions)} GROUP BY {M}"
    return text, bound.values


def points(
    measurement: str,
    fields: Mapping[str, Kind],
    machines: Sequence[str] | None,
    start: int,
    stop: int,
    limit: int,
) -> Statement:
    bound = Bound()
    names = list(map(quoted, fields))
    columns = [f"{M} AS m", "CAST(time AS BIGINT) AS t", *(f"{name} AS v{i}" for i, name in enumerate(names))]
    some = " OR ".join(f"{name} IS NOT NULL" for name in names)
    conditions = [bound.one_of(M, machines or ()), *bound.within(start, stop), f"({some})"]
    text = f"SELECT {', '.join(columns)} FROM {quoted(measurement)} WHERE {_where(conditions)}"
    return f"{text} ORDER BY time LIMIT {int(limit)}", bound.values


def windows(
    measurement: str,
    fields: Mapping[str, Kind],
    machines: Sequence[str] | None,
    asked: Windows,
    aggregate: Aggregation,
) -> Statement:
    bound = Bound()
    conditions = [bound.one_of(M, machines or ()), *bound.within(asked.start, asked.stop)]
    number = _number(asked)
    if aggregate.function == "quantile":
        text = _quantiles(measurement, fields, conditions, number, bound.value(float(aggregate.q or 0.0)))
        return text, bound.values
    columns = [f"{M} AS m", f"{number} AS n"]
    for i, (name, kind) in enumerate(fields.items()):
        columns += _aggregate(quoted(name), i, kind, aggregate.function)
    text = f"SELECT {', '.join(columns)} FROM {quoted(measurement)} WHERE {_where(conditions)}"
    return f"{text} GROUP BY 1, 2 ORDER BY 1, 2", bound.values


def _number(asked: Windows) -> str:
    """The number of the window that a time is in: a division for windows of one width."""
    ns = "CAST(time AS BIGINT)"
    spans = asked.spans()
    parts = [f"{span.number} + ({ns} - ({span.start})) / {span.width}" for span in spans]
    if len(parts) == 1:
        return parts[0]
    cases = " ".join(
        f"WHEN {ns} < {span.stop} THEN {part}" for span, part in zip(spans[:-1], parts, strict=False)
    )
    return f"CASE {cases} ELSE {parts[-1]} END"


def _aggregate(name: str, i: int, kind: Kind, function: AggregateFunction) -> list[str]:
    """The columns of one field: `v` or, of a sum of integers, which may be long, its halves `h` and `l`."""
    plain = f"CAST({name} AS BIGINT)" if kind == "boolean" else name
    match function:
        case "count":
            return [f"count({name}) AS v{i}"]
        case "first":
            present = f"FILTER (WHERE {name} IS NOT NULL)"
            return [f"first_value({name} ORDER BY time, {name} DESC) {present} AS v{i}"]
        case "last":
            present = f"FILTER (WHERE {name} IS NOT NULL)"
            return [f"last_value({name} ORDER BY time, {name}) {present} AS v{i}"]
        case "sum" if kind in ("integer", "boolean"):
            whole = f"CAST({plain} AS BIGINT)"
            return [f"sum({whole} >> 32) AS h{i}", f"sum({whole} & 4294967295) AS l{i}"]
        case "mean":
            return [f"avg(CAST({plain} AS DOUBLE)) AS v{i}"]
        case "stddev":
            return [f"stddev(CAST({plain} AS DOUBLE)) AS v{i}"]
        case _:
            return [f"{function}({plain}) AS v{i}"]


def aggregated(row: Mapping[str, Any], i: int, kind: Kind, function: AggregateFunction) -> Value | None:
    """What a field's values came to in a row of `windows`; None where there were none."""
    if function == "sum" and kind in ("integer", "boolean"):
        high = row.get(f"h{i}")
        return None if high is None else int((high << 32) + row[f"l{i}"])
    value = row.get(f"v{i}")
    if value is None or (function == "count" and value == 0):
        return None
    if function in ("mean", "stddev", "quantile") or (kind == "float" and function != "count"):
        return float(value)
    found: Value = value
    return found


def _quantiles(
    measurement: str, fields: Mapping[str, Kind], conditions: Sequence[str], number: str, q: str
) -> str:
    """The nearest rank of each field: the value at place ceil(q * size) of those in order."""
    parts = []
    for i, (name, kind) in enumerate(fields.items()):
        plain = f"CAST({quoted(name)} AS BIGINT)" if kind == "boolean" else quoted(name)
        inner = (
            f"SELECT {M} AS m, {number} AS n, {plain} AS x FROM {quoted(measurement)}"
            f" WHERE {_where([*conditions, f'{quoted(name)} IS NOT NULL'])}"
        )
        ranked = (
            "SELECT m, n, x, row_number() OVER (PARTITION BY m, n ORDER BY x) AS place,"
            f" count(*) OVER (PARTITION BY m, n) AS size FROM ({inner})"
        )
        rank = f"greatest(1, CAST(ceil({q} * CAST(size AS DOUBLE)) AS BIGINT))"
        values = ", ".join(
            f"{'CAST(x AS DOUBLE)' if j == i else 'CAST(NULL AS DOUBLE)'} AS v{j}" for j in range(len(fields))
        )
        parts.append(f"SELECT m, n, {values} FROM ({ranked}) WHERE CAST(place AS BIGINT) = {rank}")
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY m, n"


def _conditions(
    bound: Bound, branch: Branch, machines: Sequence[str] | None, start: int, stop: int
) -> list[str]:
    found = bound.within(start, stop)
    if machines is not None:
        found.append(bound.one_of(M, machines))
    return [*found, *(bound.one_of(quoted(tag), values) for tag, values in branch.where)]


def last(
    branches: Sequence[Branch], machines: Sequence[str] | None, limit: int, start: int, stop: int
) -> Statement:
    bound = Bound()
    most = max(len(branch.tags) for branch in branches)
    parts = []
    for branch in branches:
        tags = [quoted(tag) if tag is not None else "CAST(NULL AS VARCHAR)" for tag in branch.tags]
        tags += ["CAST(NULL AS VARCHAR)"] * (most - len(tags))
        columns = [
            "time",
            f"CAST({branch.machine} AS VARCHAR) AS m",
            f"{branch.place} AS s",
            f"CAST({quoted(branch.field)} AS VARCHAR) AS v",
            *(f"CAST({tag} AS VARCHAR) AS g{i}" for i, tag in enumerate(tags)),
        ]
        conditions = [
            f"{quoted(branch.field)} IS NOT NULL",
            *_conditions(bound, branch, machines, start, stop),
        ]
        parts.append(
            f"SELECT {', '.join(columns)} FROM {quoted(branch.measurement)} WHERE {_where(conditions)}"
        )
    union = " UNION ALL ".join(parts)
    told = ", ".join(["CAST(time AS BIGINT) AS t", "m", "s", "v", *(f"g{i}" for i in range(most))])
    if machines is None:
        order = "time DESC, s, m NULLS FIRST"
        return f"SELECT {told} FROM ({union}) ORDER BY {order} LIMIT {int(limit)}", bound.values
    ranked = f"SELECT *, row_number() OVER (PARTITION BY m ORDER BY time DESC, s) AS place FROM ({union})"
    return f"SELECT {told} FROM ({ranked}) WHERE place <= {int(limit)} ORDER BY m, place", bound.values


def counts(branches: Sequence[Branch], machines: Sequence[str] | None, start: int, stop: int) -> Statement:
    bound = Bound()
    scans: defaultdict[tuple[str, Any], list[Branch]] = defaultdict(list)  # one pass over each table
    for branch in branches:
        scans[branch.measurement, branch.where].append(branch)
    parts = []
    for together in scans.values():
        number = " + ".join(f"count({quoted(branch.field)})" for branch in together)
        first = together[0]
        conditions = _conditions(bound, first, machines, start, stop)
        source = f"FROM {quoted(first.measurement)} WHERE {_where(conditions)}"
        if machines is None:
            parts.append(f"SELECT {number} AS n {source}")
        else:
            parts.append(f"SELECT CAST({M} AS VARCHAR) AS m, {number} AS n {source} GROUP BY {M}")
    return " UNION ALL ".join(parts), bound.values


def machines_with(branch: Branch, value: Value, kind: Kind, start: int, stop: int) -> Statement:
    bound = Bound()
    conditions = [f"{quoted(branch.field)} = {bound.value(value)}", *bound.within(start, stop)]
    text = f"SELECT DISTINCT {branch.machine} AS m FROM {quoted(branch.measurement)}"
    return f"{text} WHERE {_where(conditions)}", bound.values
