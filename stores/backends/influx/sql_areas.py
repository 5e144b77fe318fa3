"""The areas under the samples of windows in SQL: the statement, and how its rows are read."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stores.backends.influx.sql import MACHINE_COLUMN, Statement, join_conditions, list_machine_conditions
from stores.backends.influx.sql_values import BoundValues, keep_finite, quote
from stores.backends.influx.sql_windows import check_window_index, format_window_index
from stores.backends.influx.tag_sets import name_tags, read_tags
from stores.backends.influx.values import check_float, check_integer
from stores.contracts.areas import Area, AreaCell, AreaRule
from stores.contracts.samples import SECOND, ByMachine, ByTags, Kind
from stores.contracts.series_queries import SeriesQuery, Windows


def select_areas(
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    tags: Sequence[str],
    windows: Windows,
    rule: AreaRule,
) -> Statement:
    """Return the statement for the areas of each field by machine, tags and window.

    Rows have the number `s` of the field, the first and last time and value (`t0`, `v0`, `t1`, `v1`), the
    area `a`, null if it overflows a float, and the nanoseconds `c` that it extends over.
    """
    bound = BoundValues()
    conditions = list_machine_conditions(query, machines, bound)
    keys = ", ".join(["m", *(f"g{i}" for i in range(len(tags))), "n"])
    columns = ", ".join([f"{MACHINE_COLUMN} AS m", *name_tags(tags), f"{format_window_index(windows)} AS n"])
    joined = "t0 IS NOT NULL"
    if rule.max_gap is not None:
        joined += f" AND t - t0 <= {rule.max_gap}"
    height = "v0" if rule.signal == "step" else "(v0 + v) / 2"
    area = f"CASE WHEN {joined} THEN {height} * CAST(t - t0 AS DOUBLE) / {SECOND}.0 ELSE 0.0 END"
    sum_of_areas = keep_finite(f"sum({area})")
    covered = f"CASE WHEN {joined} THEN t - t0 ELSE 0 END"
    parts = []
    for i, (name, kind) in enumerate(kinds.items()):
        number = f"CAST({quote(name)} AS BIGINT)" if kind == "boolean" else quote(name)
        present = join_conditions([*conditions, f"{quote(name)} IS NOT NULL"])
        values = f"CAST(time AS BIGINT) AS t, CAST({number} AS DOUBLE) AS v"
        rows = f"SELECT {columns}, {values} FROM {quote(query.measurement)} WHERE {present}"
        lagged = (
            f"SELECT {keys}, t, v, lag(t) OVER (PARTITION BY {keys} ORDER BY t) AS t0,"
            f" lag(v) OVER (PARTITION BY {keys} ORDER BY t) AS v0 FROM ({rows})"
        )
        parts.append(
            f"SELECT {i} AS s, {keys}, min(t) AS t0, first_value(v ORDER BY t) AS v0, max(t) AS t1,"
            f" last_value(v ORDER BY t) AS v1, {sum_of_areas} AS a, sum({covered}) AS c FROM ({lagged})"
            f" GROUP BY {keys}"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY {keys}", bound.values


def collect_areas(
    rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind], tags: Sequence[str], windows: Windows
) -> ByMachine[ByTags[list[AreaCell]]]:
    """Return the areas in rows of `select_areas`. Raises what `reading` expects of an unreadable answer."""
    names = list(kinds)
    areas: ByMachine[ByTags[list[AreaCell]]] = {}
    for row in rows:
        by_tags = areas.setdefault(row["m"], {}).setdefault(names[row["s"]], {})
        area = Area(
            check_integer(row["t0"]),
            check_float(row["v0"]),
            check_integer(row["t1"]),
            check_float(row["v1"]),
            math.nan if row.get("a") is None else check_float(row["a"]),
            check_integer(row["c"]),
        )
        cell = check_window_index(row["n"], windows), area
        by_tags.setdefault(read_tags(row, tags), []).append(cell)
    return areas
