"""The health checks and the metric of an embedded store that can be read but not written."""

from pathlib import Path

import apsw
import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.schema.client import Client


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
