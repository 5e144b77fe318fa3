"""Points written as the clients of InfluxDB 1, 2 and 3 and Telegraf write them, and their errors."""

import base64
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from resolvers.api_keys import KeySpec, create_api_key
from schema.server import ingest_parsing
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.samples import END_OF_TIME, Sample
from stores.contracts.series_queries import SeriesQuery
from tests.serving import open_client, served

T = 1_772_452_800  # seconds
V1, V2, V3 = "/write?db=machines", "/api/v2/write?bucket=machines", "/api/v3/write_lp?db=machines"


class Gateway:
    """A served gateway with a key that may write points of one organization."""

    def __init__(self, url: str, app: Any, key: str) -> None:
        self.url, self.state, self.key = url, app.state.app_state, key

    async def send(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        headers = {"Authorization": f"Token {self.key}", **headers}
        async with open_client(self.url) as http:
            return await http.post(path, content=content, headers=headers)

    async def read(self, field: str = "f") -> list[Sample]:
        """The samples of M1 in the database of the organization."""
        series = self.state.series.store.database("organization/acme")
        points = await series.points(
            SeriesQuery("state", [field], ["M1"], -END_OF_TIME, END_OF_TIME), 1_000_000
        )
        return sorted(
            sample for samples in points.get("M1", {}).get(field, {}).values() for sample in samples
        )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    app = create_app(Settings(data=tmp_path))
    documents = app.state.app_state.documents
    spec = KeySpec("collector", ("acme",), ingest=True)
    _, key = await create_api_key(documents.database(documents.default), spec, created_by="test")
    async with served(app) as url:
        yield Gateway(url, app, key)


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


# What the outputs influxdb and influxdb_v2 of Telegraf send: a chunked body, gzip by default in the latter.
TELEGRAF = {
    "influxdb": (
        "/write?db=machines&rp=autogen&consistency=any",
        {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "Telegraf/1.38.0 Go/1.26.0"},
        "basic",
    ),
    "influxdb_v2": (
        "/api/v2/write?bucket=machines&org=my-org",
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Encoding": "gzip",
            "User-Agent": "Telegraf/1.38.0 Go/1.26.0",
        },
        "token",
    ),
}


@pytest.mark.parametrize("output", TELEGRAF)
async def test_telegraf_writes(gateway: Gateway, output: str) -> None:
    path, headers, scheme = TELEGRAF[output]
    basic = base64.b64encode(f"telegraf:{gateway.key}".encode()).decode()
    authorization = f"Basic {basic}" if scheme == "basic" else f"Token {gateway.key}"
    body = f"state,host=pi,machine_id=M1 f=7i {T}000000000\n".encode()
    async with open_client(gateway.url) as http:
        if output == "influxdb":  # before the first write, unless skip_database_creation is set
            created = await http.post(
                "/query",
                data={"q": 'CREATE DATABASE "machines"'},
                headers={"Authorization": authorization},
            )
            assert (created.status_code, created.json()) == (200, {"results": [{"statement_id": 0}]})
        content = gzip.compress(body) if "Content-Encoding" in headers else body
        response = await http.post(
            path, content=chunks(content), headers={**headers, "Authorization": authorization}
        )
    assert (response.status_code, response.content) == (204, b"")
    assert await gateway.read() == [Sample(T * 10**9, 7)]


async def test_the_python_client_of_influxdb_1_writes(gateway: Gateway) -> None:
    """What InfluxDBClient.write_points of the package influxdb sends, with the key as its password."""
    credentials = base64.b64encode(f"root:{gateway.key}".encode()).decode()
    headers = {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/octet-stream",
        "Accept": "application/x-msgpack",
    }
    path = "/write?db=machines&precision=s&rp=autogen"
    response = await gateway.send(path, f"state,machine_id=M1 f=0.5 {T}\n".encode(), **headers)
    assert response.status_code == 204
    assert response.headers["x-influxdb-version"]
    assert await gateway.read() == [Sample(T * 10**9, 0.5)]


@pytest.mark.parametrize(
    ("path", "digits"),
    [
        *((f"{V1}&precision={unit}", n) for unit, n in (("n", 9), ("ns", 9), ("u", 6), ("ms", 3), ("s", 0))),
        *(
            (f"{V3}&precision={unit}second", n)
            for unit, n in (("nano", 9), ("micro", 6), ("milli", 3), ("", 0))
        ),
        *((f"{V3}&precision=auto", n) for n in (0, 3, 6, 9)),
        (V1, 9),
        (V2, 9),
        (V3, 3),
    ],
)
async def test_times_have_the_precision_that_the_request_names(
    gateway: Gateway, path: str, digits: int
) -> None:
    response = await gateway.send(path, f"state,machine_id=M1 f=1 {T * 10**digits}".encode())
    assert response.status_code == 204, response.text
    assert await gateway.read() == [Sample(T * 10**9, 1.0)]


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (f"{V1}&precision=h", 3600),
        (f"{V1}&precision=m", 60),
        (f"{V2}&precision=s", 1),
        (f"{V3}&precision=second", 1),
    ],
)
async def test_a_point_without_a_time_has_that_of_its_arrival_in_the_unit(
    gateway: Gateway, path: str, unit: int
) -> None:
    began = time.time()
    assert (await gateway.send(path, b"state,machine_id=M1 f=1")).status_code == 204
    [sample] = await gateway.read()
    assert sample.time % (unit * 10**9) == 0
    assert began - unit <= sample.time / 1e9 <= time.time()


MIXED = b"state,machine_id=M1 f=1i 1\nno fields\nstate,machine_id=M1 f=true 2\nstate,machine_id=M1 f=3i 3"
UNPARSED = "unable to parse 'no fields': "
CONFLICT = "field type conflict"


