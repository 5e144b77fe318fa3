"""Points of machines, and queries for one device, for the tests of time series."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from stores.contracts.series import MACHINE, SECOND, Point, Value, WritableSeriesStore
from tests.schema.client import Client

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
DAY = 24 * HOUR
NOW = time.time_ns()


def put(
    measurement: str, machine: str, at: int, tags: dict[str, str] | None = None, **fields: Value
) -> Point:
    named = {**(tags or {}), MACHINE: machine}
    return Point(measurement, tuple(sorted(named.items())), fields, at)


def iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).isoformat()


async def write(series: WritableSeriesStore, points: Sequence[Point], database: str = "machines") -> None:
    assert not any(await series.write(database, points))


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
