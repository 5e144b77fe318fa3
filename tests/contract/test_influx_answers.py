"""InfluxDB servers that answer something unexpected: each answer is an error with a code, or merged."""

import inspect
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.http_exceptions
import influxdb_client.client.exceptions
import influxdb_client.rest
import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.backends.influx.transport import parse_retry_after, report_errors_as_unavailable
from stores.contracts.areas import AreaRule
from stores.contracts.errors import Unavailable
from stores.contracts.extents import ExtentQuery
from stores.contracts.samples import Sample
from stores.contracts.series import SeriesDatabase, SeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Windows
from stores.opening import open_series
from tests.contract.answering import Answer, AnsweringServer, answering
from tests.schema.client import Client

CATALOGUE = [
    {"table_name": "state", "column_name": "machine_id", "data_type": "Dictionary(Int32, Utf8)"},
    {"table_name": "state", "column_name": "power", "data_type": "Boolean"},
    {"table_name": "state", "column_name": "count", "data_type": "Int64"},
    {"table_name": "state", "column_name": "load", "data_type": "Float64"},
    {"table_name": "state", "column_name": "mode", "data_type": "Utf8"},
]
WINDOWS = Windows((0, 10, 20), 10)
HEADER = "#datatype,string,long,dateTime:RFC3339,{},string,string,string\r\n"
HEADER += ",result,table,_time,_value,_field,_measurement,machine_id\r\n"
AREA = {"m": "M1", "n": 0, "s": 1, "t0": 1, "v0": 2.0, "t1": 3, "v1": 2.0, "a": 4.0, "c": 2}
UNEXPECTED = [
    Answer(404, b'{"error": "query error: database not found: machines"}'),
    Answer(404, b'{"code":"not found","message":"could not find bucket \\"machines\\""}'),
    Answer(404, b"<html><title>nginx</title></html>"),
    Answer(200, b"{}"),
    Answer(200, b"null"),
    Answer(200, b"[1, 2]"),
    Answer(200, b"<html>\n<body>sign in</body>\n</html>"),
    Answer(200, b'[{"m": "M1", "t'),
    Answer(200, b'[{"m": "M1"'),
    Answer(200, b"\xff\xfe\x00"),
    Answer(301, b"", {"Location": "http://127.0.0.1:9/"}),
    Answer(400, b'{"error": "bad request"}'),
    Answer(401, b'{"error": "the request was not authenticated"}'),
    Answer(500, b"panic: arrow/array: index out of range"),
    Answer(502, b"<html>bad gateway</html>"),
]


def choose_rows(rows: Answer, request: str) -> Answer:
    """Return the catalogue for the query that reads it, and `rows` for all others."""
    return Answer(200, json.dumps(CATALOGUE).encode()) if "information_schema" in request else rows


def open_store(kind: str, url: str) -> SeriesStore:
    return open_series(
        ("influxdb2+" if kind == "influxdb2" else "") + url, data=Path(), deadline=5.0, org="o"
    )


CALLS = ["latest", "points", "changes", "neighbours", "windows", "areas"]
CALLS += ["last", "counts", "machines", "machines_with", "extents"]


def calls(series: SeriesDatabase) -> dict[str, Callable[[], Awaitable[Any]]]:
    query = SeriesQuery("state", ["power", "count"], ["M1"], 0, 20)
    sources = SourceQuery([Source("state", "mode"), Source("state", "count")], ["M1"], 0, 20)
    return {
        "latest": lambda: series.latest(query),
        "points": lambda: series.points(query, 10),
        "changes": lambda: series.changes(query, 10),
        "neighbours": lambda: series.neighbours(query),
        "windows": lambda: series.windows(query, WINDOWS, Aggregation("mean")),
        "areas": lambda: series.areas(query, WINDOWS, AreaRule()),
        "last": lambda: series.last([sources], 5),
        "counts": lambda: series.counts(sources),
        "extents": lambda: series.extents(ExtentQuery(["M1"], None, 0, 20), 10),
        "machines": lambda: series.machines(0, 20),
        "machines_with": lambda: series.machines_with(SourceQuery([Source("state", "power")])),
    }


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_every_unexpected_answer_is_unavailable(kind: str, call: str) -> None:
    async with answering(lambda request: Answer()) as server:
        for answer in UNEXPECTED:
            server.choose = partial(choose_rows, answer)
            store = open_store(kind, server.url)  # with a closed circuit
            with pytest.raises(Unavailable) as raised:
                await calls(store.database("machines"))[call]()
            assert not any(text in raised.value.message for text in ("html", "127.0.0.1", "panic", "nginx"))
            await store.close()


