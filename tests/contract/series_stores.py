"""The time-series stores that the contract is tested on, each with a database of its own for every test."""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from stores.contracts.samples import ByMachine, Cell, Occurrence, Point, Sample, Unsigned, Value
from stores.contracts.series import SeriesDatabase, SeriesStore, WritableSeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, SourceQuery, Windows
from stores.opening import open_series
from tests.patience import BUSY_S
from tests.servers import InfluxDB2, InfluxDB3
from tests.serving import open_client

STORES = ("sqlite", "influxdb3", "influxdb2")
Put = Callable[..., Awaitable[None]]


@dataclass
class Written:
    """A store, one of its databases, and how points come into it."""

    store: SeriesStore
    series: SeriesDatabase
    put: Put
    make_other: Callable[[], Awaitable[SeriesDatabase]]  # another database, which is empty


def over(windows: Windows, measurement: str, fields: Sequence[str], machines: Sequence[str]) -> SeriesQuery:
    """Return the query for the range that windows cover."""
    return SeriesQuery(measurement, fields, machines, windows.edges[0], windows.edges[-1])


async def read_points(series: SeriesDatabase, query: SeriesQuery, limit: int) -> ByMachine[list[Sample]]:
    """Return the samples of all series of a machine together, oldest first."""
    points = await series.points(query, limit)
    return {
        machine: {field: sorted(chain.from_iterable(by_tags.values())) for field, by_tags in by_field.items()}
        for machine, by_field in points.items()
    }


async def read_windows(
    series: SeriesDatabase, query: SeriesQuery, windows: Windows, aggregation: Aggregation
) -> ByMachine[list[Cell]]:
    """Return the windows of an aggregation without `by`."""
    cells = await series.windows(query, windows, aggregation)
    assert all(set(by_tags) == {()} for by_field in cells.values() for by_tags in by_field.values())
    return {
        machine: {field: by_tags[()] for field, by_tags in by_field.items()}
        for machine, by_field in cells.items()
    }


async def read_last(series: SeriesDatabase, query: SourceQuery, limit: int) -> list[Occurrence]:
    """Return the page of one query."""
    [page] = await series.last([query], limit)
    return page


def line(point: Point) -> str:
    """A point in line protocol."""
    tags = "".join(f",{_name(name)}={_name(value)}" for name, value in point.tags)
    fields = ",".join(f"{_name(name)}={_literal(value)}" for name, value in point.fields.items())
    measurement = re.sub(r"([, ])", r"\\\1", point.measurement)
    return f"{measurement}{tags} {fields} {point.time}"


def _name(name: str) -> str:
    return re.sub(r"([,= ])", r"\\\1", name)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Unsigned):
        return f"{value}u"
    return f"{value}i" if isinstance(value, int) else repr(value)


@pytest.fixture(params=STORES)
async def written(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Written]:
    database = f"d{uuid.uuid4().hex[:12]}"
    if request.param == "sqlite":
        embedded = open_series(None, data=tmp_path)
        assert isinstance(embedded, WritableSeriesStore)

        async def put(*points: Point) -> None:
            assert not any(await embedded.write(database, points))

        store: SeriesStore = embedded
    else:
        server = request.getfixturevalue(f"{request.param}_server")
        prefix, org = ("influxdb2+", server.org) if request.param == "influxdb2" else ("", "")
        store = open_series(prefix + server.url, data=tmp_path, token=server.token, org=org, deadline=BUSY_S)

        async def put(*points: Point) -> None:
            await send(server, database, points)

        await create(server, database)

    async def make_other() -> SeriesDatabase:
        if request.param != "sqlite":
            await create(server, f"other-{database}")
        return store.database(f"other-{database}")

    yield Written(store, store.database(database), put, make_other)
    await store.close()


async def send(server: InfluxDB2 | InfluxDB3, database: str, points: Sequence[Point]) -> None:
    if isinstance(server, InfluxDB3):
        path = f"/api/v3/write_lp?db={database}&precision=nanosecond"
    else:
        path = f"/api/v2/write?bucket={database}&org={server.org}&precision=ns"
    body = "\n".join(map(line, points)).encode()
    async with open_client(server.url, headers=_headers(server)) as client:
        response = await client.post(path, content=body, timeout=60)
        assert response.status_code == 204, response.text


async def make_bucket(server: InfluxDB2, name: str) -> None:
    async with open_client(server.url, headers=_headers(server)) as client:
        organizations = await client.get("/api/v2/orgs", params={"org": server.org}, timeout=60)
        body = {"orgID": organizations.json()["orgs"][0]["id"], "name": name, "retentionRules": []}
        created = await client.post("/api/v2/buckets", json=body, timeout=60)
        assert created.status_code == 201, created.text


async def create(server: InfluxDB2 | InfluxDB3, database: str) -> None:
    """Create a database, or a bucket."""
    if isinstance(server, InfluxDB2):
        await make_bucket(server, database)
    else:
        await make_database(server, database)


async def make_database(server: InfluxDB3, name: str) -> None:
    async with open_client(server.url, headers=_headers(server)) as client:
        created = await client.post("/api/v3/configure/database", json={"db": name}, timeout=60)
        assert created.status_code in (200, 201, 204), created.text


def _headers(server: InfluxDB2 | InfluxDB3) -> dict[str, str]:
    return {"Authorization": f"Token {server.token}"} if server.token else {}
