"""The statement for InfluxDB 3 that selects the changes of series, so that no other sample is sent."""

from collections.abc import Mapping, Sequence

from stores.backends.influx.sql import MACHINE_COLUMN, Statement, join_conditions, list_machine_conditions
from stores.backends.influx.sql_values import BoundValues, quote
from stores.backends.influx.tag_sets import name_tags
from stores.contracts.samples import Kind
from stores.contracts.series_queries import SeriesQuery

SQL_TYPES: dict[Kind, str] = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "unsigned": "BIGINT UNSIGNED",
    "float": "DOUBLE",
    "string": "VARCHAR",
}


def select_changes(
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    tags: Sequence[str],
    limit: int,
    period: int | None,
) -> Statement:
    """Return the statement for the changes of each field, in rows such as those of `select_points`."""
    bound = BoundValues()
    conditions = list_machine_conditions(query, machines, bound)
    periods = [] if period is None else [f"date_bin(INTERVAL '{int(period)} nanoseconds', time)"]
    series = ", ".join([MACHINE_COLUMN, *map(quote, tags), *periods])
    columns = ", ".join([f"{MACHINE_COLUMN} AS m", "CAST(time AS BIGINT) AS t", *name_tags(tags)])
    # Without the earlier value, whose type differs between the fields
    selected = ", ".join(
        ["m", "t", *(f"g{i}" for i in range(len(tags))), *(f"v{i}" for i in range(len(kinds)))]
    )
    parts = []
    for i, name in enumerate(map(quote, kinds)):
        values = ", ".join(
            f"{name if j == i else f'CAST(NULL AS {SQL_TYPES[kind]})'} AS v{j}"
            for j, kind in enumerate(kinds.values())
        )
        earlier = f"lag({name}) OVER (PARTITION BY {series} ORDER BY time) AS earlier"
        present = join_conditions([*conditions, f"{name} IS NOT NULL"])
        inner = f"SELECT {columns}, {values}, {earlier} FROM {quote(query.measurement)} WHERE {present}"
        parts.append(f"SELECT {selected} FROM ({inner}) WHERE v{i} IS DISTINCT FROM earlier")
    return f"{' UNION ALL '.join(parts)} LIMIT {int(limit)}", bound.values
