"""Which series machines have in the embedded time-series store."""

import json
from collections.abc import Sequence

import apsw

from stores.backends.sqlite.series_queries import HAS_TAG
from stores.backends.sqlite.series_schema import HOUR, StoredSeries
from stores.contracts.extents import ExtentQuery, SeriesExtent, make_too_many_series_error

# Each is a search in a primary key: the cost of a series does not depend on its samples. Rollups tell of
# samples that the retention has deleted.
SAMPLE = "SELECT {}(time) FROM samples WHERE series = number AND time >= ?1 AND time < ?2"
ROLLUP = """SELECT {0}_time FROM rollups WHERE series = number AND hour >= ?3 AND hour <= ?4
    AND {0}_time >= ?1 AND {0}_time < ?2 ORDER BY hour {1} LIMIT 1"""
EDGES = f"""({SAMPLE.format("min")}) AS s, ({SAMPLE.format("max")}) AS z,
    ({ROLLUP.format("first", "ASC")}) AS r, ({ROLLUP.format("last", "DESC")}) AS e"""


def read_extents(
    db: apsw.Connection, databases: Sequence[str], query: ExtentQuery, limit: int
) -> list[SeriesExtent]:
    """See `SeriesDatabase.extents`."""
    condition = """database IN (SELECT value FROM json_each(?5))
        AND machine IN (SELECT value FROM json_each(?6))"""
    values: list[int | str] = [query.start, query.stop, query.start // HOUR, query.stop // HOUR]
    values += [json.dumps(list(databases)), json.dumps(list(query.machines))]
    if query.fields is not None:
        pairs = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?7)"
        condition += f" AND (measurement, field) IN ({pairs})"
        values.append(json.dumps(list(query.fields)))
    for tag, allowed in query.where:
        condition += f" AND {HAS_TAG}"
        values += [tag, json.dumps(allowed)]
    index = "series_of_machine" if query.fields is None else "series_by_machine"
    sql = f"""WITH edges AS MATERIALIZED (
            SELECT *, {EDGES} FROM series INDEXED BY {index} WHERE {condition})
        SELECT measurement, min(coalesce(s, r), coalesce(r, s)), max(coalesce(z, e), coalesce(e, z)),
            number, machine, field, kind, tags FROM edges WHERE coalesce(s, r) IS NOT NULL"""
    extents: list[SeriesExtent] = []
    for measurement, first, last, *row in db.execute(sql, values):
        series = StoredSeries(*row)
        if len(extents) == limit:
            raise make_too_many_series_error(limit)
        extents.append(
            SeriesExtent(
                series.machine or "", measurement, series.field, series.kind, series.identify(), first, last
            )
        )
    return extents
