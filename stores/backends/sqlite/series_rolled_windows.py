"""How windows of whole hours are aggregated from hourly rollups, and from samples where there are none."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from stores.backends.sqlite.series_rollups import COLUMNS, ONE_SERIES, SEVERAL_SERIES, select_rollup
from stores.backends.sqlite.series_schema import HOUR, StoredSeries
from stores.contracts.samples import Cell, Kind
from stores.contracts.series_queries import INTEGRAL, AggregateFunction

Hours = tuple[int, int]  # the first of some hours, and the first one after them
OVERFLOW = "9e999"  # infinity, in place of the null that SQLite makes of opposite infinite numbers


@dataclass(frozen=True, slots=True)
class RolledWindows:
    """Aggregates windows of series of one machine and one field, and so of one kind."""

    db: apsw.Connection
    group: Sequence[StoredSeries]
    function: AggregateFunction

    def aggregate(self, origin: int, width: int, first: int, end: int) -> Iterable[Cell]:
        """Return the cells from index `first` until before `end` of windows whose hours are all rolled up.

        The window with index 0 starts in the hour `origin`; the windows have a width of some hours.
        """
        if width == 1 and len(self.group) == 1 and self.function != "stddev":
            columns = ", ".join(_select_of_one(self.function, self._kind))  # the cells are the rollups
            sql = f"SELECT hour - ?2, {columns} FROM rollups WHERE {ONE_SERIES} AND hour >= ?3 AND hour < ?4"
            hours = origin + first, origin + end
            return self._read(self.db.execute(sql, (self._bound_series, origin, *hours)).fetchall())
        hours_of_window = "hour >= ?2 + i * ?3 AND hour < ?2 + (i + 1) * ?3"
        source = f"(SELECT {COLUMNS} FROM rollups WHERE {self._among} AND {hours_of_window})"
        values = ", ".join(_select_of_several(self.function, self._kind, source))
        sql = f"""WITH RECURSIVE indexes(i) AS (VALUES (?4) UNION ALL SELECT i + 1 FROM indexes WHERE i < ?5)
            SELECT i, {values} FROM indexes"""
        rows = self.db.execute(sql, (self._bound_series, origin, width, first, end - 1))
        return self._read([row for row in rows if row[1] is not None])

    def aggregate_cut(self, index: int, start: int, stop: int, rolled: Hours) -> Iterable[Cell]:
        """Return the cell of the samples with `start <= time < stop`, if there are any.

        The hours `rolled` of this range are rolled up. What is before and after them is read from samples.
        """
        parts = f"""SELECT {COLUMNS} FROM rollups WHERE {self._among} AND hour >= ?2 AND hour < ?3
            UNION ALL {select_rollup(self._kind, "?4", "?5", self._among)}
            UNION ALL {select_rollup(self._kind, "?6", "?7", self._among)}"""
        values = ", ".join(_select_of_several(self.function, self._kind, "parts"))
        sql = f"WITH parts AS ({parts}) SELECT ?8, {values}"
        samples = start, rolled[0] * HOUR, rolled[1] * HOUR, stop
        rows = self.db.execute(sql, (self._bound_series, *rolled, *samples, index))
        return self._read([row for row in rows if row[1] is not None])

    @property
    def _kind(self) -> Kind:
        return self.group[0].kind

    @property
    def _among(self) -> str:
        return ONE_SERIES if len(self.group) == 1 else SEVERAL_SERIES

    @property
    def _bound_series(self) -> int | str:
        numbers = [series.number for series in self.group]
        return numbers[0] if len(numbers) == 1 else json.dumps(numbers)

    def _read(self, rows: list[Any]) -> Iterable[Cell]:
        """Return the cells of rows: the rows themselves if their values are final."""
        integral = self._kind in INTEGRAL
        if self.function == "sum" and integral:
            return ((i, (upper << 32) + lower) for i, upper, lower in rows)
        if self.function == "stddev":
            return ((i, math.sqrt(variance)) for i, variance in rows)
        if self.function in ("first", "last"):
            return ((i, self.group[0].value(value)) for i, value in rows)
        if self.function in ("min", "max") and integral:
            return ((i, int(value)) for i, value in rows)
        return rows


def _divide_integers(upper: str, lower: str, count: str) -> str:
    """Return the mean from both parts of an exact sum: each term is an exact float."""
    return f"(({upper} + ({lower} >> 32)) * 4294967296.0 + ({lower} & 4294967295)) / {count}"


def _select_mean(kind: Kind, column: str) -> str:
    """Return the expression for a mean; `column` is `%s` in rows, or the aggregate of several of them."""
    upper, lower, count = (column % name for name in ("sum", "low", "n"))
    if kind in INTEGRAL:
        return _divide_integers(upper, lower, count)
    return f"coalesce({upper}, {OVERFLOW}) / {count}"


def _select_of_one(function: AggregateFunction, kind: Kind) -> list[str]:
    """Return the columns of a rollup that are the value of a function, or the parts of it."""
    match function:
        case "count":
            return ["n"]
        case "mean":
            return [_select_mean(kind, "%s")]
        case "sum" if kind in INTEGRAL:
            return ["sum", "low"]
        case _:
            return [function]


def _select_of_several(function: AggregateFunction, kind: Kind, source: str) -> list[str]:
    """Return the expressions for the value of the rollups in `source`, or for the parts of it."""
    mean = _select_mean(kind, "sum(%s)")
    match function:
        case "first" | "last":
            order = "first_time" if function == "first" else "last_time DESC"
            return [f"(SELECT {function} FROM {source} ORDER BY {order}, {function} DESC LIMIT 1)"]
        case "stddev":  # the squares of the deviations from the common mean
            shift = f"({_select_mean(kind, '%s')} - common)"
            squares = f"coalesce(sum(squares + n * {shift} * {shift}), {OVERFLOW})"
            means = f"(SELECT {mean} AS common FROM {source})"
            return [f"(SELECT {squares} / nullif(sum(n) - 1, 0) FROM {source}, {means})"]
        case "sum" if kind in INTEGRAL:
            return [f"(SELECT sum({part}) FROM {source})" for part in ("sum", "low")]
        case "sum":
            return [f"(SELECT coalesce(sum(sum), {OVERFLOW} * sum(n)) FROM {source})"]
        case "count":
            return [f"(SELECT sum(n) FROM {source})"]
        case "mean":
            return [f"(SELECT {mean} FROM {source})"]
        case _:
            return [f"(SELECT {function}({function}) FROM {source})"]
