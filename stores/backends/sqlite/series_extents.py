"""Which series machines have in the embedded time-series store."""

import json
from collections.abc import Sequence

import apsw

from stores.backends.sqlite.series_queries import HAS_TAG
from stores.backends.sqlite.series_schema import StoredSeries
from stores.contracts.extents import ExtentQuery, SeriesExtent, make_too_many_series_error

# Both are a search in the primary key: the cost of a series does not depend on its samples.
EDGE = "SELECT %s(time) FROM samples WHERE series = number AND time >= ?1 AND time < ?2"


def read_extents(
    db: apsw.Connection, databases: Sequence[str], query: ExtentQuery, limit: int
) -> list[SeriesExtent]:
    """See `SeriesDatabase.extents`."""
    condition = """database IN (SELECT value FROM json_each(?3))
        AND machine IN (SELECT value FROM json_each(?4))"""
    values = [query.start, query.stop, json.dumps(list(databases)), json.dumps(list(query.machines))]
    if query.fields is not None:
        pairs = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?5)"
        condition += f" AND (measurement, field) IN ({pairs})"
        values.append(json.dumps(list(query.fields)))
    for tag, allowed in query.where:
        condition += f" AND {HAS_TAG}"
        values += [tag, json.dumps(allowed)]
    sql = f"""SELECT measurement, ({EDGE % "min"}) AS first, ({EDGE % "max"}),
        number, machine, field, kind, tags FROM series WHERE {condition} AND first IS NOT NULL"""
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
