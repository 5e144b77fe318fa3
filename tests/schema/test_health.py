"""The health checks and the metric of an embedded store that can be read but not written."""

import json
from pathlib import Path
from typing import Any

import apsw
import pytest
from pydantic import SecretStr

from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.app import create_app
from schema.server.issuer_settings import AuthSettings
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.schema.client import Client


@pytest.mark.slow
@pytest.mark.parametrize("file", ["documents.db", "series.db"])
async def test_a_store_that_takes_no_writes_is_ready_and_says_so(tmp_path: Path, file: str) -> None:
    documents = open_documents(None, data=tmp_path, deadline=0.5)
    series = open_series(None, data=tmp_path, deadline=0.5)
    client = Client(create_app(Settings(data=tmp_path), documents=documents, series=series), documents)
    store = file.removesuffix(".db")
    ready = {"status": "ok", "documents": "ok", "series": "ok"}
    assert (await client.http.get("/health/ready")).json() == ready
    foreign = apsw.Connection(str(tmp_path / file))
    foreign.execute("BEGIN IMMEDIATE")
    answer = await client.http.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {**ready, "writes": "unavailable"})
    metrics = (await client.http.get("/metrics")).text
    assert f'sync_gateway_store_writable{{store="{store}"}} 0.0' in metrics
    foreign.close()
    assert (await client.http.get("/health/ready")).json() == ready
    metrics = (await client.http.get("/metrics")).text
    assert f'sync_gateway_store_writable{{store="{store}"}} 1.0' in metrics
    await client.http.aclose()
    await documents.close()
    await series.close()


async def test_only_operators_are_told_which_store_fails(documents: DocumentStore, tmp_path: Path) -> None:
    token = "metrics-metrics-metrics"
    settings = Settings(data=tmp_path, auth=AuthSettings(metrics_token=SecretStr(token)))
    series, silent = open_series(None, data=tmp_path), open_series("http://127.0.0.1:1", data=tmp_path)
    healthy, failing = (
        Client(create_app(settings, documents=documents, series=store), documents)
        for store in (series, silent)
    )
    database = documents.database(documents.default)
    _, operator = await create_api_key(database, KeySpec("op", role=Role.OPERATOR), created_by="test")
    _, admin = await create_api_key(database, KeySpec("a", ("acme",), Role.ADMIN), created_by="test")

    async def ask(client: Client, path: str, key: str) -> tuple[int, str]:
        answer = await client.http.get(path, headers={"X-API-Key": key} if key else {})
        return answer.status_code, answer.text

    async def ready(client: Client, key: str) -> tuple[int, Any]:
        status, text = await ask(client, "/health/ready", key)
        return status, json.loads(text)

    assert await ready(healthy, operator) == (200, {"status": "ok", "documents": "ok", "series": "ok"})
    failed = {"status": "unavailable", "documents": "ok", "series": "unavailable"}
    assert await ready(failing, operator) == (503, failed)
    strangers = ("", admin, "wrong", token)
    for key in strangers:
        assert await ready(healthy, key) == (200, {"status": "ok"})
        assert await ready(failing, key) == (503, {"status": "unavailable"})
    assert [(await ask(healthy, "/metrics", key))[0] for key in strangers] == [401, 403, 401, 200]
    for path in ("/graphql?query={__typename}", "/graphql/schema.graphql"):
        assert (await ask(healthy, path, token))[0] == 401, "the token reads metrics and nothing else"
    for client in (healthy, failing):
        await client.http.aclose()
    await series.close()
    await silent.close()


async def test_the_checks_leave_nothing_written(
    client: Client, documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> None:
    await client.http.get("/health/ready")
    sizes = file_sizes(tmp_path)
    for path in ("/health/ready", "/metrics"):
        assert (await client.http.get(path)).status_code == 200
    assert file_sizes(tmp_path) == sizes
    assert await documents.list_databases() == []


def file_sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
