"""The areas under the samples of windows in Flux: the script, and how its rows are read."""

from collections.abc import Iterable, Mapping, Sequence

from stores.backends.influx.annotated_csv import NO_TAGS, Row
from stores.backends.influx.flux import Script, parse_time
from stores.contracts.areas import Area, AreaCell, AreaRule
from stores.contracts.series import MACHINE, SECOND, ByMachine, ByTags, Kind, SeriesQuery, Span

# Tags that begin with an underscore are reserved, so that these columns are of no tag.
START = "{_n: 0, _t0: 0, _v0: 0.0, _t1: 0, _v1: 0.0, _area: 0.0, _covered: 0}"
# `a` are the sums so far, `t` is the time of the row and `width` the nanoseconds since the row before it.
ADD = """(r, accumulator) => {
  a = accumulator
  t = int(v: r._time)
  width = t - a._t1
  joined = a._n > 0 and JOINED
  return {
    _n: a._n + 1, _t0: if a._n == 0 then t else a._t0, _v0: if a._n == 0 then r._value else a._v0,
    _t1: t, _v1: r._value,
    _area: if joined then a._area + HEIGHT * float(v: width) / SECOND else a._area,
    _covered: if joined then a._covered + width else a._covered,
  }
}"""


def select_areas(
    script: Script,
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    spans: Sequence[Span],
    rule: AreaRule,
) -> str:
    """Return the script for all windows of the spans. The name of a result tells the span of its rows."""
    height = "a._v1" if rule.signal == "step" else "(a._v1 + r._value) / 2.0"
    joined = "true" if rule.max_gap is None else f"width <= {rule.max_gap}"
    add = ADD.replace("JOINED", joined).replace("HEIGHT", height).replace("SECOND", f"{SECOND}.0")
    parts = []
    for i, span in enumerate(spans):
        start, stop = max(span.start, query.start), min(span.stop, query.stop)
        for kind in dict.fromkeys(kinds.values()):  # one table has values of one kind
            source = script.read(
                start, stop, script.select(query, [name for name in kinds if kinds[name] == kind], machines)
            )
            if kind == "boolean":
                source += " |> toInt()"
            windowed = f"window(every: {span.width}ns, offset: {span.start % span.width}ns)"
            sums = f"reduce(identity: {START}, fn: {add})"
            parts.append(f'{source} |> toFloat() |> {windowed} |> {sums} |> yield(name: "{i}.{kind}")')
    return "\n".join(parts)


def collect_areas(rows: Iterable[Row], spans: Sequence[Span]) -> ByMachine[ByTags[list[AreaCell]]]:
    """Return the areas in the rows of the answer."""
    areas: ByMachine[ByTags[list[AreaCell]]] = {}
    for row in rows:
        columns = row.columns
        span = spans[int(columns["result"].partition(".")[0])]
        index = span.first + (parse_time(columns["_start"]) - span.start) // span.width
        tags = tuple(
            sorted(
                item
                for item in columns.items()
                if item[1] and item[0] not in NO_TAGS and not item[0].startswith("_")
            )
        )
        by_tags = areas.setdefault(columns[MACHINE], {}).setdefault(columns["_field"], {})
        area = Area(
            int(columns["_t0"]),
            float(columns["_v0"]),
            int(columns["_t1"]),
            float(columns["_v1"]),
            float(columns["_area"]),
            int(columns["_covered"]),
        )
        by_tags.setdefault(tags, []).append((index, area))
    for by_field in areas.values():
        for by_tags in by_field.values():
            for of_series in by_tags.values():
                of_series.sort()
    return areas
