"""The servers themselves: each starts, answers, hangs and comes back on request, and ends in time."""

import os
import socket
import sys
from datetime import UTC, datetime

import httpx
import pymongo
import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from pymongo.errors import ServerSelectionTimeoutError

from tests.servers import InfluxDB2, InfluxDB3, Server, ServerUnavailable, mongodb
from tests.servers.process import free_port

LINE = "weather,place=hall celsius=21.5 1700000000000000000"


def test_mongodb_keeps_a_document(mongodb_server: Server) -> None:
    with pymongo.MongoClient[dict[str, object]](mongodb_server.url) as client:
        things = client["tests_of_servers"]["things"]
        things.replace_one({"_id": "a"}, {"name": "pump"}, upsert=True)
        assert things.find_one({"name": "pump"}) == {"_id": "a", "name": "pump"}


def test_influxdb3_keeps_a_point(influxdb3_server: InfluxDB3) -> None:
    database = influxdb3_server.databases[0]
    headers = {"Authorization": f"Bearer {influxdb3_server.token}"} if influxdb3_server.token else {}
    with httpx.Client(base_url=influxdb3_server.url, headers=headers, trust_env=False) as client:
        written = client.post("/api/v3/write_lp", params={"db": database}, content=LINE)
        assert written.status_code == 204
        read = client.get("/api/v3/query_sql", params={"db": database, "q": "SELECT celsius FROM weather"})
        assert read.json() == [{"celsius": 21.5}]


def test_influxdb2_keeps_a_point(influxdb2_server: InfluxDB2) -> None:
    bucket = influxdb2_server.bucket
    flux = f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r.place == "hall")'
    with InfluxDBClient(influxdb2_server.url, influxdb2_server.token, org=influxdb2_server.org) as client:
        client.write_api(write_options=SYNCHRONOUS).write(bucket, record=LINE)
        (table,) = client.query_api().query(flux)
        (row,) = table.records
    assert row.get_time() == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (row.get_measurement(), row.get_field(), row.get_value()) == ("weather", "celsius", 21.5)


def test_a_paused_server_hangs_until_it_is_resumed(own_mongodb_server: Server) -> None:
    with pymongo.MongoClient[dict[str, object]](
        own_mongodb_server.url, socketTimeoutMS=200, serverSelectionTimeoutMS=200
    ) as client:
        own_mongodb_server.pause()
        with pytest.raises(pymongo.errors.PyMongoError):
            client.admin.command("ping")
        own_mongodb_server.resume()
    with pymongo.MongoClient[dict[str, object]](own_mongodb_server.url) as client:
        assert client.admin.command("ping")["ok"] == 1.0


def test_a_stopped_server_comes_back_at_its_address(own_mongodb_server: Server) -> None:
    own_mongodb_server.stop()
    with (
        pymongo.MongoClient[dict[str, object]](
            own_mongodb_server.url, serverSelectionTimeoutMS=200
        ) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")
    own_mongodb_server.start()
    with pymongo.MongoClient[dict[str, object]](own_mongodb_server.url) as client:
        assert client.admin.command("ping")["ok"] == 1.0


def test_influxdb2_keeps_its_points_over_a_restart(own_influxdb2_server: InfluxDB2) -> None:
    server = own_influxdb2_server
    with InfluxDBClient(server.url, server.token, org=server.org) as client:
        client.write_api(write_options=SYNCHRONOUS).write(server.bucket, record=LINE)
        server.stop()
        server.start()
        tables = client.query_api().query(f'from(bucket: "{server.bucket}") |> range(start: 0)')
        assert [record.get_value() for table in tables for record in table.records] == [21.5]


def test_a_paused_server_can_be_stopped(own_mongodb_server: Server) -> None:
    pid = own_mongodb_server.pid
    assert pid is not None
    own_mongodb_server.pause()
    own_mongodb_server.stop()
    assert own_mongodb_server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_user_s_own_server_is_neither_started_nor_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_TEST_MONGODB_URI", "mongodb://127.0.0.1:1")
    with mongodb() as server:
        assert (server.url, server.pid) == ("mongodb://127.0.0.1:1", None)
        with pytest.raises(RuntimeError, match="not the tests' own"):
            server.pause()


def test_a_server_that_cannot_start_says_what_it_printed() -> None:
    # The address is in use "already", which is not the word that a server is ready.
    command = [sys.executable, "-c", "print('already in use'); exit(3)"]
    with pytest.raises(ServerUnavailable, match=r"(?s)a server ended with status 3.*already in use"):
        Server("a server", "", command).start()


def test_a_server_whose_program_is_missing_says_so() -> None:
    with pytest.raises(ServerUnavailable, match=r"a server cannot be run: .*no-such-program"):
        Server("a server", "", ["no-such-program"]).start()


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerUnavailable, match="java is not installed"), mongodb(own=True):
        pass


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
