"""The areas under the samples of windows, by SQLite."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import apsw

from stores.backends.sqlite.series_queries import Names, find_series
from stores.backends.sqlite.series_schema import StoredSeries
from stores.backends.sqlite.series_windows import require_samples
from stores.contracts.areas import Area, AreaCell, AreaRule
from stores.contracts.samples import SECOND, ByMachine, ByTags, Tags
from stores.contracts.series_queries import SeriesQuery, Span, Windows


def read_areas(
    db: apsw.Connection, databases: Names, query: SeriesQuery, windows: Windows, rule: AreaRule
) -> ByMachine[ByTags[list[AreaCell]]]:
    """See `SeriesDatabase.areas`."""
    groups: defaultdict[tuple[str, str, Tags], list[StoredSeries]] = defaultdict(list)
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        if series.kind != "string":  # series of several databases may have the same tags
            groups[series.machine or "", series.field, series.identify()].append(series)
    areas: ByMachine[ByTags[list[AreaCell]]] = {}
    spans = windows.spans()
    for (machine, field, tags), group in groups.items():
        of_series = [
            area for span in spans for area in _read_span(db, group, query.start, query.stop, span, rule)
        ]
        if of_series:
            areas.setdefault(machine, {}).setdefault(field, {})[tags] = of_series
    return areas


def require_all_samples(db: apsw.Connection, databases: Names, query: SeriesQuery) -> None:
    """Raise `BadUserInput` if the retention has deleted samples of a query, of which there are rollups."""
    for series in find_series(db, databases, query.measurement, query.fields, query.machines, query.where):
        require_samples(db, [series], query.start, query.stop)


def _read_span(
    db: apsw.Connection, group: Sequence[StoredSeries], start: int, stop: int, span: Span, rule: AreaRule
) -> Iterator[AreaCell]:
    """Yield the areas of windows of one width under a series, or under several with the same tags.

    Raises `BadUserInput` if samples that the retention has deleted would be needed: rollups have no areas.
    """
    start, stop = max(start, span.start), min(stop, span.stop)
    if start >= stop:
        return
    require_samples(db, group, start, stop)
    among = f"series IN ({','.join(str(series.number) for series in group)})"
    number = "CAST(value AS REAL)"
    # Consecutive samples that are in one window, and not too far apart
    joined = f"(next_time - {span.start}) / {span.width} = n"
    if rule.max_gap is not None:
        joined += f" AND next_time - time <= {rule.max_gap}"
    height = "value" if rule.signal == "step" else "(value + next_value) / 2"
    next_value = "" if rule.signal == "step" else f", lead({number}) OVER by_time AS next_value"
    rows = f"""SELECT (time - {span.start}) / {span.width} AS n, time, {number} AS value,
        lead(time) OVER by_time AS next_time{next_value}
        FROM samples WHERE {among} AND time >= ? AND time < ? AND {group[0].condition}
        WINDOW by_time AS (ORDER BY time)"""
    sums = f"""SELECT n, min(time) AS first, max(time) AS last,
        total({height} * (next_time - time) / {SECOND}.0) FILTER (WHERE {joined}) AS area,
        sum(next_time - time) FILTER (WHERE {joined}) AS covered FROM ({rows}) GROUP BY n"""
    at = f"(SELECT max({number}) FROM samples WHERE {among} AND time = %s AND {group[0].condition})"
    sql = f"SELECT n, first, {at % 'first'}, last, {at % 'last'}, area, covered FROM ({sums}) ORDER BY n"
    for index, first_time, first, last_time, last, area, covered in db.execute(sql, (start, stop)):
        yield span.first + index, Area(first_time, first, last_time, last, area, covered or 0)
