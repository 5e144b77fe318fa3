"""GraphQL over HTTP: what the specification's checks ask for, and requests that are not well-formed."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schema.engine.plans.compiler import Plan
from schema.server.app import create_app
from schema.server.settings import Settings
from tests.schema.client import RESPONSE, Client
from tests.schema.test_schema import PRINTED
from tests.serving import served

AUDITS = Path(__file__).parent / "audits"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The application as it is served, by a real server on a free port."""
    async with served(create_app(Settings(data=tmp_path))) as url:
        yield url


async def test_every_check_of_the_specification_answers_ok(url: str, graphql_audits: Path) -> None:
    command = ["node", "run.mjs", f"{url}/graphql"]
    process = await asyncio.to_thread(
        subprocess.run, command, cwd=graphql_audits, check=True, capture_output=True, timeout=60
    )
    outcomes = json.loads(process.stdout)
    assert len(outcomes) == 61
    assert [outcome for outcome in outcomes if outcome["status"] != "ok"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'"text"', 400),
        (b"[]", 400),
        (b'[{"query": "{ __typename }"}]', 400),
        (b"{}", 400),
        (b'{"query": 5}', 400),
        (b'{"query": ""}', 400),
        (b'{"query": "{ __typename }", "variables": []}', 400),
        (b'{"query": "{ __typename }", "variables": "{}"}', 400),
        (b'{"query": "{ __typename }", "operationName": {}}', 400),
        (b'{"query": "{ __typename }", "extensions": 1}', 400),
        (b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 100 + b"1" + b"}" * 101, 400),
        (b"[" * 100_000, 400),
        (b'{"query": "' + b" " * 1024 * 1024 + b'"}', 413),
        (b'{"query": "query A { __typename } query B { __typename }"}', 400),
        (b'{"query": "{ __typename }", "operationName": "Missing"}', 400),
        (b'{"query": "' + b"{a" * 3000 + b'"}', 400),
        (b'{"query": "{ ' + b"__typename " * 4900 + b'}"}', 400),
        (b'{"query": "{ ' + b"viewer { subject } " * 1200 + b'}"}', 400),
        (b'{"query": "{ ' + b"__typename " * 6000 + b'}"}', 400),
        (b'{"query": "{ ' + b"a" * 500_000 + b'}"}', 400),
        (b'{"query": "{ organizations(first: ' + b"9" * 5000 + b') { totalCount } }"}', 400),
        *(
            (b'{"query": "{ __typename }", "variables": {"v": %b}}' % value, 400)
            for value in (b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"01", b'"\\ud800"', b'"\0"', b"1} }")
        ),
    ],
)
async def test_a_malformed_request_is_rejected_in_json(client: Client, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json", "Accept": RESPONSE}
    response = await client.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == status
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] in ("BAD_USER_INPUT", "LIMIT_EXCEEDED")
    assert "data" not in response.json()
    assert len(response.content) < 2_000  # nothing long is repeated


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'\xef\xbb\xbf{"query": "{ __typename }"}', id="byte order mark"),
        pytest.param(b'\r\n\t {"query": "{ __typename }"}\n', id="white space"),
        pytest.param(b'{"query": "{ a }", "query": "{ __typename }"}', id="repeated key"),
        pytest.param(b'{"query": "{ __typename }", "other": [1]}', id="other members"),
    ],
)
async def test_what_json_permits_is_read(client: Client, body: bytes) -> None:
    response = await client.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json", "Accept": "text/csv"}, 406),
    ],
)
async def test_other_media_types_are_rejected(client: Client, headers: dict[str, str], status: int) -> None:
    response = await client.http.post("/graphql", content=b'{"query":"{__typename}"}', headers=headers)
    assert response.status_code == status
    assert response.json()["errors"]


