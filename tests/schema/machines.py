"""Points of machines, and queries for one device, for the tests of time series."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from stores.contracts.samples import MACHINE, SECOND, Point, Value
from stores.contracts.series import WritableSeriesStore
from stores.entities.series_layout import SeriesLayout
from stores.wrappers.counting import CallCounter
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.schema.client import Client

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
DAY = 24 * HOUR
NOW = time.time_ns()
SIX = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND


def put(
    measurement: str, machine: str, at: int, tags: dict[str, str] | None = None, **fields: Value
) -> Point:
    named = {**(tags or {}), MACHINE: machine}
    return Point(measurement, tuple(sorted(named.items())), fields, at)


def iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).isoformat()


class PlantSeries(WrappedWritableSeriesStore):
    """The embedded store, and the database in it of the tested organization."""

    def __init__(self, store: WritableSeriesStore, organization: str) -> None:
        super().__init__(store, CallCounter())
        self.database_of_plant = SeriesLayout().find_location(organization).database


async def write(series: WritableSeriesStore, points: Sequence[Point], database: str | None = None) -> None:
    """Write into the database of the tested organization, or into another."""
    assert isinstance(series, PlantSeries)
    assert not any(await series.write(database or series.database_of_plant, points))


async def device(client: Client, organization: str, selection: str, **variables: Any) -> Any:
    query = (
        'query($o: String!) { device(organizationId: $o, applicationId: "cnc",'
        f' machineId: "M0") {{ {selection} }} }}'
    )
    answer = await client.run(query, o=organization, **variables)
    return answer["device"]


async def refused(client: Client, organization: str, selection: str) -> dict[str, Any]:
    query = (
        'query($o: String!) { device(organizationId: $o, applicationId: "cnc",'
        f' machineId: "M0") {{ {selection} }} }}'
    )
    extensions: dict[str, Any] = (await client.fail(query, o=organization))["extensions"]
    return extensions
