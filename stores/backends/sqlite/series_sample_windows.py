"""How SQLite aggregates the samples of windows."""

import math
from collections.abc import Iterator, Sequence

import apsw

from stores.backends.sqlite.series_schema import StoredSeries
from stores.contracts.samples import Cell
from stores.contracts.series_queries import INTEGRAL, Aggregation

SQL_FUNCTIONS = {"mean": "avg", "count": "count"}


# Long because each aggregate function has a statement of its own.
def aggregate_samples(  # noqa: C901 - one case for each function
    db: apsw.Connection,
    group: Sequence[StoredSeries],
    start: int,
    stop: int,
    origin: int,
    step: int,
    aggregation: Aggregation,
) -> Iterator[Cell]:
    """Yield the cells of windows of one width; index 0 is the window that starts at `origin`."""
    first = group[0]
    rows = f"""SELECT (time - {origin}) / {step} AS n, time, value FROM samples
        WHERE series IN ({",".join(str(series.number) for series in group)}) AND time >= ? AND time < ?
        AND {first.condition}"""
    match aggregation.function:
        case "mean" | "count":
            function = SQL_FUNCTIONS[aggregation.function]
            sql = f"SELECT n, {function}(value) FROM ({rows}) GROUP BY n ORDER BY n"
            yield from db.execute(sql, (start, stop))
        case "min" | "max":
            sql = f"SELECT n, {aggregation.function}(value) FROM ({rows}) GROUP BY n ORDER BY n"
            for index, value in db.execute(sql, (start, stop)):
                yield index, int(value) if first.kind == "unsigned" else value
        case "sum" if first.kind in INTEGRAL:
            yield from _sum_integers(db, rows, start, stop)
        case "sum":
            sql = f"SELECT n, total(value) FROM ({rows}) GROUP BY n ORDER BY n"
            yield from db.execute(sql, (start, stop))
        case "first" | "last":
            extreme = "min(time)" if aggregation.function == "first" else "max(time)"
            sql = f"""WITH r AS MATERIALIZED ({rows}), e AS (SELECT n, {extreme} AS time FROM r GROUP BY n)
                SELECT n, max(r.value) FROM e JOIN r USING (n, time) GROUP BY n ORDER BY n"""
            for index, value in db.execute(sql, (start, stop)):
                yield index, first.value(value)
        case "stddev":
            means = f"SELECT n, value, avg(value) OVER (PARTITION BY n) AS mean FROM ({rows})"
            sql = f"""SELECT n, total((value - mean) * (value - mean)) / (count(*) - 1) FROM ({means})
                GROUP BY n HAVING count(*) > 1 ORDER BY n"""
            for index, variance in db.execute(sql, (start, stop)):
                yield index, math.sqrt(variance)
        case "quantile":
            ranked = f"""SELECT n, value, row_number() OVER (PARTITION BY n ORDER BY value) AS rank,
                count(*) OVER (PARTITION BY n) AS size FROM ({rows})"""
            q = aggregation.q or 0.0
            # The rank is ceil(q * size); SQLite narrows it down to its neighbours.
            sql = f"SELECT n, value, rank, size FROM ({ranked}) WHERE abs(rank - ? * size) <= 1 ORDER BY n"
            for index, value, rank, size in db.execute(sql, (start, stop, q)):
                if rank == max(1, math.ceil(q * size)):
                    yield index, int(value) if first.kind in INTEGRAL else value


def _sum_integers(db: apsw.Connection, rows: str, start: int, stop: int) -> Iterator[Cell]:
    """Yield exact sums. They may exceed 64 bits, so the parts of each value are summed separately.

    The parts of an integer are its upper and lower 32 bits. Those of a string, which is an unsigned integer
    of 64 bits, are its first and last ten digits.
    """
    integer, string = "typeof(value) = 'integer'", "typeof(value) = 'text'"
    sql = f"""SELECT n,
        sum(value >> 32) FILTER (WHERE {integer}), sum(value & 4294967295) FILTER (WHERE {integer}),
        sum(CAST(substr(value, 1, 10) AS INTEGER)) FILTER (WHERE {string}),
        sum(CAST(substr(value, 11) AS INTEGER)) FILTER (WHERE {string})
        FROM ({rows}) GROUP BY n ORDER BY n"""
    for index, high, low, first_digits, last_digits in db.execute(sql, (start, stop)):
        yield index, ((high or 0) << 32) + (low or 0) + (first_digits or 0) * 10**10 + (last_digits or 0)
