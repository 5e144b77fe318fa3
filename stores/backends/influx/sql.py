"""The statements for InfluxDB 3 (DataFusion's SQL), and how their rows are read.

Values are bound: `$name` in the text, and the value beside it. Parameters are scalars, so each machine of a
list is a parameter of its own. Rows have short keys: m machine, t time in nanoseconds, n window or number,
s source, v value, g tag.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stores.backends.influx.catalogues import DatabaseCatalogue
from stores.backends.influx.sql_values import BoundValues, quote
from stores.backends.influx.tag_sets import name_tags
from stores.contracts.series import (
    MACHINE,
    Kind,
    SeriesQuery,
    SourceQuery,
    Value,
)

Statement = tuple[str, dict[str, Any]]
CATALOGUE = """SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'iox'"""
MACHINE_COLUMN = f'"{MACHINE}"'
NULL_STRING = "CAST(NULL AS VARCHAR)"


@dataclass(frozen=True, slots=True)
class Branch:
    """A source that the database has. A tag that its measurement does not have is None."""

    index: int
    measurement: str
    field: str
    has_machines: bool
    tags: tuple[str | None, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def machine(self) -> str:
        """The expression for the machine id."""
        return MACHINE_COLUMN if self.has_machines else NULL_STRING


def join_conditions(conditions: Sequence[str]) -> str:
    """Return the condition that all of some conditions are true."""
    return " AND ".join(conditions) or "TRUE"


def list_machine_conditions(
    query: SeriesQuery, machines: Sequence[str] | None, bound: BoundValues
) -> list[str]:
    """Return the conditions that a point is of a query, and of these machines."""
    tags = [bound.one_of(quote(tag), values) for tag, values in query.where]
    return [bound.one_of(MACHINE_COLUMN, machines or ()), *tags, *bound.within(query.start, query.stop)]


def select_latest(
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    tags: Sequence[str] = (),
    *,
    oldest: bool = False,
) -> Statement:
    """Return the statement for the newest (or oldest) value of each field by machine and tags."""
    bound = BoundValues()
    groups = [MACHINE_COLUMN, *map(quote, tags)]
    columns = [f"{MACHINE_COLUMN} AS m", *name_tags(tags)]
    extreme, selector = ("min", "first_value") if oldest else ("max", "last_value")
    for i, name in enumerate(map(quote, kinds)):
        present = f"FILTER (WHERE {name} IS NOT NULL)"
        columns.append(f"CAST({extreme}(time) {present} AS BIGINT) AS t{i}")
        columns.append(f"{selector}({name} ORDER BY time, {name}) {present} AS v{i}")
    conditions = join_conditions(list_machine_conditions(query, machines, bound))
    text = f"SELECT {', '.join(columns)} FROM {quote(query.measurement)} WHERE {conditions}"
    return f"{text} GROUP BY {', '.join(groups)}", bound.values


def select_points(
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    tags: Sequence[str],
    limit: int,
) -> Statement:
    """Return the statement for the values of each field, with their times and tags."""
    bound = BoundValues()
    names = list(map(quote, kinds))
    values = [f"{name} AS v{i}" for i, name in enumerate(names)]
    columns = ", ".join([f"{MACHINE_COLUMN} AS m", "CAST(time AS BIGINT) AS t", *name_tags(tags), *values])
    any_value = " OR ".join(f"{name} IS NOT NULL" for name in names)
    conditions = join_conditions([*list_machine_conditions(query, machines, bound), f"({any_value})"])
    text = f"SELECT {columns} FROM {quote(query.measurement)} WHERE {conditions}"
    return f"{text} ORDER BY time LIMIT {int(limit)}", bound.values


def list_branches(catalogue: DatabaseCatalogue, query: SourceQuery) -> list[Branch]:
    """Return the sources that the database has, as parts of a statement."""
    branches = []
    for index, source in enumerate(query.sources):
        has_machines = catalogue.has_machines(source.measurement)
        if source.field not in catalogue.fields.get(source.measurement, {}):
            continue
        if query.machines is not None and not has_machines:
            continue
        if not all(catalogue.has_column(source.measurement, tag) for tag, _ in source.where):
            continue
        tags = tuple(tag if catalogue.has_column(source.measurement, tag) else None for tag in source.tags)
        branches.append(
            Branch(index, source.measurement, source.field, has_machines, tags, tuple(source.where))
        )
    return branches


def _list_source_conditions(
    query: SourceQuery, branch: Branch, machines: Sequence[str] | None, bound: BoundValues
) -> list[str]:
    conditions = bound.within(query.start, query.stop)
    if machines is not None:
        conditions.append(bound.one_of(MACHINE_COLUMN, machines))
    return [*conditions, *(bound.one_of(quote(tag), values) for tag, values in branch.where)]


def select_last(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None, limit: int
) -> Statement:
    bound = BoundValues()
    tag_count = max(len(branch.tags) for branch in branches)
    parts = []
    for branch in branches:
        tags = [quote(tag) if tag is not None else NULL_STRING for tag in branch.tags]
        tags += [NULL_STRING] * (tag_count - len(tags))
        field = quote(branch.field)
        columns = [
            "time",
            f"CAST({branch.machine} AS VARCHAR) AS m",
            f"{branch.index} AS s",
            f"CAST({field} AS VARCHAR) AS v",
            *(f"CAST({tag} AS VARCHAR) AS g{i}" for i, tag in enumerate(tags)),
        ]
        conditions = join_conditions(
            [f"{field} IS NOT NULL", *_list_source_conditions(query, branch, machines, bound)]
        )
        parts.append(f"SELECT {', '.join(columns)} FROM {quote(branch.measurement)} WHERE {conditions}")
    union = " UNION ALL ".join(parts)
    tag_keys = [f"g{i}" for i in range(tag_count)]
    selected = ", ".join(["CAST(time AS BIGINT) AS t", "m", "s", "v", *tag_keys])
    if machines is None:
        order = "time DESC, s, m NULLS FIRST"
        return f"SELECT {selected} FROM ({union}) ORDER BY {order} LIMIT {int(limit)}", bound.values
    ranked = f"SELECT *, row_number() OVER (PARTITION BY m ORDER BY time DESC, s) AS rank FROM ({union})"
    return f"SELECT {selected} FROM ({ranked}) WHERE rank <= {int(limit)} ORDER BY m, rank", bound.values


def select_counts(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None
) -> Statement:
    bound = BoundValues()
    scans: defaultdict[tuple[str, Any], list[Branch]] = defaultdict(list)  # one pass over each table
    for branch in branches:
        scans[branch.measurement, branch.where].append(branch)
    parts = []
    for group in scans.values():
        number = " + ".join(f"count({quote(branch.field)})" for branch in group)
        first = group[0]
        conditions = join_conditions(_list_source_conditions(query, first, machines, bound))
        source = f"FROM {quote(first.measurement)} WHERE {conditions}"
        if machines is None:
            parts.append(f"SELECT {number} AS n {source}")
        else:
            machine = f"CAST({MACHINE_COLUMN} AS VARCHAR) AS m"
            parts.append(f"SELECT {machine}, {number} AS n {source} GROUP BY {MACHINE_COLUMN}")
    return " UNION ALL ".join(parts), bound.values


def select_machines_with(
    query: SourceQuery, branches: Sequence[Branch], machines: Sequence[str] | None, value: Value
) -> Statement:
    bound = BoundValues()
    parts = []
    for branch in branches:
        conditions = _list_source_conditions(query, branch, machines, bound)
        conditions = [f"{quote(branch.field)} = {bound.bind(value)}", *conditions]
        table = f"FROM {quote(branch.measurement)} WHERE {join_conditions(conditions)}"
        parts.append(f"SELECT DISTINCT CAST({branch.machine} AS VARCHAR) AS m {table}")
    return " UNION ALL ".join(parts), bound.values
