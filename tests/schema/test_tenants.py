"""A viewer reaches the data of its organizations only: any other organization is one that does not exist."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.requests import Request

from resolvers.grants import OPEN, Grant, Role
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.entities.secrets import MASK
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

MISSING = f"missing-{uuid.uuid4().hex[:12]}"
QUERIES = (
    "query($o: String!) { organization(organizationId: $o) { name deviceCount applications { name } } }",
    """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
      devices { totalCount nodes { machineId connectors { name } } } connectors { name } } }""",
    """query($o: String!) { device(organizationId: $o, applicationId: "cnc", machineId: "M0") {
      name status { power } } }""",
    """query($o: String!) { organization(organizationId: $o) {
      analytics { connectedDevices eventsProcessed } } }""",
    """query($o: String!) { series(machines: [{organizationId: $o, applicationId: "cnc", machineId: "M0"}],
      fields: [{measurement: "state", field: "power"}], range: {last: "P1D"}) { series { values } } }""",
    """query($o: String!) { documents(organizationId: $o, applicationId: "cnc", of: DEVICES) }""",
    """mutation($o: String!) { updateOrganization(input: {organizationId: $o, name: "mine"}) {
      organization { name } } }""",
    """mutation($o: String!) { deleteApplication(input: {organizationId: $o, applicationId: "cnc"}) {
      application { name } } }""",
)


@pytest.fixture
def grant() -> Grant:
    return Grant("key", Role.ADMIN, organizations=frozenset({"own"}))


@pytest.fixture
def counter() -> CallCounter:
    """The calls to both stores of the clients that `connect` makes."""
    return CallCounter()


@pytest.fixture
def connect(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path, counter: CallCounter
) -> Callable[[Grant], Client]:
    def connect(grant: Grant) -> Client:
        async def authenticate(request: Request) -> Grant:
            return grant

        counted = WrappedDocumentStore(documents, counter)
        counted_series = WrappedWritableSeriesStore(series, counter)
        app = create_app(
            Settings(data=tmp_path), documents=counted, series=counted_series, authenticate=authenticate
        )
        return Client(app, documents)

    return connect


@pytest.fixture
def viewer(connect: Callable[[Grant], Client], grant: Grant) -> Client:
    return connect(grant)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_foreign_organization_does_not_exist(
    connect: Callable[[Grant], Client], viewer: Client, plant: str, backend: str, counter: CallCounter
) -> None:
    # Unlike MongoDB, its test server lists a database once it was read: there, the viewer asks for both.
    reference = connect(OPEN) if backend == "sqlite" else viewer
    for query in QUERIES:
        missing = await reference.send(query, o=MISSING)
        missing.pop("extensions", None)
        calls = [*counter.calls]
        counter.calls.clear()
        assert await viewer.send(query, o=plant) == missing, query
        assert counter.calls == calls, query
        counter.calls.clear()


async def test_lists_hold_the_own_organizations_only(client: Client, viewer: Client, plant: str) -> None:
    query = "{ organizations { totalCount nodes { organizationId } } viewer { organizations } }"
    await client.run(
        'mutation { createOrganization(input: {organizationId: "own"}) { organization { name } } }'
    )
    everybody = await client.run(query)
    assert everybody["organizations"]["totalCount"] == 2
    assert await viewer.run(query) == {
        "organizations": {"totalCount": 1, "nodes": [{"organizationId": "own"}]},
        "viewer": {"organizations": ["own"]},
    }


async def test_a_global_id_of_a_foreign_organization_is_null(
    client: Client, viewer: Client, plant: str
) -> None:
    device = (
        """query($o: String!) { device(organizationId: $o, applicationId: "cnc", machineId: "M0") { id } }"""
    )
    id_ = (await client.run(device, o=plant))["device"]["id"]
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert (await client.run(node, id=id_))["node"] == {"id": id_}
    assert (await viewer.run(node, id=id_))["node"] is None


async def test_viewers_see_connectors_without_secrets(
    client: Client, connect: Callable[[Grant], Client], plant: str
) -> None:
    properties = {
        "host": "h",
        "password": "p",
        "brokers": [{"name": "b", "token": "t"}],
        "url": "mqtt://u:p@h",
    }
    create = """mutation($o: String!, $p: JSON!) { createConnector(input: {
      organizationId: $o, name: "S", driver: "d", properties: $p}) { connector { documentId } } }"""
    created = await client.run(create, o=plant, p=properties)
    query = """query($o: String!, $d: String!) { organization(organizationId: $o) {
      connector(documentId: $d) { properties document } }
      documents(organizationId: $o, of: TEMPLATES) }"""
    variables = {"o": plant, "d": created["createConnector"]["connector"]["documentId"]}
    for role, is_shown in (
        (
            Role.EDITOR,
            {
                "host": "h",
                "password": MASK,
                "brokers": [{"name": "b", "token": MASK}],
                "url": f"mqtt://u:{MASK}@h",
            },
        ),
        (Role.VIEWER, {"host": "h", "brokers": [{"name": "b"}]}),
    ):
        answer = await connect(Grant("key", role, frozenset({plant}))).run(query, **variables)
        connector = answer["organization"]["connector"]
        assert connector["properties"] == connector["document"]["properties"] == is_shown
        [template] = [d for d in answer["documents"] if d["name"] == "S"]
        assert template["properties"] == is_shown


async def test_only_operators_see_what_a_request_cost(connect: Callable[[Grant], Client], plant: str) -> None:
    query = "{ viewer { subject } }"
    assert "trace" in (await connect(OPEN).send(query))["extensions"]
    assert "extensions" not in await connect(Grant("key", Role.ADMIN, frozenset({plant}))).send(query)


# Long because it asks one grant in every way.
async def test_a_grant_for_some_applications_sees_these_only(
    client: Client, connect: Callable[[Grant], Client], plant: str
) -> None:
    application = """mutation($o: String!) { createApplication(input: {organizationId: $o, applicationId: "b",
      name: "B"}) { application { name } } }"""
    device = """mutation($o: String!, $a: String!, $m: String!) { createDevice(input: {organizationId: $o,
      applicationId: $a, machineId: $m}) { device { id } } }"""
    await client.run(application, o=plant)
    await client.run(device, o=plant, a="b", m="B0")
    everything = """query($o: String!) { organization(organizationId: $o) { deviceCount applicationCount
        applications { applicationId devices { nodes { machineId } } } devices { nodes { machineId id } } }
      application(organizationId: $o, applicationId: "cnc") { name }
      device(organizationId: $o, applicationId: "cnc", machineId: "M0") { name }
      devices: documents(organizationId: $o, applicationId: "cnc", of: DEVICES)
      classes: documents(organizationId: $o, applicationId: "cnc", of: EVENT_CLASSES)
      analytics { registeredDevices registeredApplications } }"""
    all_data = await client.run(everything, o=plant)
    assert all_data["organization"]["applicationCount"] == 2
    assert len(all_data["classes"]) == 1

    narrow = connect(Grant("key", Role.ADMIN, frozenset({plant}), frozenset({"b"})))
    visible = await narrow.run(everything, o=plant)
    [own] = visible["organization"].pop("devices")["nodes"]
    assert own["machineId"] == "B0"
    assert visible == {
        "organization": {
            "deviceCount": 1,
            "applicationCount": 1,
            "applications": [{"applicationId": "b", "devices": {"nodes": [{"machineId": "B0"}]}}],
        },
        "application": None,
        "device": None,
        "devices": [],
        "classes": [],
        "analytics": {"registeredDevices": 1, "registeredApplications": 1},
    }
    [foreign] = [d for d in all_data["organization"]["devices"]["nodes"] if d["machineId"] == "M0"]
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert (await narrow.run(node, id=foreign["id"]))["node"] is None
    assert (await narrow.run(node, id=own["id"]))["node"] == {"id": own["id"]}

    await narrow.run(device, o=plant, a="b", m="B1")
    assert await narrow.code(device, o=plant, a="cnc", m="B1") == "NOT_FOUND"
    for mutation in (
        application.replace('"b"', '"c"'),
        """mutation($o: String!) { updateOrganization(input: {organizationId: $o, name: "x"}) {
          organization { name } } }""",
        """mutation($o: String!) { deleteApplication(input: {organizationId: $o, applicationId: "b"}) {
          application { name } } }""",
        """mutation($o: String!) { createUser(input: {organizationId: $o, name: "x", email: "x"}) {
          user { id } } }""",
    ):
        assert await narrow.code(mutation, o=plant) == "FORBIDDEN", mutation
    after = await client.run(everything, o=plant)
    assert after["organization"]["applications"][0] == all_data["organization"]["applications"][0]
