"""The statements for InfluxDB 3 about the values of several sources: the last, and how many.

The rows have the keys that `sql` lists.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.sql import MACHINE_COLUMN, NULL_STRING, Statement, join_conditions
from stores.backends.influx.sql_values import BoundValues, quote
from stores.contracts.occurrences import find_stop, select_values
from stores.contracts.samples import MACHINE, Kind, Value, Where
from stores.contracts.series_queries import OccurrencePosition, SourceQuery


@dataclass(frozen=True, slots=True)
class Branch:
    """A source that the database has. A tag that its measurement does not have is None."""

    index: int
    measurement: str
    field: str
    kind: Kind
    has_machines: bool
    tags: tuple[str | None, ...]
    where: Where
    values: tuple[Value, ...] | None  # of the kind of the field; None for all

    @property
    def machine(self) -> str:
        """The expression for the machine id."""
        return MACHINE_COLUMN if self.has_machines else NULL_STRING

    def match_values(self, bound: BoundValues) -> str:
        """Return the condition that the field has one of the requested values."""
        if self.values is None:
            return f"{quote(self.field)} IS NOT NULL"
        return bound.one_of(quote(self.field), self.values, self.kind)


def list_branches(catalogue: DatabaseCatalogue, query: SourceQuery) -> list[Branch]:
    """Return the sources that the database has, as parts of a statement."""
    branches = []
    for index, source in enumerate(query.sources):
        measurement, kind = source.measurement, catalogue.fields.get(source.measurement, {}).get(source.field)
        has_machines = catalogue.has_machines(measurement)
        if kind is None or (query.machines is not None and not has_machines):
            continue
        if not all(catalogue.has_column(measurement, tag) for tag, _ in source.where):
            continue
        values = None if source.values is None else tuple(select_values(source.values, kind))
        if values == ():
            continue
        tags = tuple(tag if catalogue.has_column(measurement, tag) else None for tag in source.tags)
        branches.append(
            Branch(index, measurement, source.field, kind, has_machines, tags, tuple(source.where), values)
        )
    return branches


def select_last(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None, limit: int
) -> Statement:
    """Return the statement for a page of the last values of all machines together."""
    bound = BoundValues()
    union, selected, order = _unite(query, branches, machines, bound)
    passed = 0 if query.after is None else query.after.passed or 0
    text = f"SELECT {selected} FROM ({union}) ORDER BY {order} LIMIT {int(limit) + int(passed)}"
    return text, bound.values


def select_last_by_machine(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None, limit: int
) -> Statement:
    """Return the statement for the last values of each machine."""
    bound = BoundValues()
    union, selected, order = _unite(query, branches, machines, bound)
    ranked = f"SELECT *, row_number() OVER (PARTITION BY m ORDER BY {order}) AS rank FROM ({union})"
    text = f"SELECT {selected} FROM ({ranked}) WHERE rank <= {int(limit)} ORDER BY m, rank"
    return text, bound.values


def _unite(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None, bound: BoundValues
) -> tuple[str, str, str]:
    """Return a statement for the values of all branches, what to select from it, and the order of the rows.

    The column k is the source and the machine: DataFusion 55 leaves a column that is constant in each branch
    out of the order, and then loses rows.
    """
    tag_count = max(len(branch.tags) for branch in branches)
    parts = []
    for branch in branches:
        tags = [quote(tag) if tag is not None else NULL_STRING for tag in branch.tags]
        tags += [NULL_STRING] * (tag_count - len(tags))
        columns = [
            "time",
            f"CAST({branch.machine} AS VARCHAR) AS m",
            f"{branch.index} AS s",
            f"concat('{branch.index:04}', coalesce(CAST({branch.machine} AS VARCHAR), '')) AS k",
            f"CAST({quote(branch.field)} AS VARCHAR) AS v",
            *(f"CAST({tag} AS VARCHAR) AS g{i}" for i, tag in enumerate(tags)),
        ]
        conditions = [branch.match_values(bound), *_list_conditions(query, branch, machines, bound)]
        if query.after is not None:
            conditions.append(_match_position(query.after, branch, bound))
        table = f"FROM {quote(branch.measurement)} WHERE {join_conditions(conditions)}"
        parts.append(f"SELECT {', '.join(columns)} {table}")
    tag_keys = [f"g{i}" for i in range(tag_count)]
    selected = ", ".join(["CAST(time AS BIGINT) AS t", "m", "s", "v", *tag_keys])
    order = ", ".join(["time DESC", "k", *(f"{key} NULLS FIRST" for key in tag_keys), "v"])
    return " UNION ALL ".join(parts), selected, order


def _match_position(after: OccurrencePosition, branch: Branch, bound: BoundValues) -> str:
    """Return the condition that a value is not before a position; those that have its place are not passed.

    Of the time of the position, `find_stop` includes the values of all branches.
    """
    time = f"to_timestamp_nanos({bound.bind(after.time)})"
    if branch.index > after.source:
        return "TRUE"
    if branch.index < after.source:
        return f"time < {time}"
    condition = "FALSE" if after.passed is None else "TRUE"
    columns = (branch.machine, *(NULL_STRING if tag is None else quote(tag) for tag in branch.tags))
    for column, value in reversed(list(zip(columns, (after.machine, *after.tags), strict=False))):
        text, limit = f"coalesce(CAST({column} AS VARCHAR), '')", bound.bind(value or "")
        condition = f"({text} > {limit} OR ({text} = {limit} AND {condition}))"
    return f"(time < {time} OR {condition})"


def select_counts(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None
) -> Statement:
    """Return the statement for the numbers of values, by machine or together."""
    bound = BoundValues()
    scans: defaultdict[tuple[str, Any], list[Branch]] = defaultdict(list)  # one pass over each table
    for branch in branches:
        scans[branch.measurement, branch.where].append(branch)
    parts = []
    for group in scans.values():
        number = " + ".join(f"count(*) FILTER (WHERE {branch.match_values(bound)})" for branch in group)
        conditions = join_conditions(_list_conditions(query, group[0], machines, bound))
        source = f"FROM {quote(group[0].measurement)} WHERE {conditions}"
        if machines is None:
            parts.append(f"SELECT {number} AS n {source}")
        else:
            machine = f"CAST({MACHINE_COLUMN} AS VARCHAR) AS m"
            parts.append(f"SELECT {machine}, {number} AS n {source} GROUP BY {MACHINE_COLUMN}")
    return " UNION ALL ".join(parts), bound.values


def select_machines_with(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None
) -> Statement:
    """Return the statement for the machines that have one of the values."""
    bound = BoundValues()
    parts = []
    for branch in branches:
        conditions = [branch.match_values(bound), *_list_conditions(query, branch, machines, bound)]
        table = f"FROM {quote(branch.measurement)} WHERE {join_conditions(conditions)}"
        parts.append(f"SELECT DISTINCT CAST({branch.machine} AS VARCHAR) AS m {table}")
    return " UNION ALL ".join(parts), bound.values


def select_machines(catalogue: DatabaseCatalogue, start: int, stop: int, where: Where) -> Statement | None:
    """Return the statement for the machines with rows in a range; None if no measurement can have any."""
    bound = BoundValues()
    tags = [bound.one_of(quote(tag), values) for tag, values in where]
    conditions = join_conditions([f"{MACHINE_COLUMN} IS NOT NULL", *tags, *bound.within(start, stop)])
    parts = [
        f"SELECT DISTINCT CAST({MACHINE_COLUMN} AS VARCHAR) AS m FROM {quote(measurement)} WHERE {conditions}"
        for measurement in catalogue.fields
        if all(catalogue.has_column(measurement, tag) for tag in (MACHINE, *dict(where)))
    ]
    return (" UNION ALL ".join(parts), bound.values) if parts else None


def _list_conditions(
    query: SourceQuery, branch: Branch, machines: Sequence[str] | None, bound: BoundValues
) -> list[str]:
    conditions = bound.within(query.start, find_stop(query))
    if machines is not None:
        conditions.append(bound.one_of(MACHINE_COLUMN, machines))
    return [*conditions, *(bound.one_of(quote(tag), values) for tag, values in branch.where)]
