"""What the tests of InfluxDB 2 share: its stores, points, and every call of a database."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from stores.backends.influx.influx2 import Influx2SeriesStore
from stores.contracts.areas import AreaRule
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Point, Value
from stores.contracts.series import SeriesDatabase, SeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Windows
from stores.wrappers.deadline import Deadline
from stores.wrappers.series import WrappedSeriesStore
from tests.contract.series_stores import over, read_last
from tests.servers import InfluxDB2

DEADLINE = 1.0
T = 1_772_452_800 * SECOND
MINUTE = Windows((T, T + 60 * SECOND), 60 * SECOND)


def point(at: int, machine: str | None = "M1", **fields: Value) -> Point:
    return Point("state", ((MACHINE, machine),) if machine else (), fields, at)


@asynccontextmanager
async def opened(server: InfluxDB2) -> AsyncIterator[Influx2SeriesStore]:
    store = Influx2SeriesStore(server.url, server.token, server.org)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_with_deadline(server: InfluxDB2, url: str | None = None) -> AsyncIterator[SeriesStore]:
    store = Influx2SeriesStore(url or server.url, server.token, server.org)
    try:
        yield WrappedSeriesStore(store, Deadline("time-series store", DEADLINE))
    finally:
        await store.close()


def every_call(series: SeriesDatabase, machine: str = "M1") -> list[Awaitable[object]]:
    sources = [Source("state", "power")]
    return [
        series.catalogue(),
        series.latest(SeriesQuery("state", ["power"], [machine])),
        series.points(SeriesQuery("state", ["power"], [machine], 0, END_OF_TIME), 10),
        series.changes(SeriesQuery("state", ["power"], [machine], 0, END_OF_TIME), 10),
        series.windows(
            over(MINUTE, "state", ["power"], [machine]),
            MINUTE,
            Aggregation("mean"),
        ),
        series.areas(over(MINUTE, "state", ["power"], [machine]), MINUTE, AreaRule()),
        read_last(series, SourceQuery(sources, None, 0, END_OF_TIME), 5),
        read_last(series, SourceQuery(sources, [machine], 0, END_OF_TIME), 5),
        series.counts(SourceQuery(sources, None, 0, END_OF_TIME)),
        series.machines_with(SourceQuery([Source("state", "power")], None, 0, END_OF_TIME)),
        series.machines(0, END_OF_TIME),
    ]
