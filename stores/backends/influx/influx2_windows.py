"""Aggregated windows in Flux: the scripts, and how their rows become cells.

Integers, unsigned integers and other values are read by separate scripts, because one table has values of
one kind. A sum of integers may exceed 64 bits, so it is computed as two halves. The name of each result says
which span and which half its rows belong to.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from stores.backends.influx.annotated_csv import NO_TAGS, Row
from stores.backends.influx.flux import Script, parse_time, quote
from stores.backends.influx.tag_sets import sort_cells
from stores.contracts.samples import MACHINE, ByMachine, ByTags, Cell, Kind, Tags, Value
from stores.contracts.series_queries import AggregateFunction, Aggregation, SeriesQuery, Span

# The Flux function for each aggregate function; this `quantile` is the nearest rank.
FUNCTIONS = {name: name for name in ("mean", "min", "max", "sum", "count")} | {
    "stddev": '(tables=<-, column) => tables |> stddev(mode: "sample", column: column)',
    "quantile": '(tables=<-, column) => tables |> quantile(q: Q, method: "exact_selector", column: column)',
}
# The storage engine adds up samples for the others: these are computed of samples that leave it.
SAMPLED_FUNCTIONS: frozenset[AggregateFunction] = frozenset(("quantile", "min", "max", "stddev"))
FAMILIES: tuple[tuple[Kind, ...], ...] = (("integer", "boolean"), ("unsigned",), ("float", "string"))
HALVES = {
    "integer": {"h": "bitwise.srshift(a: r._value, b: 32)", "l": "bitwise.sand(a: r._value, b: 4294967295)"},
    "unsigned": {
        "h": "bitwise.urshift(a: r._value, b: uint(v: 32))",
        "l": "bitwise.uand(a: r._value, b: uint(v: 4294967295))",
    },
}


def aggregate_script(
    script: Script,
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    spans: Sequence[Span],
    aggregation: Aggregation,
) -> str:
    """Return the script for all windows of the spans."""
    parts = ['import "bitwise"']
    tags = list_group_tags(aggregation)
    for i, span in enumerate(spans):
        start, stop = max(span.start, query.start), min(span.stop, query.stop)
        for family in FAMILIES:
            names = [name for name, kind in kinds.items() if kind in family]
            if names:
                source = script.read(start, stop, script.select(query, names, machines))
                parts += _aggregate(source, aggregation, tags, span, f"{i}.{family[0]}", family[0])
    return "\n".join(parts)


def list_group_tags(aggregation: Aggregation) -> list[str]:
    """Return the tags whose values separate series; names of other columns of a table are none."""
    return [tag for tag in aggregation.by if tag not in NO_TAGS and not tag.startswith("_")]


def _aggregate(
    source: str, aggregation: Aggregation, tags: Sequence[str], span: Span, name: str, kind: Kind
) -> list[str]:
    """Return the statements for the windows of one span."""
    keys = ", ".join(map(quote, (MACHINE, "_field", *tags)))
    every = f"every: {span.width}ns, offset: {span.start % span.width}ns"
    function = aggregation.function
    if function in ("first", "last"):
        columns = f'keep(columns: [{keys}, "_time", "_value", "_start"])'
        return [f'{source} |> window({every}) |> {function}() |> {columns} |> yield(name: "{name}")']
    group = f"group(columns: [{keys}])"
    call = FUNCTIONS[function].replace("Q", f"{float(aggregation.q or 0.0):.20f}")
    windowed = f'aggregateWindow({every}, fn: {call}, createEmpty: false, timeSrc: "_start")'
    if function == "count":
        return [f'{source} |> {group} |> {windowed} |> yield(name: "{name}")']
    if kind == "integer":
        source += " |> toInt()"
    if function == "sum" and kind in HALVES:
        return [
            f"{source} |> map(fn: (r) => ({{r with _value: {half}}})) |> {group} |> {windowed}"
            f' |> yield(name: "{prefix}{name}")'
            for prefix, half in HALVES[kind].items()
        ]
    if function in ("mean", "stddev") and kind in HALVES:
        source += " |> toFloat()"
    return [f'{source} |> {group} |> {windowed} |> yield(name: "{name}")']


class CellCollector:
    """Collects the cells of an answer from its rows."""

    def __init__(self, aggregation: Aggregation, spans: Sequence[Span]) -> None:
        self._function = aggregation.function
        self._tags = sorted(list_group_tags(aggregation))
        self._spans = spans
        self._values: ByMachine[ByTags[dict[int, Value]]] = {}
        # For `first` and `last`, the time and value of each cell.
        self._selected: dict[tuple[str, str, Tags, int], tuple[int, Value]] = {}

    def collect(self, rows: Iterable[Row]) -> ByMachine[ByTags[list[Cell]]]:
        """Return the cells of an answer by machine, field and tags, in the order of the windows."""
        for row in rows:
            self._add(row)
        return sort_cells(self._values)

    def _add(self, row: Row) -> None:
        result = row.columns["result"]
        span = self._spans[int(result.lstrip("hl").partition(".")[0])]
        tags = tuple((tag, row.columns[tag]) for tag in self._tags if row.columns.get(tag))
        key = row.columns[MACHINE], row.columns["_field"], tags
        selects = self._function in ("first", "last")
        start = parse_time(row.columns["_start" if selects else "_time"])
        index = span.first + (start - span.start) // span.width
        cells = self._values.setdefault(key[0], {}).setdefault(key[1], {}).setdefault(tags, {})
        value = row.value
        if selects:  # each series has a row of its own
            candidate = row.time, value
            selected = self._selected.get((*key, index))
            if selected is None or self._is_better(candidate, selected):
                self._selected[*key, index] = candidate
                cells[index] = value
        elif result[0] in "hl":
            half = value << 32 if result[0] == "h" else value
            cells[index] = int(cells.get(index, 0)) + half
        elif not (isinstance(value, float) and math.isnan(value)):  # the deviation of a single value
            cells[index] = value

    def _is_better(self, candidate: tuple[int, Value], selected: tuple[int, Value]) -> bool:
        """Return whether a sample is earlier (or later) than another, or has its time and a greater value."""
        if candidate[0] == selected[0]:
            return candidate[1] > selected[1]  # type: ignore[operator]  # both are values of one field
        return (candidate[0] < selected[0]) == (self._function == "first")
