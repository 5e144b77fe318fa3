"""The newest values of several sources in scripts for InfluxDB 2 and in their rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from stores.backends.influx.annotated_csv import Row
from stores.backends.influx.flux import Script, quote
from stores.contracts.occurrences import select_values
from stores.contracts.samples import MACHINE, Catalogue, Occurrence, Unsigned, Where
from stores.contracts.series_queries import SourceQuery

# One row for each series. Values of several types could not be in one table.
LAST_MACHINES = f'last() |> keep(columns: ["{MACHINE}", "_time"])'


def select_newest(script: Script, query: SourceQuery, machines: Sequence[str] | None, limit: int) -> str:
    """Return the script for the last `limit` values of each series."""
    tags = sorted({tag for source in query.sources for tag in source.tags} - {MACHINE})
    columns = ["_measurement", "_field", "_time", "_value", MACHINE, *tags]
    keep = f"keep(columns: [{', '.join(map(quote, columns))}])"
    newest = "last()" if limit == 1 else f'sort(columns: ["_time"], desc: true) |> limit(n: {int(limit)})'
    return f"{script.read_sources(query, machines)} |> {newest} |> {keep}"


def select_machines(script: Script, start: int, stop: int, where: Where) -> str:
    """Return the script for the machines with points in a range."""
    conditions = [f'exists r["{MACHINE}"]', *script.tags(where)]
    return f"{script.read(start, stop, ' and '.join(conditions))} |> {LAST_MACHINES}"


def parse_occurrences(rows: Iterable[Row], query: SourceQuery) -> Iterator[Occurrence]:
    """Yield the values in the rows of such a script."""
    indexes = {(source.measurement, source.field): i for i, source in enumerate(query.sources)}
    for row in rows:
        index = indexes[row.columns["_measurement"], row.columns["_field"]]
        tags = tuple(row.columns.get(tag) or None for tag in query.sources[index].tags)
        yield Occurrence(row.time, row.machine, index, row.value, tags)


def narrow_values(query: SourceQuery, catalogue: Catalogue) -> SourceQuery:
    """Return a query whose sources request only values of the kinds of their fields."""
    sources = []
    for source in query.sources:
        kind = catalogue.get(source.measurement, {}).get(source.field)
        values = [] if kind is None else select_values(source.values or (), kind)
        typed = tuple(Unsigned(value) if kind == "unsigned" else value for value in values)
        sources.append(source if source.values is None else replace(source, values=typed))
    return replace(query, sources=sources)
