"""The served application over each document store."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import SeriesStore, WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.contract.answering import Answer, answering
from tests.contract.test_influx3_refusals import CORE
from tests.contract.test_influx_answers import choose_rows
from tests.patience import BUSY_S
from tests.validation import validated_once

__all__ = ["validated_once"]

ORGANIZATION = "/api/organizations/acme"
CNC = f"{ORGANIZATION}/applications/cnc"
OLD_CNC = "/api/applications/acme/applications/cnc"
EVENT_CLASS = {"class": "MODE", "topic": "t", "type": "STR"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'


@pytest.fixture
def backend() -> str:
    """The document store of a test: `parametrize("backend", ...)` runs it on others."""
    return "sqlite"


@pytest.fixture
async def documents(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DocumentStore]:
    url = None
    if backend == "mongodb":
        # An empty server: old routes list and count every organization of the server.
        server = request.getfixturevalue("empty_mongodb_server")
        url = f"{server.url}/default-{uuid.uuid4().hex[:8]}"
    store = open_documents(url, data=tmp_path, deadline=BUSY_S)
    yield store
    await store.close()


@pytest.fixture
async def series(tmp_path: Path) -> AsyncIterator[WritableSeriesStore]:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    yield store
    await store.close()


@pytest.fixture
async def client(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    # The application answers its failures itself; they are not raised into the test.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture
async def down_client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway over a time-series store that fails: its file was damaged after the start."""
    folder = tmp_path / "down"
    series = open_series(None, data=folder)
    (folder / "series.db").write_bytes(b"this is no database, and long enough to be seen as none" * 100)
    async with open_client(folder, series) as client:
        yield client


@pytest.fixture
async def refusing_client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway over an InfluxDB 3 Core that would have to read too much for every query."""

    def choose(request: str) -> Answer:
        return choose_rows(Answer(400, CORE), request)

    async with answering(choose) as server:
        series = open_series(server.url, data=tmp_path)
        async with open_client(tmp_path / "refusing", series) as client:
            yield client


@asynccontextmanager
async def open_client(folder: Path, series: SeriesStore) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a gateway over a time-series store, and close both in the end."""
    store = open_documents(None, data=folder)
    app = create_app(Settings(data=folder), documents=store, series=series)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
    await store.close()
    await series.close()


@pytest.fixture
async def plant(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """An organization `acme` with application `cnc` and device `M1`."""
    await client.put(ORGANIZATION, json={"name": "Acme"})
    await client.post(f"{ORGANIZATION}/applications", json={"applicationId": "cnc", "name": "CNC"})
    await client.post(f"{CNC}/devices", json={"machineId": "M1", "name": "One"})
    return client
