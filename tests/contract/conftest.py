"""The document stores that the contract is tested on, each with a database of its own for every test."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, cast

import pytest

from stores.backends.influx.influx2 import Influx2SeriesDatabase, Influx2SeriesStore
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.opening import open_documents
from tests.contract.influx2 import opened
from tests.contract.series_stores import make_bucket, written
from tests.patience import BUSY_S
from tests.servers import InfluxDB2

__all__ = ["document_store", "documents", "written"]

STORES = ("sqlite", "mongodb-pymongo", "mongodb-motor")


@pytest.fixture(params=STORES)
async def document_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DocumentStore]:
    url, _, driver = request.param.partition("-")
    if url == "mongodb":
        url = request.getfixturevalue("mongodb_server").url + f"/default-{uuid.uuid4().hex[:8]}"
    store = open_documents(
        url if driver else None,
        data=tmp_path,
        deadline=BUSY_S,
        driver=cast(Literal["pymongo", "motor"], driver or "pymongo"),
    )
    yield store
    await store.close()


@pytest.fixture
def documents(document_store: DocumentStore) -> DocumentDatabase:
    return document_store.database(f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def influx2_store(influxdb2_server: InfluxDB2) -> AsyncIterator[Influx2SeriesStore]:
    async with opened(influxdb2_server) as store:
        yield store


@pytest.fixture
async def influx2_series(
    influx2_store: Influx2SeriesStore, influxdb2_server: InfluxDB2
) -> Influx2SeriesDatabase:
    """The series of a bucket that is empty."""
    name = f"influx2-{uuid.uuid4().hex[:12]}"
    await make_bucket(influxdb2_server, name)
    return influx2_store.database(name)
