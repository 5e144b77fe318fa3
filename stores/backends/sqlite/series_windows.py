"""How the samples of windows are aggregated: from hourly rollups where that is possible."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import apsw

from stores.backends.sqlite.series_rolled_windows import Hours, RolledWindows
from stores.backends.sqlite.series_sample_windows import aggregate_samples
from stores.backends.sqlite.series_schema import FIRST_HOUR, HOUR, StoredSeries
from stores.contracts.counters import CounterRule
from stores.contracts.errors import make_points_deleted_error
from stores.contracts.samples import Cell
from stores.contracts.series import CellRule
from stores.contracts.series_queries import Aggregation, SeriesQuery, Span, Windows


@dataclass(frozen=True, slots=True)
class WindowQuery:
    """The windows of a range that are aggregated, of any series. `spans` are those of the windows."""

    start: int
    stop: int
    windows: Windows
    spans: Sequence[Span]
    aggregation: Aggregation

    @classmethod
    def of(cls, query: SeriesQuery, windows: Windows, aggregation: Aggregation) -> "WindowQuery":
        return cls(query.start, query.stop, windows, windows.spans(), aggregation)

    @property
    def can_be_rolled(self) -> bool:
        """Whether rollups answer it: all windows have whole hours."""
        return self.aggregation.function != "quantile" and not any(
            span.start % HOUR or span.width % HOUR for span in self.spans
        )

    @property
    def is_one_window(self) -> bool:
        """Whether the range is one window of any length, of whose hours there are rollups."""
        edges = self.windows.edges
        covers_range = edges[0] <= self.start and self.stop <= edges[1]
        return self.aggregation.function != "quantile" and len(edges) == 2 and covers_range


def are_rolled(query: SeriesQuery, windows: Windows, rule: CellRule) -> bool:
    """Return whether windows are made of rollups, as far as they are of hours that are over."""
    if isinstance(rule, CounterRule):
        return False
    aggregation = rule if isinstance(rule, Aggregation) else Aggregation("sum")
    shape = WindowQuery.of(query, windows, aggregation)
    return shape.can_be_rolled or shape.is_one_window


def aggregate(db: apsw.Connection, group: Sequence[StoredSeries], query: WindowQuery) -> list[Cell]:
    """Return the windows that have samples of any series of the group, and their aggregated values.

    The series are of one machine and one field, and so of one kind. Raises `BadUserInput` if samples that the
    retention has deleted would be needed. Only the hours in which a range begins and ends are left out then.
    """
    first, end = max(-(-query.start // HOUR), FIRST_HOUR), query.stop // HOUR
    rolled = first, min([end, *(series.rolled_until for series in group)])
    cells: list[Cell] = []
    for span in query.spans:
        if span.start >= query.stop or span.stop <= query.start:
            continue
        if query.can_be_rolled and rolled[0] < rolled[1]:
            cells += _aggregate_rolled(db, group, query, span, rolled)
        elif query.is_one_window and rolled[0] < rolled[1]:
            start, stop = max(query.start, span.start), min(query.stop, span.stop)
            source = RolledWindows(db, group, query.aggregation.function)
            cells += source.aggregate_cut(0, start, stop, rolled)
        else:
            require_samples(db, group, max(query.start, span.start), min(query.stop, span.stop))
            cells += _aggregate_samples(db, group, query, span)
    return cells


def _aggregate_rolled(
    db: apsw.Connection, group: Sequence[StoredSeries], query: WindowQuery, span: Span, rolled: Hours
) -> list[Cell]:
    """Return the cells of a span of whole hours. The hours `rolled` of the range are rolled up.

    At most two windows are partly in these hours: the one that the range cuts at its start, and the last.
    """
    width = span.width // HOUR
    origin = span.start // HOUR - span.first * width  # the hour in which the window with index 0 would start
    first = span.first + max(query.start - span.start, 0) // span.width
    end = span.first + -(-(min(query.stop, span.stop) - span.start) // span.width)
    end_rolled = max(first, min(end, -((origin - rolled[1]) // width)))
    first_whole = min(max(first, -((origin - rolled[0]) // width)), end_rolled)
    end_whole = max(first_whole, min(end_rolled, (rolled[1] - origin) // width))
    source = RolledWindows(db, group, query.aggregation.function)

    def aggregate_cut(index: int) -> Iterable[Cell]:
        hours = origin + index * width, origin + (index + 1) * width
        start, stop = max(query.start, hours[0] * HOUR), min(query.stop, hours[1] * HOUR)
        inside = max(rolled[0], hours[0]), min(rolled[1], hours[1])
        return source.aggregate_cut(index, start, stop, inside)

    cells = list(chain.from_iterable(map(aggregate_cut, range(first, first_whole))))
    if first_whole < end_whole:
        cells += source.aggregate(origin, width, first_whole, end_whole)
    cells += chain.from_iterable(map(aggregate_cut, range(end_whole, end_rolled)))
    if end_rolled < end:
        cells += _aggregate_samples(db, group, query, span, end_rolled - span.first)
    return cells


def _aggregate_samples(
    db: apsw.Connection, group: Sequence[StoredSeries], query: WindowQuery, span: Span, skipped: int = 0
) -> Iterator[Cell]:
    """Yield the cells of a span without the first `skipped` windows, from samples alone."""
    origin = span.start + skipped * span.width
    start, stop = max(query.start, origin), min(query.stop, span.stop)
    cells = aggregate_samples(db, group, start, stop, origin, span.width, query.aggregation)
    first = span.first + skipped
    return ((first + index, value) for index, value in cells) if first else cells


def require_samples(db: apsw.Connection, group: Sequence[StoredSeries], start: int, stop: int) -> None:
    """Raise an error if samples with `start <= time < stop` were deleted, of which there are rollups."""
    sql = "SELECT 1 FROM rollups WHERE series = ? AND hour >= ? AND hour < ? LIMIT 1"
    for series in group:
        end = min(stop, series.points_from)
        if start < end and db.execute(sql, (series.number, start // HOUR, -(-end // HOUR))).get:
            raise make_points_deleted_error(series.points_from)
