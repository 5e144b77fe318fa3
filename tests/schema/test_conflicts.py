"""A conflict has the path of its field, and `current` is the stored object in the shape of the graph."""

from typing import Any

import pytest

from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

LONG_AGO = "2001-01-01T00:00:00.000Z"
SCOPE = 'organizationId: $o, applicationId: "cnc"'
CHANGES = [
    ("Organization", "updateOrganization", 'organizationId: $o, name: "x"', "organization"),
    ("Application", "updateApplication", f'{SCOPE}, name: "x"', "application"),
    ("Application", "deleteApplication", SCOPE, "application"),
    ("Device", "updateDevice", f'{SCOPE}, machineId: "M1", name: "x"', "device"),
    ("Device", "deleteDevice", f'{SCOPE}, machineId: "M1"', "device"),
    ("Device", "updateDevice", 'machineId: "OLD", name: "x"', "device"),
    ("Connector", "updateConnector", f'{SCOPE}, documentId: $c, name: "x"', "connector"),
    ("Connector", "deleteConnector", f"{SCOPE}, documentId: $c", "connector"),
    (
        "Function",
        "updateFunction",
        f'{SCOPE}, functionId: "f", name: "x", expression: "a", variables: ["a"]',
        "function",
    ),
    ("Function", "deleteFunction", f'{SCOPE}, functionId: "f"', "function"),
    ("User", "updateUser", 'organizationId: $o, documentId: $u, name: "x"', "user"),
    ("User", "deleteUser", "organizationId: $o, documentId: $u", "user"),
    ("Gateway", "updateGateway", 'organizationId: $o, gatewayId: "G", name: "x"', "gateway"),
    ("Gateway", "deleteGateway", 'organizationId: $o, gatewayId: "G"', "gateway"),
    ("Service", "updateService", 'documentId: $s, name: "x"', "service"),
    ("Service", "setServiceEnabled", "documentId: $s, enabled: false", "service"),
    ("Service", "deleteService", "documentId: $s", "service"),
]


@pytest.fixture
async def ids(client: Client, plant: str) -> dict[str, Any]:
    """The plant with a function, a service and a legacy device: its variables."""
    created = await client.run(
        """mutation($o: String!) {
          createFunction(input: {organizationId: $o, applicationId: "cnc", functionId: "f", name: "F",
            expression: "a", variables: ["a"]}) { function { id } }
          createService(input: {name: "Broker", type: MQTT, configuration: {host: "h", password: "secret"}}) {
            service { documentId } }
          createDevice(input: {machineId: "OLD"}) { device { id } }
          createUser(input: {organizationId: $o, name: "U", email: "u@b.c"}) { user { documentId } }
          createGateway(input: {organizationId: $o, gatewayId: "G", name: "G"}) { gateway { id } }
          updateOrganization(input: {organizationId: $o, name: "Ferro"}) { organization { id } } }""",
        o=plant,
    )
    data = await client.run(
        """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
          connectors { documentId } } }""",
        o=plant,
    )
    return {
        "o": plant,
        "u": created["createUser"]["user"]["documentId"],
        "s": created["createService"]["service"]["documentId"],
        "c": data["application"]["connectors"][0]["documentId"],
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("type_", "mutation", "input_", "field"), CHANGES)
async def test_the_current_object_has_the_shape_of_the_graph(
    client: Client, ids: dict[str, Any], type_: str, mutation: str, input_: str, field: str
) -> None:
    names = {f"${name}": "String!" for name in ("o", "c", "s", "u")}
    used = ", ".join(f"{name}: {kind}" for name, kind in names.items() if name in input_)
    definition = f"($t: DateTime, {used})" if used else "($t: DateTime)"
    error = await client.fail(
        f"mutation{definition} {{ changed: {mutation}(input: {{{input_}, ifUpdatedAt: $t}}) "
        f"{{ {field} {{ id }} }} }}",
        t=LONG_AGO,
        **{key: value for key, value in ids.items() if f"${key}" in input_},
    )
    assert error["path"] == ["changed"]
    assert error["extensions"]["code"] == "CONFLICT"
    current = error["extensions"]["current"]
    assert current["__typename"] == type_
    selection = " ".join(current)
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on {type_} {{ {selection} }} }} }}"
    assert (await client.run(query, id=current["id"]))["node"] == current
    assert "secret" not in str(current)
    assert "demo-only" not in str(current)


async def test_an_object_that_exists_already_is_a_conflict_of_its_field(client: Client, plant: str) -> None:
    create = """mutation($o: String!) {
      first: createUser(input: {organizationId: $o, email: "a@b.c", name: "A"}) { user { email } }
      second: createUser(input: {organizationId: $o, email: "a@b.c", name: "B"}) { user { email } } }"""
    answer = await client.send(create, o=plant)
    assert answer["data"] == {"first": {"user": {"email": "a@b.c"}}, "second": None}
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["second"], "CONFLICT")
