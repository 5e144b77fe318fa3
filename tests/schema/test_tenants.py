"""A viewer reaches the data of its organizations only: any other organization is one that does not exist."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request

from resolvers.grants import Grant, Role
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

MISSING = f"missing-{uuid.uuid4().hex[:12]}"
QUERIES = (
    "query($o: String!) { organization(organizationId: $o) { name deviceCount applications { name } } }",
    """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
      devices { totalCount nodes { machineId connectors { name } } } connectors { name } } }""",
    """query($o: String!) { device(organizationId: $o, applicationId: "cnc", machineId: "M0") {
      name status { power } } }""",
    """query($o: String!) { documents(organizationId: $o, applicationId: "cnc", of: DEVICES) }""",
    """mutation($o: String!) { updateOrganization(input: {organizationId: $o, name: "mine"}) {
      organization { name } } }""",
    """mutation($o: String!) { deleteApplication(input: {organizationId: $o, applicationId: "cnc"}) {
      applicationId } }""",
)


@pytest.fixture
def grant() -> Grant:
    return Grant("key", Role.ADMIN, organizations=frozenset({"own"}))


@pytest.fixture
async def viewer(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path, grant: Grant
) -> AsyncIterator[Client]:
    async def authenticate(request: Request) -> Grant:
        return grant

    app = create_app(Settings(data=tmp_path), documents=documents, series=series, authenticate=authenticate)
    client = Client(app, documents)
    yield client
    await client.http.aclose()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("query", QUERIES)
async def test_a_foreign_organization_does_not_exist(
    client: Client, viewer: Client, plant: str, query: str, backend: str
) -> None:
    # Unlike MongoDB, its test server lists a database once it was read: there, the viewer asks for both.
    reference = client if backend == "sqlite" else viewer
    missing, foreign = await reference.send(query, o=MISSING), await viewer.send(query, o=plant)
    for answer in (missing, foreign):
        del answer["extensions"]["trace"]["compiled"]  # the second execution is compiled
    assert foreign == missing


async def test_lists_hold_the_own_organizations_only(client: Client, viewer: Client, plant: str) -> None:
    query = "{ organizations { totalCount nodes { organizationId } } viewer { organizationIds } }"
    await client.run(
        'mutation { createOrganization(input: {organizationId: "own"}) { organization { name } } }'
    )
    everybody = await client.run(query)
    assert everybody["organizations"]["totalCount"] == 2
    assert await viewer.run(query) == {
        "organizations": {"totalCount": 1, "nodes": [{"organizationId": "own"}]},
        "viewer": {"organizationIds": ["own"]},
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
