"""The credentials of requests: required once a key exists, and rejected without details."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from compat_rest.app import create_app
from resolvers.api_keys import (
    create_api_key,
)
from resolvers.rules import key_text
from resolvers.rules.key_text import generate_key, parse_key
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.embedded import start_anew
from tests.schema.test_api_keys import VIEWER


@pytest.fixture
async def http(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def test_credentials_are_required_as_soon_as_a_key_exists(
    http: httpx.AsyncClient, database: DocumentDatabase
) -> None:
    _, text = await create_api_key(database, VIEWER, created_by="test")
    query = {"query": "{ viewer { role organizations } }"}
    assert (await http.post("/graphql", json=query)).status_code == 401
    for path in ("/api/organizations", "/metrics"):
        assert (await http.get(path)).status_code == 401, path
    assert (await http.post("/api/v2/write?bucket=machines", content="m f=1")).status_code == 401
    assert (await http.get(f"/api/organizations?api_key={text}&token={text}")).status_code == 401
    for headers in (
        {"Authorization": f"Bearer {text}"},
        {"Authorization": f"Token {text}"},
        {"X-API-Key": text},
    ):
        answer = await http.post("/graphql", json=query, headers=headers)
        assert answer.json() == {"data": {"viewer": {"role": "viewer", "organizations": []}}}
        assert (await http.get("/api/organizations", headers=headers)).status_code == 200
        assert (await http.get("/metrics", headers=headers)).status_code == 403
        write = await http.post("/api/v2/write?bucket=machines", content="m f=1", headers=headers)
        assert write.status_code == 403


# Long because it lists the credentials that are not valid.
async def test_a_credential_that_is_not_valid_is_rejected_without_details(
    http: httpx.AsyncClient, database: DocumentDatabase
) -> None:
    _, key = await create_api_key(database, VIEWER, created_by="test")
    mistyped = key[:-1] + ("x" if key[-1] != "x" else "y")
    body = f"swk_{key.split('_')[1]}_{generate_key().text.split('_')[2][:43]}"
    wrong_secret = body + key_text._make_checksum(body)
    assert parse_key(wrong_secret) is not None
    for headers in (
        [("Authorization", text)]
        for text in (
            "Basic eDp5",
            "Bearer",
            "Bearer swk_x",
            "Bearer \u00fc",
            key,
            f"Bearer\t{key}",
            f"Bearer {key} x",
            f'Bearer "{key}"',
            f"Bearer {key}, Bearer {key}",
            f"Bearer {key.swapcase()}",
            f"Bearer {mistyped}",
            f"Bearer {wrong_secret}",
            f"Bearer {key}{'x' * 9000}",
        )
    ):
        await expect_401(http, headers, key)
    bearer = ("Authorization", f"Bearer {key}")
    for headers in (
        [("X-API-Key", "")],
        [("X-API-Key", f"Bearer {key}")],
        [("X-API-Key", key), bearer],
        [("X-API-Key", key), ("X-API-Key", key)],
        [bearer, bearer],
        [("Authorization", ""), ("X-API-Key", key)],
        [("Cookie", f"authorization=Bearer {key}; x-api-key={key}; sync-gateway-credential={key}")],
        [("X_API_Key", key)],
        [("Proxy-Authorization", f"Bearer {key}")],
    ):
        await expect_401(http, headers, key)
    for name, text in (("authorization", f"bearer   {key}  "), ("AUTHORIZATION", f"TOKEN {key}")):
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={name: text})
        old = await http.get("/api/organizations", headers={name: text})
        for response in (answer, old):
            assert response.status_code == 200
            assert "Authorization, X-API-Key" in response.headers["vary"]


async def expect_401(http: httpx.AsyncClient, headers: list[tuple[str, str]], key: str) -> None:
    """Whether the graph and an old route reject the headers with their code and nothing of the key."""
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    answer = await http.post("/graphql", json={"query": "{ viewer { subject } }"}, headers=encoded)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]) == (401, {"code": "UNAUTHENTICATED"}), headers
    assert answer.headers["www-authenticate"] == "Bearer"
    old = await http.get("/api/organizations", headers=encoded)
    assert (old.status_code, list(old.json())) == (401, ["error"]), headers
    assert key.split("_")[2][:20] not in answer.text + old.text


async def test_a_lost_store_of_keys_does_not_open_the_gateway(tmp_path: Path) -> None:
    query = {"query": "{ viewer { subject } }"}

    async def ask(*, creates: bool) -> int:
        app = create_app(Settings(data=tmp_path))
        state = app.state.app_state
        if creates:
            await create_api_key(state.documents.database(state.documents.default), VIEWER, created_by="test")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
            status = (await http.post("/graphql", json=query)).status_code
        await state.documents.close()
        await state.series.store.close()
        return status

    assert await ask(creates=False) == 200
    assert await ask(creates=True) == 401
    for name in ("documents.db", "documents.db-wal", "documents.db-shm"):
        await asyncio.to_thread((tmp_path / name).unlink, missing_ok=True)
    start_anew(tmp_path, None, None)
    assert await ask(creates=False) == 401
