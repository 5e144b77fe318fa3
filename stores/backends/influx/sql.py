"""The statements for InfluxDB 3 (DataFusion's SQL), and how their rows are read.

Values are bound: `$name` in the text, and the value beside it. Parameters are scalars, so each machine of a
list is a parameter of its own. Rows have short keys: m machine, t time in nanoseconds, n window or number,
s source, v value, g tag.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stores.backends.influx.sql_values import BoundValues, quote
from stores.backends.influx.tag_sets import name_tags
from stores.contracts.samples import MACHINE, Kind
from stores.contracts.series_queries import SeriesQuery

Statement = tuple[str, dict[str, Any]]
CATALOGUE = """SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'iox'"""
MACHINE_COLUMN = f'"{MACHINE}"'
NULL_STRING = "CAST(NULL AS VARCHAR)"


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
