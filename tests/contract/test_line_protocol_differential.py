"""Generated bodies are sent to InfluxDB 2's own server and to the gateway: both accept and store the same."""

import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from schema.server.ingest_parsing import PointBody
from stores.backends.influx import flux
from stores.backends.influx.influx2 import Influx2SeriesStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.backends.sqlite.series_schema import CONVERT
from stores.contracts.samples import Kind, Value
from tests.contract.line_protocol_bodies import UNITS, BodyGenerator
from tests.contract.series_stores import make_bucket
from tests.randomized import FACTOR
from tests.servers import InfluxDB2
from tests.serving import open_client

BODIES = 500 * FACTOR
BATCH = 50  # bodies that are written into one bucket and then compared
UNREADABLE_MEASUREMENT = re.compile(r'\\[, ="]')
UNREADABLE_TAG = re.compile(r"^=|\\[,=]")
HOUR = 3600 * 1_000_000_000
COLUMNS = {"result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement", ""}
Stored = dict[tuple[str, tuple[tuple[str, str], ...], str, int], tuple[Kind, Value]]


@pytest.fixture
async def client(influxdb2_server: InfluxDB2) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Token {influxdb2_server.token}"}
    async with open_client(influxdb2_server.url, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.randomized
async def test_the_gateway_accepts_and_stores_what_influxdb_does(
    influxdb2_server: InfluxDB2, client: httpx.AsyncClient, tmp_path: Path, seeded_random: Random
) -> None:
    store = SqliteSeriesStore(tmp_path / "series.db")
    generator = BodyGenerator(seeded_random)
    for start in range(0, BODIES, BATCH):
        bucket = uuid.uuid4().hex
        await make_bucket(influxdb2_server, bucket)
        bodies = [
            (generator.make_body(f"m{n}"), seeded_random.choice(list(UNITS)))
            for n in range(start, start + BATCH)
        ]
        for body, precision in bodies:
            parameters = {"bucket": bucket, "org": influxdb2_server.org, "precision": precision}
            response = await send(client, parameters, body)
            status = await write(store, bucket, body, UNITS[precision])
            assert status == response.status_code, (body, precision, response.text)
        expected = await read_influxdb(influxdb2_server, bucket)
        stored = await read_gateway(store, bucket)
        assert normalize(stored) == normalize(expected)
    await store.close()


async def send(client: httpx.AsyncClient, parameters: dict[str, str], body: str) -> httpx.Response:
    """The server's answer. On a busy machine it may time out; to send a body again changes nothing."""
    for _ in range(5):
        response = await client.post("/api/v2/write", params=parameters, content=body.encode())
        if response.status_code != 500 or "timeout" not in response.text:
            break
    return response


async def write(store: SqliteSeriesStore, database: str, body: str, unit: int) -> int:
    """Write a body as the endpoint does. Return the status."""
    points = PointBody(unit)
    points.decode(body.encode(), "identity")
    findings, list_batches = points.check()
    if findings.invalid.count:
        return 400
    rejected = findings.rejected.count
    for batch in list_batches():
        reasons = await store.write(database, [line.point for line in batch if line.point is not None])
        rejected += sum(reason is not None for reason in reasons)
    return 422 if rejected else 204


async def read_gateway(store: SqliteSeriesStore, database: str) -> Stored:
    sql = """SELECT measurement, tags, field, kind, time, value FROM series JOIN samples ON series = number
        WHERE database = ?"""
    rows: list[Any] = await store.read(lambda db: db.execute(sql, (database,)).fetchall())
    stored: Stored = {}
    for measurement, tags, field, kind, at, value in rows:
        key = measurement, tuple(sorted(json.loads(tags).items())), field, at
        stored[key] = kind, CONVERT[kind](value) if kind in CONVERT else value
    return stored


async def read_influxdb(server: InfluxDB2, bucket: str) -> Stored:
    influxdb = Influx2SeriesStore(server.url, server.token, server.org)
    script = flux.Script(bucket)
    rows = await influxdb.client.query(script.read(flux.EARLIEST, flux.LATEST, "true"), script.values)
    await influxdb.close()
    stored: Stored = {}
    for row in rows:
        tags = tuple(
            sorted((name, value) for name, value in row.columns.items() if name not in COLUMNS and value)
        )
        stored[row.columns["_measurement"], tags, row.columns["_field"], row.time] = row.kind, row.value
    return stored


def normalize(stored: Stored) -> Stored:
    """Both have a clock of their own, and the server's CSV loses carriage returns.

    The server accepts tag values that begin with an equals sign, and names with a backslash before a
    delimiter or a quote, but it does not find these points.
    """
    now = time.time_ns()
    normalized: Stored = {}
    for (measurement, tags, field, at), (kind, value) in stored.items():
        if UNREADABLE_MEASUREMENT.search(measurement):
            continue
        if any(UNREADABLE_TAG.search(text) for pair in tags for text in pair):
            continue
        pairs = tuple((remove_returns(name), remove_returns(tag)) for name, tag in tags)
        key = remove_returns(measurement), pairs, remove_returns(field), 0 if abs(at - now) < HOUR else at
        normalized[key] = kind, remove_returns(value) if isinstance(value, str) else value
    return normalized


def remove_returns(text: str) -> str:
    return text.replace("\r", "")
