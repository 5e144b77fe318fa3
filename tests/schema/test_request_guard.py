"""Requests that other web pages send: rejected at every door before they change anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from compat_rest.app import create_app
from schema.server.origins import parse_host, parse_origin
from schema.server.proxies import TrustedProxies
from schema.server.settings import Settings
from tests.serving import served

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'
CONSOLE = "https://console.example"
OWN = {"host": "gateway.factory.example:3000"}
MUTATION = 'mutation { createOrganization(input: {organizationId: "acme"}) { organization { id } } }'
DOORS: dict[str, dict[str, Any]] = {
    "/graphql": {"json": {"query": MUTATION}},
    "/api/organizations/acme/users": {"data": {"name": "x", "email": "x@example.com", "role": "admin"}},
    "/api/services": {"json": {"name": "s", "type": "mqtt", "configuration": {"host": "h"}}},
    "/api/library/upload": {"files": {"icon": ("a.svg", SVG, "image/svg+xml")}},
    "/api/v2/write?bucket=machines": {"content": b"state,machine_id=M1 power=true"},
}
FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "http://gateway.factory.example:3001"},
    {"origin": "null"},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://console.example.evil.example"},
    {"origin": "https://console.example:8443"},
    {"origin": "http://evil.example:3000", "host": "evil.example:3000"},
]
OF_THE_SERVER = [
    {},
    {"sec-fetch-site": "same-origin", "origin": "https://console.behind.proxy"},
    {"sec-fetch-site": "none"},
    {"origin": "http://gateway.factory.example:3000"},
    {"origin": "HTTPS://Gateway.Factory.example", "host": "gateway.factory.example:443"},
    {"origin": CONSOLE},
    {"origin": CONSOLE, "sec-fetch-site": "cross-site"},
    {"origin": "http://127.0.0.1:3000", "host": "127.0.0.1:3000"},
    {"origin": "http://[::1]:3000", "host": "[::1]:3000"},
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    server = {"cors_allowed_origins": [CONSOLE], "hosts": ["Gateway.Factory.example"]}
    app = create_app(Settings.model_validate({"data": tmp_path, "server": server}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway", headers=OWN
    ) as client:
        await client.put("/api/organizations/acme", json={"name": "Acme"})
        yield client
    await app.state.app_state.documents.close()
    await app.state.app_state.series.store.close()


async def read_everything(client: httpx.AsyncClient) -> list[Any]:
    paths = ("/api/organizations", "/api/organizations/acme/users", "/api/services", "/api/library/icons")
    query = "{ organizations { totalCount } analytics { eventsProcessed } }"
    responses = [await client.get(path) for path in paths]
    responses.append(await client.post("/graphql", json={"query": query}))
    return [response.text for response in responses]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_page_of_another_origin_changes_nothing(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    before = await read_everything(client)
    for path, content in DOORS.items():
        response = await client.post(path, headers=headers, **content)
        assert response.status_code == 403, path
        body = response.json()
        assert "server." in (body.get("error") or body.get("message") or body["errors"][0]["message"])
    assert await read_everything(client) == before


@pytest.mark.parametrize("headers", OF_THE_SERVER, ids=str)
async def test_the_servers_own_pages_listed_ones_and_scripts_pass(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path, content in DOORS.items():
        response = await client.post(path, headers=headers, **content)
        assert response.status_code in (200, 201, 204), response.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_safe_methods_of_foreign_pages_pass(client: httpx.AsyncClient, method: str) -> None:
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    response = await client.request(method, "/status", headers=headers)
    assert response.status_code in (200, 204)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:3000", 200),
        ("app.localhost", 200),
        ("sync-api:3000", 200),
        ("192.0.2.7", 200),
        ("[2001:db8::1]:3000", 200),
        ("gateway.factory.example", 200),
        ("GATEWAY.factory.example.:3000", 200),
        ("console.example", 200),
        ("evil.example:3000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 400),
        ("a b", 400),
        ("user@gateway", 400),
        ("gateway:port", 400),
        ("gateway:99999", 400),
        ("gateway/path", 400),
        ("[::1", 400),
        ("a,b", 400),
    ],
)
async def test_a_request_names_a_host_of_this_server(
    client: httpx.AsyncClient, host: str, status: int
) -> None:
    assert (await client.get("/status", headers={"host": host})).status_code == status
    response = await client.post("/graphql", json={"query": "{__typename}"}, headers={"host": host})
    assert response.status_code == status


async def test_writers_with_a_token_may_name_any_host(tmp_path: Path) -> None:
    app = create_app(Settings.model_validate({"data": tmp_path, "series": {"token": "demo-only"}}))
    headers = {"host": "influx.factory.example", "authorization": "Token demo-only"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        path = "/api/v2/write?bucket=machines"
        assert (await client.post(path, content=b"state f=1", headers=headers)).status_code == 204
        assert (await client.get("/status", headers=headers)).status_code == 403
    await app.state.app_state.documents.close()
    await app.state.app_state.series.store.close()


async def test_any_well_formed_host_passes_where_credentials_are_needed(tmp_path: Path) -> None:
    app = create_app(Settings.model_validate({"data": tmp_path, "server": {"host": "192.0.2.1"}}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        for host, status in (("gateway.public.example", 200), ("a,b", 400)):
            assert (await client.get("/status", headers={"host": host})).status_code == status
    await app.state.app_state.documents.close()
    await app.state.app_state.series.store.close()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /status HTTP/1.0"], b"200"),
        (["GET /status HTTP/1.1"], b"400"),
        (["GET /status HTTP/1.1", "Host: a", "Host: a"], b"400"),
        (["GET /status HTTP/1.1", "Host: a"], b"200"),
    ],
)
async def test_the_host_of_a_request_on_the_wire(tmp_path: Path, lines: list[str], status: bytes) -> None:
    async with served(create_app(Settings(data=tmp_path))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        assert (await reader.readline()).split()[1] == status
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("trusted", "status"), [([], 403), (["127.0.0.0/8"], 200), (["192.0.2.1", "10.0.0.0/8"], 403)]
)
async def test_forwarded_headers_count_from_trusted_proxies_only(
    tmp_path: Path, trusted: list[str], status: int
) -> None:
    server = {"trusted_proxies": trusted, "hosts": ["gateway.example", "console.example"]}
    app = create_app(Settings.model_validate({"data": tmp_path, "server": server}))
    headers = {
        "origin": CONSOLE,
        "host": "gateway.example",
        "x-forwarded-host": "spoofed.example, console.example",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "203.0.113.9",
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        response = await client.post("/graphql", json={"query": "{__typename}"}, headers=headers)
    assert response.status_code == status
    await app.state.app_state.documents.close()
    await app.state.app_state.series.store.close()


@pytest.mark.parametrize(
    ("trusted", "client", "scheme", "host"),
    [
        (["192.0.2.7"], "203.0.113.9", "https", "console.example"),
        (["192.0.2.0/24", "203.0.113.9"], "198.51.100.1", "https", "console.example"),
        (["198.51.100.1"], "192.0.2.7", "http", "gateway"),
        ([], "192.0.2.7", "http", "gateway"),
    ],
)
async def test_what_the_application_sees_of_a_client_behind_a_proxy(
    trusted: list[str], client: str, scheme: str, host: str
) -> None:
    clients_seen: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        clients_seen.append(scope)

    headers = {
        "host": "gateway",
        "x-forwarded-for": "198.51.100.1, 203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "console.example",
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "scheme": "http", "client": ("192.0.2.7", 1234), "headers": raw}
    await TrustedProxies(application, trusted=trusted)(scope, _no_receive, _no_send)
    assert clients_seen[0]["client"][0] == client
    assert clients_seen[0]["scheme"] == scheme
    assert Headers(scope=clients_seen[0]).getlist("host") == [host]


async def _no_receive() -> Message:
    raise AssertionError


async def _no_send(message: Message) -> None:
    raise AssertionError


async def test_a_rejected_origin_is_logged_once_with_the_line_to_add(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await client.post(
            "/graphql", json={"query": MUTATION}, headers={"origin": "http://other.example:81/"}
        )
        await client.get("/status", headers={"host": "other.name"})
    [origin, host] = [record.getMessage() for record in caplog.records if "rejected" in record.getMessage()]
    assert f"server: {{cors_allowed_origins: [http://other.example:81, {CONSOLE}]}}" in origin
    assert "server: {hosts: [console.example, gateway.factory.example, other.name]}" in host


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("http://localhost:5173/", "http://localhost:5173"),
        ("HTTPS://Console.Example:443", "https://console.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
    ],
)
def test_an_origin_is_normalized(text: str, normalized: str) -> None:
    assert str(parse_origin(text)) == normalized


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "",
        "console.example",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://a b",
    ],
)
def test_what_is_not_an_origin_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_origin(text)


def test_an_address_is_compared_in_one_spelling() -> None:
    assert parse_host("[0:0::1]:80") == parse_host("[::1]:80") == ("::1", 80)
