"""The areas under the samples of windows in Flux: the script, and how its rows are read.

Its operations are those that the server has compiled. `reduce` would do it in one, but takes five times as
long.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from stores.backends.influx.annotated_csv import NO_TAGS, Row
from stores.backends.influx.flux import Script, parse_time
from stores.contracts.areas import Area, AreaCell, AreaRule
from stores.contracts.samples import MACHINE, SECOND, ByMachine, ByTags, Kind, Tags
from stores.contracts.series_queries import SeriesQuery, Span

EXACT = 2**53  # nanoseconds; `elapsed` computes with floats, so that times are those since the span began
TO_FLOAT: dict[Kind, str] = {"boolean": " |> toInt() |> toFloat()", "float": ""}
# Tags that begin with an underscore are reserved, so that these columns are of no tag. The rows are sorted
# from the newest one on, so that each has its own value and the time until the next one, as a negative width.
STEP = 'sort(columns: ["_time"], desc: true)'
LINEAR = (
    f'{STEP} |> duplicate(column: "_value", as: "_rise") |> difference(columns: ["_rise"], keepFirst: true)'
)


def split_spans(spans: Sequence[Span]) -> list[Span]:
    """Return the same windows in spans that are short enough for exact times, unless a window is longer."""
    parts = []
    for span in spans:
        count = max(EXACT // span.width, 1)
        for start in range(span.start, span.stop, count * span.width):
            first = span.first + (start - span.start) // span.width
            parts.append(Span(first, start, min(start + count * span.width, span.stop), span.width))
    return parts


def select_areas(
    script: Script,
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    spans: Sequence[Span],
    rule: AreaRule,
) -> str:
    """Return the script for all windows of the spans.

    The name of a result tells what its rows are (the areas, the widths, the first or the last samples), and
    the number of their span.
    """
    is_joined = "true" if rule.max_gap is None else f"r._width >= {-rule.max_gap}"
    height = "r._value" if rule.signal == "step" else "(r._value - r._rise / 2.0)"
    area = f"if {is_joined} then float(v: r._width) * {height} else 0.0"
    width = f"if {is_joined} then r._width else 0"
    lines = (
        f'{STEP if rule.signal == "step" else LINEAR} |> elapsed(unit: 1ns, columnName: "_width")'
        f" |> map(fn: (r) => ({{r with _area: {area}, _covered: {width}}}))"
    )
    parts = []
    for i, span in enumerate(spans):
        start, stop = max(span.start, query.start), min(span.stop, query.stop)
        window = f"window(every: {span.width}ns, offset: {span.start % span.width}ns)"
        for kind in dict.fromkeys(kinds.values()):  # one table has values of one kind
            fields = [name for name in kinds if kinds[name] == kind]
            source = script.read(start, stop, script.select(query, fields, machines))
            shift = f'timeShift(duration: {-span.start}ns, columns: ["_time"])'
            data, name = f"data{i}{kind}", f"{i}.{kind}"
            parts += [
                f"{data} = {source}{TO_FLOAT.get(kind, ' |> toFloat()')} |> {window} |> {shift} |> {lines}",
                f'{data} |> sum(column: "_area") |> yield(name: "area.{name}")',
                f'{data} |> sum(column: "_covered") |> yield(name: "width.{name}")',
                f'{source} |> {window} |> first() |> yield(name: "first.{name}")',
                f'{source} |> {window} |> last() |> yield(name: "last.{name}")',
            ]
    return "\n".join(parts)


def collect_areas(rows: Iterable[Row], spans: Sequence[Span]) -> ByMachine[ByTags[list[AreaCell]]]:
    """Return the areas in the rows of the answer."""
    results: defaultdict[str, dict[tuple[str, str, Tags, int], Row]] = defaultdict(dict)
    for row in rows:
        columns = row.columns
        result, number, _ = columns["result"].split(".")
        span = spans[int(number)]
        index = span.first + (parse_time(columns["_start"]) - span.start) // span.width
        tags = sorted(
            (name, value)
            for name, value in columns.items()
            if value and name not in NO_TAGS and not name.startswith("_")
        )
        results[result][columns[MACHINE], columns["_field"], tuple(tags), index] = row
    areas: ByMachine[ByTags[list[AreaCell]]] = {}
    for key in sorted(results["first"]):
        machine, field, of_tags, index = key
        first, last = results["first"][key], results["last"][key]
        area, width = (  # a window with one sample has none
            results[result][key].columns[column] or 0 if key in results[result] else 0
            for result, column in (("area", "_area"), ("width", "_covered"))
        )
        cell = Area(
            first.time, float(first.value), last.time, float(last.value), -float(area) / SECOND, -int(width)
        )
        areas.setdefault(machine, {}).setdefault(field, {}).setdefault(of_tags, []).append((index, cell))
    return areas
