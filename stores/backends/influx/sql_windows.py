"""Aggregated windows in SQL: the statements, and how the values in their rows are read."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stores.backends.influx.sql import MACHINE_COLUMN, Statement, join_conditions, list_machine_conditions
from stores.backends.influx.sql_values import BoundValues, keep_finite, quote
from stores.backends.influx.tag_sets import name_tags, read_tags, sort_cells
from stores.backends.influx.transport import UnreadableAnswer
from stores.backends.influx.values import CHECK, check_float, check_integer
from stores.contracts.samples import ByMachine, ByTags, Cell, Kind, Value
from stores.contracts.series_queries import INTEGRAL, AggregateFunction, Aggregation, SeriesQuery, Windows

# The type of a number of each kind; a boolean is 1 or 0.
NUMBERS: dict[Kind, str] = {
    "boolean": "BIGINT",
    "integer": "BIGINT",
    "unsigned": "BIGINT UNSIGNED",
    "float": "DOUBLE",
}


def select_windows(
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    windows: Windows,
    aggregation: Aggregation,
    tags: Sequence[str],
) -> Statement:
    """Return the statement for the aggregated value of each field by machine, tags and window."""
    bound = BoundValues()
    conditions = list_machine_conditions(query, machines, bound)
    index = format_window_index(windows)
    if aggregation.function == "quantile":
        q = bound.bind(float(aggregation.q or 0.0))
        return _select_quantiles(query.measurement, kinds, conditions, index, q, tags), bound.values
    columns = [f"{MACHINE_COLUMN} AS m", f"{index} AS n", *name_tags(tags)]
    keys = ", ".join(map(str, range(1, len(columns) + 1)))
    for i, (name, kind) in enumerate(kinds.items()):
        columns += _aggregate_columns(quote(name), i, kind, aggregation.function)
    text = f"SELECT {', '.join(columns)} FROM {quote(query.measurement)} WHERE {join_conditions(conditions)}"
    return f"{text} GROUP BY {keys} ORDER BY {keys}", bound.values


def format_window_index(windows: Windows) -> str:
    """Return the expression for the index of a time's window: a division for windows of one width."""
    ns = "CAST(time AS BIGINT)"
    spans = windows.spans()
    parts = [f"{span.first} + ({ns} - ({span.start})) / {span.width}" for span in spans]
    if len(parts) == 1:
        return parts[0]
    cases = " ".join(
        f"WHEN {ns} < {span.stop} THEN {part}" for span, part in zip(spans[:-1], parts, strict=False)
    )
    return f"CASE {cases} ELSE {parts[-1]} END"


def _aggregate_columns(name: str, i: int, kind: Kind, function: AggregateFunction) -> list[str]:
    """Return the columns of one field: `v` or, for a sum of integers, the halves `h` and `l`.

    Of a float that may overflow, and is null then, `c` is the number of values.
    """
    number = f"CAST({name} AS BIGINT)" if kind == "boolean" else name
    match function:
        case "count":
            return [f"count({name}) AS v{i}"]
        case "first":
            present = f"FILTER (WHERE {name} IS NOT NULL)"
            return [f"first_value({name} ORDER BY time, {name} DESC) {present} AS v{i}"]
        case "last":
            present = f"FILTER (WHERE {name} IS NOT NULL)"
            return [f"last_value({name} ORDER BY time, {name}) {present} AS v{i}"]
        case "sum" if kind in INTEGRAL:
            return [f"sum({number} >> 32) AS h{i}", f"sum({number} & 4294967295) AS l{i}"]
        case "mean" | "stddev" | "sum":
            value = f"{'avg' if function == 'mean' else function}(CAST({number} AS DOUBLE))"
            return [f"{keep_finite(value)} AS v{i}", f"count({name}) AS c{i}"]
        case _:
            return [f"{function}({number}) AS v{i}"]


def collect_cells(
    rows: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, Kind],
    tags: Sequence[str],
    windows: Windows,
    function: AggregateFunction,
) -> ByMachine[ByTags[list[Cell]]]:
    """Return the cells in rows of `select_windows`. Raises what `reading` makes an unreadable answer of."""
    cells: ByMachine[ByTags[dict[int, Value]]] = {}
    for row in rows:
        index = check_window_index(row["n"], windows)
        for i, (name, kind) in enumerate(kinds.items()):
            value = _read_aggregated_value(row, i, kind, function)
            if value is not None:  # of a window that is repeated, the last row wins
                by_tags = cells.setdefault(row["m"], {}).setdefault(name, {})
                by_tags.setdefault(read_tags(row, tags), {})[index] = value
    return sort_cells(cells)


def check_window_index(value: Any, windows: Windows) -> int:
    """Return the index of a window. Raises `UnreadableAnswer` if there is no such window."""
    index = check_integer(value)
    if not 0 <= index < len(windows.edges) - 1:
        raise UnreadableAnswer(f"there is no window {index}")
    return index


def _read_aggregated_value(
    row: Mapping[str, Any], i: int, kind: Kind, function: AggregateFunction
) -> Value | None:
    """Return the aggregated value of a field in a row of `select_windows`, or None.

    Raises `TypeError` if it is not of the expected kind.
    """
    if function == "sum" and kind in INTEGRAL:
        high = row.get(f"h{i}")
        return None if high is None else (check_integer(high) << 32) + check_integer(row[f"l{i}"])
    value = row.get(f"v{i}")
    if value is None:
        return math.inf if row.get(f"c{i}", 0) > (function == "stddev") else None
    if function == "count":
        return check_integer(value) or None
    if function in ("first", "last"):
        return CHECK[kind](value)
    if function in ("min", "max", "quantile") and kind in INTEGRAL:
        return check_integer(value)
    return check_float(value)


def _select_quantiles(
    measurement: str,
    kinds: Mapping[str, Kind],
    conditions: Sequence[str],
    index: str,
    q: str,
    tags: Sequence[str],
) -> str:
    """Return the statement for the nearest rank of each field: the value at position ceil(q * size)."""
    parts = []
    keys = ", ".join(["m", "n", *(f"g{i}" for i in range(len(tags)))])
    columns = ", ".join([f"{MACHINE_COLUMN} AS m", f"{index} AS n", *name_tags(tags)])
    for i, (name, kind) in enumerate(kinds.items()):
        number = f"CAST({quote(name)} AS BIGINT)" if kind == "boolean" else quote(name)
        inner = (
            f"SELECT {columns}, {number} AS x FROM {quote(measurement)}"
            f" WHERE {join_conditions([*conditions, f'{quote(name)} IS NOT NULL'])}"
        )
        ranked = (
            f"SELECT {keys}, x, row_number() OVER (PARTITION BY {keys} ORDER BY x) AS rank,"
            f" count(*) OVER (PARTITION BY {keys}) AS size FROM ({inner})"
        )
        position = f"greatest(1, CAST(ceil({q} * CAST(size AS DOUBLE)) AS BIGINT))"
        values = ", ".join(
            f"CAST({'x' if j == i else 'NULL'} AS {NUMBERS[kind_of_field]}) AS v{j}"
            for j, kind_of_field in enumerate(kinds.values())
        )
        parts.append(f"SELECT {keys}, {values} FROM ({ranked}) WHERE CAST(rank AS BIGINT) = {position}")
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY {keys}"
