"""The application over each document store, with a plant of a few machines."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schema.server.app import create_app
from schema.server.key_sets import KeySet
from schema.server.settings import Settings
from schema.server.token_check import TokenCheck
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.patience import BUSY_S
from tests.schema.client import Client
from tests.schema.clock import Clock
from tests.schema.executors import ExecutorPair, stores
from tests.schema.issuer import Issuer
from tests.schema.machines import PlantSeries
from tests.serving import served
from tests.validation import validated_once

__all__ = ["validated_once"]

BACKENDS = ("sqlite", "mongodb")


@pytest.fixture
def backend() -> str:
    """Which store a test runs on: `parametrize("backend", BACKENDS)` runs it on every one."""
    return "sqlite"


@pytest.fixture
async def documents(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DocumentStore]:
    url = None
    if backend == "mongodb":
        server = request.getfixturevalue("mongodb_server")
        url = f"{server.url}/default-{uuid.uuid4().hex[:8]}"
    store = open_documents(url, data=tmp_path, deadline=BUSY_S)
    yield store
    await store.close()


@pytest.fixture
def database(documents: DocumentStore) -> DocumentDatabase:
    """The default database, which holds the API keys."""
    return documents.database(documents.default)


@pytest.fixture
async def series(tmp_path: Path, organization: str) -> AsyncIterator[WritableSeriesStore]:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    yield PlantSeries(store, organization)
    await store.close()


@pytest.fixture
async def client(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[Client]:
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    client = Client(app, documents)
    yield client
    await client.http.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with served(issuer.app) as issuer.url:
        yield issuer


@pytest.fixture
def check_token(issuer: Issuer, clock: Clock) -> TokenCheck:
    """What checks the tokens of the issuer; its keys grow old by the clock."""
    return TokenCheck([KeySet(issuer.settings(), clock)])


@pytest.fixture
def organization() -> str:
    """A name that no other test uses, for tests that share a server."""
    return f"o-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def plant(client: Client, organization: str) -> str:
    """The organization of `create_plant`, in the stores of the fixtures."""
    await create_plant(client, organization)
    return organization


async def create_plant(client: Client, organization: str) -> None:
    """Create an organization with the application `cnc`.

    It has the machines M0, M1 and M2, two connectors and an event class.
    """
    await client.run(CREATE_ORGANIZATION, organization=organization)
    await client.run(CREATE_APPLICATION, organization=organization, application="cnc")
    for application, name in ((None, "Fanuc"), ("cnc", "Line 1")):
        await client.run(CREATE_CONNECTOR, organization=organization, application=application, name=name)
    await client.run(ADD_EVENT_CLASS, organization=organization)
    for i in range(3):
        await client.run(CREATE_DEVICE, organization=organization, machine=f"M{i}")


CREATE_ORGANIZATION = """mutation($organization: String!) {
  createOrganization(input: {organizationId: $organization, name: "Ferro"}) { organization { id } } }"""
CREATE_APPLICATION = """mutation($organization: String!, $application: String!) {
  createApplication(input: {organizationId: $organization, applicationId: $application, name: "CNC"}) {
    application { id } } }"""
CREATE_CONNECTOR = """mutation($organization: String!, $application: String, $name: String!) {
  createConnector(input: {organizationId: $organization, applicationId: $application, name: $name,
    driver: "fanuc", properties: {host: "cnc.example", password: "demo-only"}}) {
    connector { documentId } } }"""
ADD_EVENT_CLASS = """mutation($organization: String!) {
  addEventClass(input: {organizationId: $organization, applicationId: "cnc",
    eventClass: {class: "EXECUTION", topic: "accepted", type: "STR", authValues: ["ACTIVE"]}}) {
    eventClass { eventClassId } } }"""
CREATE_DEVICE = """mutation($organization: String!, $machine: String!) {
  createDevice(input: {organizationId: $organization, applicationId: "cnc", machineId: $machine,
    name: "Machine", connectorNames: ["Line 1", "Fanuc"], properties: {ip: "192.0.2.1", port: 8193},
    eventBindings: [{sourceId: "execution", class: "EXECUTION", label: "Execution"}]}) { device { id } } }"""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[ExecutorPair]:
    async with stores(tmp_path) as opened:
        yield opened
