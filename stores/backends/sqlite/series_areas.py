"""The areas under the samples of windows, by SQLite: of whole hours from rollups, if these have them."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import apsw

from stores.backends.sqlite.series_queries import Names, find_series
from stores.backends.sqlite.series_rolled_windows import Hours
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR, StoredSeries
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

    Raises `BadUserInput` if samples that the retention has deleted would be needed.
    """
    start, stop = max(start, span.start), min(stop, span.stop)
    if start >= stop:
        return
    hours, ranges, edges = (0, 0), [(start, stop)], []
    if len(group) == 1:  # rollups of several series would have to be interleaved
        first = max(-(-start // HOUR), FIRST_HOUR)
        hours = first, max(first, min(stop // HOUR, group[0].rolled_until))
        if hours[0] < hours[1]:
            # Like other windows, without the hours that the range cuts if their samples were deleted
            edges = [(start, hours[0] * HOUR), (hours[1] * HOUR, stop)]
            ranges = _list_cut_hours(db, group[0].number, hours, span, rule)
    for sample_range in ranges:
        require_samples(db, group, *sample_range)
    among = _select_series(group)
    value = "CAST(value AS REAL)"
    # A sample is a piece without an area, and so is a rollup with one
    pieces = f"""SELECT time AS first_time, {value} AS first, time AS last_time, {value} AS last, 0.0 AS area,
            0 AS covered
            FROM (SELECT value ->> 0 AS start, value ->> 1 AS stop FROM json_each(?1)) CROSS JOIN samples
            ON {among} AND time >= start AND time < stop AND {group[0].condition}
        UNION ALL SELECT first_time, CAST(first AS REAL), last_time, CAST(last AS REAL), {rule.signal},
            last_time - first_time FROM rollups
            WHERE {among} AND hour >= ?2 AND hour < ?3 AND {_match_hours(span, rule)}"""
    yield from _join_pieces(db, group, pieces, (json.dumps(ranges + edges), *hours), span, rule)


def _list_cut_hours(
    db: apsw.Connection, number: int, hours: Hours, span: Span, rule: AreaRule
) -> list[tuple[int, int]]:
    """Return the ranges of hours that are read from samples, because rollups do not answer them."""
    sql = f"""SELECT hour FROM rollups
        WHERE series = ? AND hour >= ? AND hour < ? AND NOT ({_match_hours(span, rule)})"""
    return [(hour * HOUR, (hour + 1) * HOUR) for (hour,) in db.execute(sql, (number, *hours))]


def _match_hours(span: Span, rule: AreaRule) -> str:
    """Return the condition that an hour is in one window, and that its samples are close enough together."""
    longest = f"{rule.signal} NOT NULL AND longest >= 0" + (
        f" AND longest <= {rule.max_gap}" if rule.max_gap is not None else ""
    )
    windows = [f"(hour * {HOUR} + {offset - span.start}) / {span.width}" for offset in (0, HOUR - 1)]
    return f"coalesce({longest}, false) AND {windows[0]} = {windows[1]}"


def _join_pieces(
    db: apsw.Connection,
    group: Sequence[StoredSeries],
    pieces: str,
    values: tuple[str, int, int],
    span: Span,
    rule: AreaRule,
) -> Iterator[AreaCell]:
    """Yield the areas of windows from those of pieces, which do not overlap, and of what is between them."""
    # Consecutive pieces that are in one window, and not too far apart
    joined = f"(next_time - {span.start}) / {span.width} = n"
    if rule.max_gap is not None:
        joined += f" AND next_time - last_time <= {rule.max_gap}"
    height = "last" if rule.signal == "step" else "(last + next_value) / 2"
    next_value = "" if rule.signal == "step" else ", lead(first) OVER by_time AS next_value"
    rows = f"""SELECT (first_time - {span.start}) / {span.width} AS n, *,
        lead(first_time) OVER by_time AS next_time{next_value}
        FROM ({pieces}) WINDOW by_time AS (ORDER BY first_time)"""
    sql = f"""SELECT n, min(first_time) AS first_time, max(last_time) AS last_time, total(area)
            + total({height} * (next_time - last_time) / {SECOND}.0) FILTER (WHERE {joined}) AS area,
            sum(covered) + coalesce(sum(next_time - last_time) FILTER (WHERE {joined}), 0) AS covered
        FROM ({rows}) GROUP BY n"""
    first, last = (_select_value(group, edge) for edge in ("first", "last"))
    sql = f"SELECT n, first_time, {first}, last_time, {last}, area, covered FROM ({sql}) w ORDER BY n"
    for index, *columns in db.execute(sql, values):
        area = Area(*columns)
        yield span.first + index, area if columns[4] is not None else area._replace(area=math.nan)


def _select_value(group: Sequence[StoredSeries], edge: Literal["first", "last"]) -> str:
    """Return the expression for the value at the first or last time of a window; samples may be deleted."""
    among, condition = _select_series(group), group[0].condition
    sample = (
        f"SELECT max(CAST(value AS REAL)) FROM samples WHERE {among} AND time = w.{edge}_time AND {condition}"
    )
    hour = f"w.{edge}_time / {HOUR}"
    rollup = f"""SELECT max(CAST(r.{edge} AS REAL)) FROM rollups r
        WHERE {among} AND hour >= {hour} - 1 AND hour <= {hour} AND r.{edge}_time = w.{edge}_time"""
    return f"coalesce(({sample}), ({rollup}))"


def _select_series(group: Sequence[StoredSeries]) -> str:
    return f"series IN ({','.join(str(series.number) for series in group)})"