@pytest.mark.parametrize(
    ("call", "rows"),
    [
        ("latest", [{"m": "M1", "t1": 5, "v1": "many"}]),
        ("latest", [{"m": "M1", "t1": "soon", "v1": 5}]),
        ("latest", [{"m": "M1", "v1": 5}]),
        ("latest", [{"t1": 5, "v1": 5}]),
        ("latest", [{"m": "M1", "t0": 5, "v0": "true"}]),
        ("latest", [{"m": "M1", "t1": 5, "v1": True}]),
        ("points", [{"m": "M1", "t": 5, "v1": "many"}]),
        ("points", [{"m": "M1", "t": None, "v1": 5}]),
        ("points", [{"m": ["M1"], "t": 5, "v1": 5}]),
        ("windows", [{"m": "M1", "n": 0, "v1": "many"}]),
        ("windows", [{"m": "M1", "n": 7, "v1": 1.5}]),
        ("windows", [{"m": "M1", "n": None, "v1": 1.5}]),
        ("areas", [AREA | {"n": 7}]),
        ("areas", [AREA | {"s": 2}]),
        ("areas", [AREA | {"t0": None}]),
        ("areas", [AREA | {"a": "many"}]),
        ("last", [{"m": "M1", "t": 5, "s": 1, "v": "many"}]),
        ("last", [{"m": "M1", "t": 5, "s": 9, "v": "5"}]),
        ("counts", [{"m": "M1", "n": "many"}]),
    ],
)
async def test_a_value_of_another_kind_is_unavailable(call: str, rows: list[Any]) -> None:
    async with answering(partial(choose_rows, Answer(200, json.dumps(rows).encode()))) as server:
        store = open_store("influxdb3", server.url)
        with pytest.raises(Unavailable, match="cannot be read"):
            await calls(store.database("machines"))[call]()
        await store.close()


@pytest.mark.parametrize("call", ["latest", "points", "last"])
@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("long", ",_result,0,1970-01-01T00:00:00Z,abc,count,state,M1\r\n\r\n"),
        ("long", ",_result,0,today,1,count,state,M1\r\n\r\n"),
        ("long", ",_result,0,1970-01-01T00:00:00Z,1,count,sta"),
        ("long", ",_result,0,1970-01-01T00:00:00Z,1,count\r\n"),
        ("boolean", ",_result,0,1970-01-01T00:00:00Z,1,count,state,M1\r\n"),
    ],
)
async def test_csv_with_a_value_of_another_kind_or_a_cut_row_is_unavailable(
    call: str, kind: str, rows: str
) -> None:
    async with answering(lambda request: Answer(200, (HEADER.format(kind) + rows).encode())) as server:
        store = open_store("influxdb2", server.url)
        with pytest.raises(Unavailable, match="cannot be read"):
            await calls(store.database("machines"))[call]()
        await store.close()


