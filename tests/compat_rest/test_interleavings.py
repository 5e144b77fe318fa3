"""Two tenants at the same time: whatever their requests share, each is answered with its own data only.

They share the application with its cached documents and plans, the ring of API keys, the idempotency keys,
the counts of events and the stores. The data of both is the same but for the marker in it.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Grant, Role
from schema.server.settings import Settings
from stores.contracts.samples import MACHINE, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series
from tests.compat_rest.two_tenants import creations
from tests.randomized import randomized

pytestmark = pytest.mark.asyncio(loop_scope="module")
MARKERS = {"red": "MARKER-OF-RED", "blue": "MARKER-OF-BLUE"}
# The operations are the same text for both: `ORG` and `TEXT` stand for the names in variables and bodies.
QUERIES = (
    "{ viewer { subject organizations } organizations { nodes { name devices { nodes { name } } } } }",
    """query($o: String!) { organization(organizationId: $o) { name users { name } gateways { name }
      devices { totalCount nodes { name connectors { name } status { execution } } } } }""",
    """query($o: String!) { device(organizationId: $o, applicationId: "cnc", machineId: "M0") {
      name series(measurement: "state", field: "execution", range: {last: "P1D"}) {
      values } } }""",
    "{ analytics { registeredDevices connectedDevices events { nodes { value } } } apiKeys { name } }",
    """query($o: String!) { auditLog(organizationId: $o, first: 3) { nodes { operation changes { after } } }
      documents(organizationId: $o, applicationId: "cnc", of: DEVICES) }""",
    """mutation($o: String!, $t: String!) { createUser(input: {organizationId: $o, name: $t,
      email: "same@example.com", idempotencyKey: "one key"}) { user { name } } }""",
    """mutation($o: String!, $t: String!) { updateDevice(input: {organizationId: $o, applicationId: "cnc",
      machineId: "M0", name: $t}) { device { name application { name } } } }""",
)
ROUTES = (
    "/api/organizations",
    "/api/organizations/ORG",
    "/api/organizations/ORG/users",
    "/api/query/registered",
    "/api/query/registered/all",
    "/api/query/applications",
    "/api/query/events",
    "/api/applications/ORG/applications/cnc/devices",
)

WITHOUT_NAMES = (
    "/api/organizations",
    *(route for route in ROUTES if "registered" in route or "query/app" in route),
)


class Sent(NamedTuple):
    """A request: who sends it, to whose organization, and which of `QUERIES` or `ROUTES` it is."""

    sender: str
    organization: str
    request: str


class Gateway:
    """The application of both tenants, and a client with the key of each."""

    def __init__(self, clients: dict[str, httpx.AsyncClient]) -> None:
        self._clients = clients

    async def send(self, sent: Sent) -> httpx.Response:
        http = self._clients[sent.sender]
        if sent.request.startswith("/"):
            return await http.get(sent.request.replace("ORG", sent.organization))
        variables = {"o": sent.organization, "t": MARKERS[sent.sender]}
        return await http.post("/graphql", json={"query": sent.request, "variables": variables})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("interleavings")
    documents, series = open_documents(None, data=folder), open_series(None, data=folder)
    assert isinstance(series, WritableSeriesStore)
    app = create_app(Settings(data=folder), documents=documents, series=series)
    transport = httpx.ASGITransport(app)
    keys = documents.database(documents.default)
    clients: dict[str, httpx.AsyncClient] = {}
    _, operator = await create_api_key(keys, KeySpec("op", role=Role.OPERATOR), created_by="test")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        for organization, marker in MARKERS.items():
            for creation in creations(organization, marker):
                body = {"query": f"mutation {{ {creation} {{ __typename }} }}"}
                answer = await http.post("/graphql", json=body, headers={"X-API-Key": operator})
                assert "errors" not in answer.json(), answer.text
            database = SeriesLayout().find_location(organization).database
            point = Point("state", ((MACHINE, "M0"),), {"power": True, "execution": marker}, time.time_ns())
            assert await series.write(database, [point]) == [None]
            spec = KeySpec(marker, (organization,), Role.ADMIN)
            _, key = await create_api_key(keys, spec, created_by=marker)
            headers = {"X-API-Key": key}
            clients[organization] = httpx.AsyncClient(
                transport=transport, base_url="http://gateway", headers=headers
            )
    yield Gateway(clients)
    for client in clients.values():
        await client.aclose()
    await app.state.app_state.audit.close()
    await documents.close()
    await series.close()


def check(sent: Sent, response: httpx.Response) -> None:
    """Nothing of the other tenant; and its own data, unless it requested the other organization."""
    [other] = [name for name in MARKERS if name != sent.sender]
    assert MARKERS[other] not in response.text, sent
    if sent.organization == sent.sender or "ORG" not in sent.request:
        assert response.status_code in (200, 201), (sent, response.text)
    assert not re.search(rf'"{other}"', response.text.replace(f'"{sent.organization}"', "")), sent


requests = st.builds(
    Sent, st.sampled_from([*MARKERS]), st.sampled_from([*MARKERS]), st.sampled_from([*QUERIES, *ROUTES])
)


@pytest.mark.slow
@randomized(examples=12)
@given(rounds=st.lists(st.lists(requests, min_size=2, max_size=8), min_size=1, max_size=3))
async def test_no_interleaving_mixes_two_tenants(gateway: Gateway, rounds: list[list[Sent]]) -> None:
    for sent in rounds:
        responses: list[Any] = await asyncio.gather(*map(gateway.send, sent))
        for one, response in zip(sent, responses, strict=True):
            check(one, response)


async def test_each_tenant_is_answered_with_its_own_data(gateway: Gateway) -> None:
    """Otherwise, answers without anything of the other would prove nothing."""
    for tenant, marker in MARKERS.items():
        for request in (*QUERIES, *ROUTES):
            sent = Sent(tenant, tenant, request)
            response = await gateway.send(sent)
            check(sent, response)
            if request not in WITHOUT_NAMES:
                assert marker in response.text, (request, response.text)


async def test_a_planted_leak_is_found(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grant, "covers", lambda grant, organization_id: True)
    for request in ("/api/organizations/ORG", QUERIES[1]):
        sent = Sent("red", "blue", request)
        with pytest.raises(AssertionError):
            check(sent, await gateway.send(sent))
