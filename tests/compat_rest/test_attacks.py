"""What an admin of one organization tries in order to reach the other: by bodies, names and references."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.compat_rest.two_tenants import FOREIGN, MACHINE_ID, MARKER, OWN, TwoTenants, open_tenants

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCOPE = f'organizationId: "{OWN}", applicationId: "cnc"'
FOREIGN_SCOPE = {"organizationId": FOREIGN, "applicationId": "cnc"}
DEVICES = f"/api/applications/{OWN}/applications/cnc/devices"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoTenants]:
    async with open_tenants(tmp_path_factory.mktemp("attacks")) as tenants:
        yield tenants


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(tenants: TwoTenants) -> AsyncIterator[None]:
    """After the test, the foreign organization has what it had before."""
    before = await tenants.dump()
    yield
    assert await tenants.dump() == before


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", DEVICES, {**FOREIGN_SCOPE, "machineId": "moved 1"}),
        ("POST", "/device/new", {"organizationId": OWN, "applicationId": "cnc", "machineId": "moved 2"}),
        ("PUT", f"/device/{MACHINE_ID}", {**FOREIGN_SCOPE, "name": "moved 3"}),
        ("POST", "/device/new", {**FOREIGN_SCOPE, "machineId": "moved 4"}),
        ("DELETE", f"/device/{MACHINE_ID}", FOREIGN_SCOPE),
        ("POST", f"/api/organizations/{OWN}/connectors", {**FOREIGN_SCOPE, "name": "moved 5", "driver": "d"}),
        ("POST", f"/api/organizations/{OWN}/users", {**FOREIGN_SCOPE, "name": "moved 6", "email": "moved"}),
        ("PUT", f"/api/organizations/{OWN}", {**FOREIGN_SCOPE, "id": FOREIGN, "name": "moved 7"}),
    ],
)
async def test_no_body_reaches_the_other_organization(
    tenants: TwoTenants, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await tenants.send("admin", method, path, json=body)
    assert MARKER not in answer.text
    assert answer.status != 500


@pytest.mark.usefixtures("untouched")
async def test_a_device_is_not_moved_to_the_other_organization(tenants: TwoTenants) -> None:
    update = f"""mutation {{ updateDevice(input: {{{SCOPE}, machineId: "{MACHINE_ID}",
      document: {{organizationId: "{FOREIGN}", _id: "x", name: "mine"}}}}) {{ device {{ name document
      application {{ organization {{ organizationId name }} }} }} }} }}"""
    device = (await tenants.run("admin", update))["updateDevice"]["device"]
    assert device["name"] == "mine"
    assert device["document"]["organizationId"] == OWN
    assert device["application"]["organization"]["organizationId"] == OWN


@pytest.mark.usefixtures("untouched")
async def test_names_of_the_other_organization_refer_to_nothing(tenants: TwoTenants) -> None:
    create = f"""mutation {{ createDevice(input: {{{SCOPE}, machineId: "referring",
      connectorNames: ["{MARKER}"], eventBindings: [{{sourceId: "s", class: "{MARKER}"}}]}}) {{ device {{
      connectors {{ name }} eventBindings {{ eventClass {{ class }} }} }} }} }}"""
    device = (await tenants.run("admin", create))["createDevice"]["device"]
    assert device == {"connectors": [], "eventBindings": [{"eventClass": None}]}


async def test_aliases_and_fragments_open_no_global_id(tenants: TwoTenants) -> None:
    own, foreign = tenants.values[OWN]["id"], tenants.values[FOREIGN]["id"]
    query = f"""query {{ a: node(id: "{foreign}") {{ ...F }} b: node(id: "{own}") {{ ...F }}
      c: node(id: "{foreign}") {{ ... on Device {{ application {{ organization {{ name }} }} }} }} }}
      fragment F on Node {{ id ... on Device {{ name application {{ devices {{ nodes {{ id }} }} }} }} }}"""
    data = await tenants.run("admin", query)
    assert (data["a"], data["c"]) == (None, None)
    assert data["b"]["id"] == own
    assert foreign not in str(data["b"])


@pytest.mark.usefixtures("untouched")
async def test_deleting_what_looks_alike_spares_the_other_organization(tenants: TwoTenants) -> None:
    """The last test: it deletes the own application, whose id both organizations have."""
    replace = f"""mutation {{ setEventClasses(input: {{{SCOPE}, eventClasses: []}}) {{ __typename }}
      deleteDevice(input: {{{SCOPE}, machineId: "{MACHINE_ID}"}}) {{ __typename }}
      deleteFunction(input: {{{SCOPE}, functionId: "f"}}) {{ __typename }}
      deleteGateway(input: {{organizationId: "{OWN}", gatewayId: "g"}}) {{ __typename }}
      deleteApplication(input: {{{SCOPE}}}) {{ __typename }} }}"""
    await tenants.run("admin", replace)