async def test_rows_of_one_time_are_merged() -> None:
    rows: list[Any] = [
        {"m": "M1", "t1": 5, "v1": 1, "t": 5, "n": 0},
        {"m": "M1", "t1": 5, "v1": 2, "t": 5, "n": 0},
        {"m": "M1", "t1": 4, "v1": 9, "t": 5, "n": 0},
    ]

    async with answering(partial(choose_rows, Answer(200, json.dumps(rows).encode()))) as server:
        store = open_store("influxdb3", server.url)
        calls_by_name = calls(store.database("machines"))
        assert await calls_by_name["latest"]() == {"M1": {"count": Sample(5, 2)}}
        assert await calls_by_name["points"]() == {
            "M1": {"count": {(): [Sample(5, 1), Sample(5, 2), Sample(5, 9)]}}
        }
        assert await calls_by_name["windows"]() == {"M1": {"count": {(): [(0, 9.0)]}}}
        await store.close()


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_a_server_that_asks_to_wait_is_left_alone(kind: str) -> None:
    busy = Answer(429, b"too many requests", {"Retry-After": "30"})
    async with answering(lambda request: busy) as server:
        store = open_store(kind, server.url)
        for _ in range(100):
            with pytest.raises(Unavailable):
                await store.database("machines").catalogue()
        assert server.requests == 1
        await store.close()


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_one_missing_database_does_not_open_the_circuit(kind: str) -> None:
    missing = Answer(404, b"database not found: machines; could not find bucket")
    async with answering(lambda request: missing) as server:
        store = open_store(kind, server.url)
        for _ in range(20):
            with pytest.raises(Unavailable, match="no database 'machines'"):
                await store.database("machines").catalogue()
        assert server.requests == 20
        await store.close()


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("0", 0.0), (None, None), ("soon", None), ("-1", None), ("٣", None)]
)
def test_retry_after_is_a_number_of_seconds(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    at = datetime.now(UTC) + timedelta(minutes=5)
    seconds = parse_retry_after(format_datetime(at, usegmt=True))
    assert seconds is not None
    assert 290 < seconds <= 300
    assert parse_retry_after(format_datetime(at - timedelta(hours=1), usegmt=True)) == 0


@pytest.fixture
async def server() -> AsyncIterator[AnsweringServer]:
    async with answering(lambda request: Answer(200, b"{}")) as server:
        yield server


@pytest.mark.parametrize("answer", UNEXPECTED[:8], ids=lambda answer: str(answer.body[:12]))
async def test_only_the_fields_concerned_have_errors(
    server: AnsweringServer, tmp_path: Path, answer: Answer
) -> None:
    server.choose = lambda request: answer
    settings = Settings.model_validate({"data": tmp_path, "series": {"url": server.url}})
    app = create_app(settings)
    state = app.state.app_state
    client = Client(app, state.documents)
    query = """{ organizations { totalCount }
        machine(machineId: "M1") { machineId connected status { power } } }"""
    for _ in range(2):
        response = await client.send(query)
        assert response["data"]["machine"] == {"machineId": "M1", "connected": None, "status": None}
        assert response["data"]["organizations"]["totalCount"] == 0
        assert {error["extensions"]["code"] for error in response["errors"]} == {"UNAVAILABLE"}
    await client.http.aclose()
    await state.series.store.close()
    await state.documents.close()


# They are raised for web sockets, by servers, or as warnings; no request of the gateway raises them.
OTHERS = {
    aiohttp.BadContentDispositionHeader,
    aiohttp.BadContentDispositionParam,
    aiohttp.EofStream,
    aiohttp.WebSocketError,
    aiohttp.WSMessageTypeError,
}


def exceptions_of(*modules: Any) -> list[type[BaseException]]:
    members = [member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)]
    exceptions = {member for member in members if issubclass(member, BaseException)} - OTHERS
    return sorted(exceptions, key=lambda exception: exception.__name__)


@pytest.mark.parametrize(
    "error", exceptions_of(aiohttp, aiohttp.http_exceptions), ids=lambda error: error.__name__
)
def test_every_exception_of_aiohttp_is_unavailable(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # some have no text without their arguments
    raised = error.__new__(error)
    with pytest.raises(Unavailable), report_errors_as_unavailable("InfluxDB"):
        raise raised


@pytest.mark.parametrize(
    "error",
    exceptions_of(influxdb_client.client.exceptions, influxdb_client.rest, aiohttp),
    ids=lambda error: error.__name__,
)
async def test_every_exception_of_the_influxdb_client_is_unavailable(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    async def fail(*arguments: Any, **options: Any) -> str:
        is_client_error = issubclass(error, influxdb_client.client.exceptions.InfluxDBError)
        raise error() if is_client_error else error.__new__(error)

    monkeypatch.setattr("influxdb_client.client.query_api_async.QueryApiAsync.query_raw", fail)
    store = open_store("influxdb2", "http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await store.database("machines").catalogue()
    await store.close()