@pytest.mark.parametrize("charset", ["utf8", "UTF-8", '"utf-8"', "u8"])
async def test_every_name_of_utf_8_is_accepted(client: Client, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    response = await client.http.post("/graphql", content=b'{"query":"{__typename}"}', headers=headers)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_an_empty_operation_name_means_none(client: Client) -> None:
    body = {"query": "{ __typename }", "operationName": ""}
    assert (await client.http.post("/graphql", json=body)).json() == {"data": {"__typename": "Query"}}
    assert (await client.http.get("/graphql", params=body)).json() == {"data": {"__typename": "Query"}}


async def test_a_get_request_may_query_but_not_change(client: Client) -> None:
    response = await client.http.get("/graphql", params={"query": "{ __typename }"})
    assert response.json() == {"data": {"__typename": "Query"}}
    mutation = 'mutation { createOrganization(input: {organizationId: "x"}) { organization { id } } }'
    response = await client.http.get("/graphql", params={"query": mutation})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert await client.run("{ organizations { nodes { id } } }") == {"organizations": {"nodes": []}}


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(client: Client, method: str) -> None:
    response = await client.http.request(method, "/graphql", params={"query": "{ __typename }"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("padding", [0, 100_000], ids=["short", "long"])
@pytest.mark.parametrize(("levels", "status"), [(61, 200), (62, 400)])
async def test_json_has_a_maximum_depth(client: Client, padding: int, levels: int, status: int) -> None:
    nested = b"[" * levels + b"{}" + b"]" * levels  # below the body itself and one more object
    body = b'{"query": "{ __typename }", "variables": {"v": %s}%s}' % (nested, b" " * padding)
    response = await client.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    if status == 400:
        assert response.json()["errors"][0]["extensions"]["limit"] == "json_depth"


async def test_an_unforeseen_failure_shows_nothing_but_a_request_id(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: object) -> list[object]:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(client.documents), "list_databases", broken)
    headers = {"Accept": RESPONSE}
    body = {"query": "{ organizations { nodes { id } } }"}
    response = await client.http.post("/graphql", json=body, headers=headers)
    [error] = response.json()["errors"]
    assert "secret detail" not in response.text
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    assert error["extensions"]["requestId"] in caplog.text
    assert "secret detail" in caplog.text


async def test_the_trace_is_in_the_answer_only_if_it_is_requested(client: Client) -> None:
    body = {"query": "{ __typename }"}
    response = await client.http.post("/graphql", json=body)
    assert "extensions" not in response.json()
    response = await client.http.post("/graphql", json=body, headers={"X-Gateway-Trace": "1"})
    trace: dict[str, list[str]] = {"documentCalls": [], "seriesCalls": [], "compiled": []}
    assert response.json()["extensions"] == {"trace": trace}


async def test_metrics_count_how_queries_were_answered(client: Client) -> None:
    for _ in range(3):
        await client.run("{ organizations { totalCount } }")
    response = await client.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    for line in (
        'sync_gateway_queries_total{event="first_seen"} 1.0',
        'sync_gateway_queries_total{event="compiled"} 1.0',
        'sync_gateway_queries_total{event="answered_by_plan"} 2.0',
        'sync_gateway_cached{what="operations"} 1.0',
    ):
        assert line in response.text


async def test_a_plan_that_fails_is_in_the_metrics(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: Plan, executor: object) -> object:
        raise ZeroDivisionError("a fault of the plan")

    monkeypatch.setattr(Plan, "run", fail)
    for _ in range(3):
        await client.run("{ organizations { totalCount } }")
    response = await client.http.get("/metrics")
    assert 'sync_gateway_queries_total{event="plan_failed"} 2.0' in response.text


async def test_health_says_which_store_answers_and_not_where(client: Client) -> None:
    assert (await client.http.get("/health/live")).json() == {"status": "ok"}
    response = await client.http.get("/health/ready")
    assert response.json() == {"status": "ok", "documents": "ok", "series": "ok"}


async def test_a_page_of_another_origin_may_call_only_if_it_is_listed(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data": tmp_path, "server": {"cors_allowed_origins": ["https://console.example"]}}
    )
    app = create_app(settings)
    client = Client(app, app.state.app_state.documents)
    for origin, allowed in (("https://console.example", True), ("https://evil.example", False)):
        body = {"query": "{ __typename }"}
        response = await client.http.post("/graphql", json=body, headers={"Origin": origin})
        assert (response.headers.get("access-control-allow-origin") == origin) is allowed
    # A page may send its credential and an idempotency key, and learns what to do about 401, 429 and 503.
    ask = {"Access-Control-Request-Method": "POST", "Origin": "https://console.example"}
    preflight = await client.http.options("/graphql", headers=ask)
    sent = preflight.headers["access-control-allow-headers"].lower()
    assert all(name in sent for name in ("authorization", "x-api-key", "idempotency-key"))
    response = await client.http.get("/health/live", headers=ask)
    readable = response.headers["access-control-expose-headers"].lower()
    for name in ("Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Limit", "WWW-Authenticate"):
        assert name.lower() in readable
    await client.http.aclose()
    await client.documents.close()


async def test_the_schema_is_served_as_it_is_committed(client: Client) -> None:
    response = await client.http.get("/graphql/schema.graphql")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text == PRINTED.read_text()


async def test_a_slash_after_the_path_changes_nothing(client: Client) -> None:
    response = await client.http.post("/graphql/", json={"query": "{ __typename }"})
    assert response.json() == {"data": {"__typename": "Query"}}
    response = await client.http.get("/graphql/", headers={"Accept": "text/html"})
    assert "<html" in response.text


async def test_caches_tell_media_types_apart(client: Client) -> None:
    for accept in (RESPONSE, "application/json", "text/csv"):
        response = await client.http.get(
            "/graphql", params={"query": "{ __typename }"}, headers={"Accept": accept}
        )
        assert "Accept" in response.headers["vary"]
    response = await client.http.get("/graphql", headers={"Accept": "text/html"})
    assert "Accept" in response.headers["vary"]


@pytest.mark.parametrize(
    ("charset", "status"),
    [
        ("utf-8", 200),
        ("UTF8", 200),
        ("utf8", 200),
        ('"utf-8"', 200),
        ("utf-16", 415),
        ("latin-1", 415),
        ("x", 415),
    ],
)
async def test_a_body_is_in_utf_8(client: Client, charset: str, status: int) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    response = await client.http.post("/graphql", content=b'{"query":"{__typename}"}', headers=headers)
    assert response.status_code == status


async def test_an_empty_operation_name_names_none(client: Client) -> None:
    for query in ("{ __typename }", "query A { __typename }"):
        response = await client.http.post("/graphql", json={"query": query, "operationName": ""})
        assert response.json() == {"data": {"__typename": "Query"}}
    response = await client.http.get(
        "/graphql", params={"query": "query A { __typename }", "operationName": ""}
    )
    assert response.json() == {"data": {"__typename": "Query"}}
