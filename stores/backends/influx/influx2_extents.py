"""Which series machines have on InfluxDB 2: the script, and what its rows mean."""

from collections.abc import Iterable, Sequence

from stores.backends.influx.annotated_csv import Row
from stores.backends.influx.flux import Script, join_alternatives
from stores.contracts.extents import ExtentQuery, SeriesExtent, make_too_many_series_error
from stores.contracts.samples import MACHINE, Kind, Tags

MEASUREMENT = "_measurement"
DROP_BOUNDS = 'drop(columns: ["_start", "_stop"])'


def make_extents_script(script: Script, query: ExtentQuery, machines: Sequence[str] | None) -> str:
    """Return the script for the first and the last sample of each series."""
    condition = "true"
    if query.fields is not None:
        condition = join_alternatives([f"({script.fields(name, [field])})" for name, field in query.fields])
    conditions = [condition + script.machines(machines), *script.tags(query.where)]
    source = script.read(query.start, query.stop, " and ".join(conditions))
    return "\n".join(
        f'{source} |> {edge}() |> {DROP_BOUNDS} |> yield(name: "{edge}")' for edge in ("first", "last")
    )


def join_extents(rows: Iterable[Row], limit: int) -> list[SeriesExtent]:
    """Return the extents of series from their first and last samples.

    Raises `LimitExceeded` if there are more than `limit` series.
    """
    times: dict[tuple[str, str, str, Tags], list[int]] = {}
    kinds: dict[tuple[str, str, str, Tags], Kind] = {}  # a week may have values of another kind
    for row in rows:
        tags = tuple(tag for tag in row.tags if tag[0] != MEASUREMENT)
        series = row.columns[MACHINE], row.columns[MEASUREMENT], row.columns["_field"], tags
        times.setdefault(series, []).append(row.time)
        kinds[series] = row.kind
    if len(times) > limit:
        raise make_too_many_series_error(limit)
    return [
        SeriesExtent(*series[:3], kinds[series], series[3], min(edges), max(edges))
        for series, edges in times.items()
    ]