async def test_each_protocol_reports_lines_that_are_not_valid_in_its_own_form(gateway: Gateway) -> None:
    v2 = await gateway.send(V2, MIXED)
    assert v2.status_code == 400
    assert v2.json() == {"code": "invalid", "message": f"{UNPARSED}invalid field format"}
    assert await gateway.read() == []

    v1 = await gateway.send(V1, MIXED)
    assert v1.status_code == 400
    message = v1.json()["error"]
    assert message.startswith(f"partial write: {UNPARSED}invalid field format; {CONFLICT}")
    assert message.endswith(" dropped=2")
    assert v1.headers["x-influxdb-error"] == message
    assert [sample.value for sample in await gateway.read()] == [1, 3]

    v3 = await gateway.send(V3, MIXED.replace(b"f=", b"g="))
    assert v3.status_code == 400
    body = v3.json()
    assert body["error"] == "partial write of line protocol occurred"
    assert [(item["line_number"], item["original_line"]) for item in body["data"]] == [
        (2, "no fields"),
        (3, "state,machine_id=M1 g=true 2"),
    ]
    assert CONFLICT in body["data"][1]["error_message"]
    assert [sample.value for sample in await gateway.read("g")] == [1, 3]


async def test_a_body_of_too_many_invalid_lines_is_not_read_to_its_end(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_parsing, "MAX_INVALID", 3)
    content = b"state,machine_id=M1 f=1 1000000000000000000\nx\nx\nx\nstate,machine_id=M1 f=2"
    answer = await gateway.send(V3, content)
    problems = answer.json()["data"]
    assert [problem["line_number"] for problem in problems] == [2, 3, 4]
    assert problems[2]["error_message"].endswith("; nothing after it was read")
    assert await gateway.read() == [Sample(10**18, 1.0)]


@pytest.mark.parametrize(
    ("content", "number", "reason"),
    [
        (MIXED, 2, "invalid field format"),
        (MIXED.replace(b"no fields\n", b""), 2, CONFLICT),
        (b"state,machine_id=M1 f=1 1\nstate,machine_id=M1 f=2 9999999999999999999", 2, "time"),
        (b"state,machine_id=M1 stored=1i 5", 1, CONFLICT),
    ],
)
async def test_all_or_nothing_is_written_without_accept_partial(
    gateway: Gateway, content: bytes, number: int, reason: str
) -> None:
    assert (await gateway.send(V3, b"state,machine_id=M1 stored=0.5 1")).status_code == 204
    response = await gateway.send(f"{V3}&accept_partial=false&no_sync=true", content)
    assert response.status_code == 400
    assert response.json()["error"] == "parsing failed for write_lp endpoint"
    assert response.json()["data"]["line_number"] == number
    assert reason in response.json()["data"]["error_message"]
    assert await gateway.read() == []
    accepted = await gateway.send(f"{V3}&accept_partial=false", b"state,machine_id=M1 f=1i 1")
    assert (accepted.status_code, len(await gateway.read())) == (204, 1)


@pytest.mark.parametrize(
    ("path", "headers", "status", "body"),
    [
        ("/write", {}, 400, {"error": "database is required"}),
        ("/write?db=none", {}, 404, {"error": 'database not found: "none"'}),
        (f"{V1}&precision=w", {}, 400, None),
        (V1, {"Authorization": "Token wrong"}, 401, None),
        (V1, {"Authorization": "Basic !!"}, 401, None),
        (V1, {"Authorization": f"Basic {base64.b64encode(b'user:wrong').decode()}"}, 401, None),
        (V1, {"Content-Encoding": "br"}, 415, None),
        (V2, {"Authorization": f"Basic {base64.b64encode(b'user:wrong').decode()}"}, 401, None),
        ("/api/v3/write_lp", {}, 400, {"error": "missing query parameter 'db'", "data": None}),
        ("/api/v3/write_lp?db=none", {}, 404, {"error": 'database "none" not found', "data": None}),
        (f"{V3}&accept_partial=perhaps", {}, 400, None),
        (f"{V3}&precision=hour", {}, 400, None),
        (V3, {"Authorization": "Bearer wrong"}, 401, None),
    ],
)
async def test_each_protocol_rejects_a_request_in_its_own_form(
    gateway: Gateway, path: str, headers: dict[str, str], status: int, body: dict[str, Any] | None
) -> None:
    response = await gateway.send(path, b"state,machine_id=M1 f=1", **headers)
    assert response.status_code == status
    assert body is None or response.json() == body
    assert isinstance(response.json()["message" if path.startswith("/api/v2") else "error"], str)
    assert await gateway.read() == []


@pytest.mark.parametrize("path", [V1, V2, V3])
async def test_no_protocol_writes_for_another_organization(gateway: Gateway, path: str) -> None:
    response = await gateway.send(f"{path}&organization=nord", b"state,machine_id=M1 f=1")
    assert response.status_code == 404
    assert (await gateway.send(f"{path}&organization=acme", b"state,machine_id=M1 f=1")).status_code == 204
    assert len(await gateway.read()) == 1


async def test_queries_of_influxdb_are_not_answered(gateway: Gateway) -> None:
    for statement, status, error in (
        ("CREATE DATABASE none", 200, 'database not found: "none"'),
        ("DROP DATABASE machines", 400, "only CREATE DATABASE is answered here: read series by GraphQL"),
        ("SELECT * FROM state", 400, "only CREATE DATABASE is answered here: read series by GraphQL"),
    ):
        response = await gateway.send(f"/query?q={statement}", b"")
        assert response.status_code == status
        body = response.json()
        assert (body if status == 400 else body["results"][0])["error"] == error
    assert (await gateway.send("/query?q=CREATE DATABASE x", b"", Authorization="")).status_code == 401
