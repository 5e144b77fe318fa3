"""Points written to the embedded store by the clients that write to InfluxDB."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from influxdb_client import InfluxDBClient, Point, WritePrecision  # type: ignore[attr-defined]  # no types
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from resolvers.api_keys import KeySpec, create_api_key
from schema.server import ingest, ingest_parsing
from schema.server.app import create_app
from schema.server.settings import Settings
from tests.servers import InfluxDB3
from tests.serving import open_client, served

TOKEN = "writers-token"
WRITE = "/api/v2/write?bucket=machines&precision=ns"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    settings = Settings.model_validate(
        {"data": tmp_path, "series": {"token": TOKEN, "databases": {"acme": "acme_machines"}}}
    )
    app = create_app(settings)
    async with served(app) as url:
        yield url


@pytest.fixture
async def writer(url: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Token {TOKEN}"}
    async with open_client(url, headers=headers) as client:
        yield client


async def latest(writer: httpx.AsyncClient, machine: str, measurement: str, field: str) -> Any:
    query = "query($m: String!, $n: String!, $f: String!) { machine(machineId: $m) {"
    query += " latest(measurement: $n, field: $f) { time value } } }"
    body = {"query": query, "variables": {"m": machine, "n": measurement, "f": field}}
    answer = (await writer.post("/graphql", json=body)).json()
    assert "errors" not in answer, answer
    return answer["data"]["machine"]["latest"]


@pytest.mark.parametrize(("precision", "digits"), [("s", 0), ("ms", 3), ("us", 6), ("ns", 9)])
async def test_the_client_library_writes_in_every_precision(
    url: str, writer: httpx.AsyncClient, precision: WritePrecision, digits: int
) -> None:
    at = 1_790_000_000 * 10**digits + 10**digits // 8
    async with InfluxDBClientAsync(url, TOKEN, "any", enable_gzip=True) as client:
        assert await client.ping()
        point: Any = Point
        point = point("state").tag("machine_id", "M 1").field("power", True).time(at, precision)
        await client.write_api().write("machines", record=point, write_precision=precision)
    sample = await latest(writer, "M 1", "state", "power")
    assert sample["value"] is True
    assert sample["time"] == {0: "2026-09-21T14:13:20.000Z"}.get(digits, "2026-09-21T14:13:20.125Z")


async def test_the_synchronous_client_writes_many_points(url: str, writer: httpx.AsyncClient) -> None:
    def write() -> None:
        with InfluxDBClient(url, TOKEN, org="any") as client:
            records = [f"production,machine_id=M{n % 5} pieces_produced={n}i {n + 1}" for n in range(3000)]
            api = client.write_api(write_options=SYNCHRONOUS)
            api.write("machines", record=records, write_precision="ns")
            with pytest.raises(ApiException) as refused:
                api.write("machines", record="state,machine_id=M1")
            assert refused.value.status == 400
            api.close()

    await asyncio.to_thread(write)
    assert (await latest(writer, "M4", "production", "pieces_produced"))["value"] == 2999


@pytest.mark.parametrize(
    ("content", "headers", "path", "status", "code"),
    [
        (b"state f=1\nno fields here\nstate f=2", {}, WRITE, 400, "invalid"),
        (b"state f=1 1\r\n", {}, WRITE, 400, "invalid"),
        (b"state f=1", {}, WRITE.replace("machines", "config"), 404, "not found"),
        (b"state f=1", {}, WRITE.replace("ns", "weeks"), 400, "invalid"),
        (b"state f=1", {"Authorization": "Token wrong"}, WRITE, 401, "unauthorized"),
        (b"state f=1", {"Authorization": ""}, WRITE, 401, "unauthorized"),
        (b"state f=1", {"Origin": "https://page.example"}, WRITE, 403, "forbidden"),
        (b"state f=1", {"Content-Encoding": "br"}, WRITE, 415, "invalid"),
        (b"state f=1", {"Content-Type": "text/plain; charset=latin-1"}, WRITE, 415, "invalid"),
        (b"state f=1", {"Content-Encoding": "gzip"}, WRITE, 400, "invalid"),
        (gzip.compress(b"state f=1", mtime=0)[:-4], {"Content-Encoding": "gzip"}, WRITE, 400, "invalid"),
        (
            gzip.compress(b"state f=1", mtime=0) + b"state f=2",
            {"Content-Encoding": "gzip"},
            WRITE,
            400,
            "invalid",
        ),
        (
            gzip.compress(b"# " + b"x" * 2_000_000, 1, mtime=0),
            {"Content-Encoding": "gzip"},
            WRITE,
            413,
            "request too large",
        ),
        (
            gzip.compress(b"# " + b"x" * 60_000_000, 1, mtime=0),
            {"Content-Encoding": "gzip"},
            WRITE,
            413,
            "request too large",
        ),
    ],
)
async def test_what_is_refused_changes_nothing(
    writer: httpx.AsyncClient, content: bytes, headers: dict[str, str], path: str, status: int, code: str
) -> None:
    response = await writer.post(path, content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["message"]
    answer = await writer.post("/graphql", json={"query": "{ analytics { eventsProcessed } }"})
    assert answer.json() == {"data": {"analytics": {"eventsProcessed": 0}}}
    await writer.post(WRITE, content=b"state,machine_id=own g=1")
    assert await latest(writer, "own", "state", "f") is None


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
async def test_all_members_of_a_gzip_body_are_read(writer: httpx.AsyncClient, encoding: str) -> None:
    members = [gzip.compress(f"state,machine_id=M{n} f={n}\n".encode()) for n in range(3)]
    response = await writer.post(WRITE, content=b"".join(members), headers={"Content-Encoding": encoding})
    assert response.status_code == 204
    for n in range(3):
        assert (await latest(writer, f"M{n}", "state", "f"))["value"] == n


@pytest.mark.parametrize("content", [b"", b"# nothing", b"\n \n"])
async def test_a_body_without_points_is_accepted(writer: httpx.AsyncClient, content: bytes) -> None:
    assert (await writer.post(WRITE, content=content)).status_code == 204


async def test_an_unsigned_counter_is_stored_and_read(writer: httpx.AsyncClient) -> None:
    body = (
        b"net,machine_id=A in=18446744073708291555u 1\nnet,machine_id=A in=5u 2\nstate,machine_id=A f=1 1\n"
    )
    assert (await writer.post(WRITE, content=body)).status_code == 204
    requested = 'range: {from: "1970-01-01T00:00:00Z", to: "1970-01-01T00:01:00Z"}) { values }'
    query = f'{{ machine(machineId: "A") {{ series(measurement: "net", field: "in", {requested} }} }}'
    answer = (await writer.post("/graphql", json={"query": query})).json()
    assert answer["data"]["machine"]["series"]["values"] == [18446744073708291555, 5]
    assert await latest(writer, "A", "state", "f") is not None


@pytest.mark.parametrize("held", [15, 1000], ids=["parsed twice", "parsed once"])
async def test_more_points_than_one_batch_are_written(
    writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(ingest_parsing, "BATCH", 10)
    monkeypatch.setattr(ingest_parsing, "MAX_HELD_VALUES", held)
    body = "\n".join(f"state,machine_id=M{n} f={n if n != 15 else 'true'} 1" for n in range(35))
    response = await writer.post(WRITE, content=body.encode())
    assert response.status_code == 422
    assert "dropped=1" in response.json()["message"]
    assert (await latest(writer, "M34", "state", "f"))["value"] == 34


async def test_too_many_writes_at_once_are_rejected(
    writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MAX_ACTIVE", 0)
    response = await writer.post(WRITE, content=b"state f=1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


async def test_a_line_that_cannot_be_read_is_named(writer: httpx.AsyncClient) -> None:
    response = await writer.post(WRITE, content=b"state f=1\nthis is none\n")
    assert "unable to parse 'this is none'" in response.json()["message"]


async def test_a_field_that_changes_its_kind_is_left_out_and_said(writer: httpx.AsyncClient) -> None:
    assert (await writer.post(WRITE, content=b"state,machine_id=M1 f=1i 1")).status_code == 204
    mixed = await writer.post(WRITE, content=b'state,machine_id=M1 f="x" 2\nstate,machine_id=M1 f=3i 3')
    assert (mixed.status_code, mixed.json()["code"]) == (422, "unprocessable entity")
    assert "field type conflict" in mixed.json()["message"]
    assert "dropped=1" in mixed.json()["message"]
    assert (await latest(writer, "M1", "state", "f"))["value"] == 3


async def test_an_organization_has_its_own_bucket(writer: httpx.AsyncClient) -> None:
    for bucket in ("acme_machines", "server__stats"):
        path = WRITE.replace("machines", bucket)
        assert (await writer.post(path, content=b"state,machine_id=M1 f=1i")).status_code == 204
    assert await latest(writer, "M1", "state", "f") is None  # the shared database has it not


async def test_health_and_ping_are_what_writers_look_for(writer: httpx.AsyncClient) -> None:
    assert (await writer.get("/ping")).status_code == 204
    assert (await writer.get("/health")).json()["status"] == "pass"


async def test_nothing_is_taken_in_where_a_server_keeps_the_series(
    influxdb3_server: InfluxDB3, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"data": tmp_path, "series": {"url": influxdb3_server.url}})
    async with (
        served(create_app(settings)) as url,
        open_client(url) as client,
    ):
        assert (await client.post(WRITE, content=b"state f=1")).status_code == 404
        assert (await client.get("/health/ready")).json()["series"] == "ok"


async def test_old_points_are_deleted_while_it_runs(tmp_path: Path) -> None:
    now = time.time_ns()
    lines = "\n".join(f"state,machine_id=M1 f={n}i {now - n * 86_400_000_000_000}" for n in range(5))
    series = 'series(measurement: "state", field: "f", range: {last: "P9D"}) { values }'
    query = f'{{ machine(machineId: "M1") {{ {series} }} }}'

    async def read_values(client: httpx.AsyncClient) -> list[int]:
        response = (await client.post("/graphql", json={"query": query})).json()
        return sorted(response["data"]["machine"]["series"]["values"])

    for retention_days in (None, 2):  # the first run writes, the second begins by deleting
        settings = Settings.model_validate({"data": tmp_path, "series": {"retention_days": retention_days}})
        async with (
            served(create_app(settings)) as url,
            open_client(url) as client,
        ):
            if retention_days is None:
                await client.post(WRITE, content=lines.encode())
                assert await read_values(client) == [0, 1, 2, 3, 4]
            else:
                async with asyncio.timeout(60):
                    while await read_values(client) != [0, 1]:
                        pass


async def test_a_key_writes_the_database_of_its_organizations_only(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path, "series": {"databases": {"acme": "acme_machines"}}})
    app = create_app(settings)
    state = app.state.app_state
    keys = state.documents.database(state.documents.default)
    texts = {
        name: (await create_api_key(keys, KeySpec(name, (name,), ingest=True), created_by="test"))[1]
        for name in ("acme", "other")
    }
    async with served(app) as url, open_client(url) as client:
        for name, bucket, status in (
            ("acme", "acme_machines", 204),
            ("acme", "machines", 404),
            ("other", "machines", 204),
            ("other", "acme_machines", 404),
            ("other", "server__stats", 404),
        ):
            response = await client.post(
                f"/api/v2/write?bucket={bucket}",
                content="state,machine_id=M1 power=true",
                headers={"Authorization": f"Token {texts[name]}"},
            )
            assert response.status_code == status, (name, bucket)
        unknown = await client.post("/api/v2/write?bucket=machines", content="state,machine_id=M1 power=true")
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")


async def test_points_of_a_clock_that_is_ahead_are_rejected_and_the_others_written(
    writer: httpx.AsyncClient,
) -> None:
    now = time.time_ns()
    ahead = now + 86_400 * 10**9
    lines = f"state,machine_id=A power=true {now + 60 * 10**9}\nstate,machine_id=B power=true {ahead}"
    answer = await writer.post(WRITE, content=lines)
    assert answer.status_code == 422
    assert "dropped=1" in answer.json()["message"]
    assert f"has the time {ahead}, more than 300 s ahead" in answer.json()["message"]
    assert (await latest(writer, "A", "state", "power"))["value"] is True
    assert await latest(writer, "B", "state", "power") is None
