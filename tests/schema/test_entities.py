"""The other entities through the graph: what is unique, what is masked, and global ids."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stores.entities.api_keys import ApiKey
from stores.entities.applications import Application
from stores.entities.audit import AuditEntry, RefusalEntry
from stores.entities.cipher import SecretCipher, read_keys
from stores.entities.configuration import ConfigEntry
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device, LegacyDevice
from stores.entities.entity import Entity
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.gateways import Gateway
from stores.entities.organizations import Organization
from stores.entities.registry import ENTITIES, list_entities_of_application
from stores.entities.services import Service
from stores.entities.users import User
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

# How clients create each entity; None for what they cannot create.
CREATIONS: dict[type[Entity], str | None] = {
    Organization: 'createOrganization(input: {organizationId: $x, name: "A"}) { organization { id } }',
    Application: """createApplication(input: {organizationId: $o, applicationId: "b", name: "A"}) {
        application { id } }""",
    User: 'createUser(input: {organizationId: $o, name: "A", email: "a@b.c"}) { user { id } }',
    Gateway: 'createGateway(input: {organizationId: $o, gatewayId: "G", name: "A"}) { gateway { id } }',
    ConnectorTemplate: """createConnector(input: {organizationId: $o, name: "C", driver: "d"}) {
        connector { id } }""",
    Connector: """createConnector(input: {organizationId: $o, applicationId: "cnc", name: "C",
        driver: "d"}) { connector { id } }""",
    ConfigEntry: None,
    Device: """createDevice(input: {organizationId: $o, applicationId: "cnc", machineId: "N"}) {
        device { id } }""",
    EventClass: """addEventClass(input: {organizationId: $o, applicationId: "cnc", eventClass: {
        eventClassId: "e", class: "C", topic: "t", type: "INT"}}) { eventClass { id } }""",
    Function: """createFunction(input: {organizationId: $o, applicationId: "cnc", functionId: "f",
        name: "F", expression: "x", variables: ["x"]}) { function { id } }""",
    Service: """createService(input: {name: "S", type: MQTT, configuration: {host: "h"}}) {
        service { id } }""",
    LegacyDevice: 'createDevice(input: {machineId: "L"}) { device { id } }',
    ApiKey: None,  # test_api_keys.py
    AuditEntry: None,  # test_audit.py
    RefusalEntry: None,
}
CREATED = [entity for entity, creation in CREATIONS.items() if creation is not None]


def creation_of(entity: type[Entity]) -> str:
    creation = CREATIONS[entity]
    assert creation is not None
    declared = [f"${name}: String!" for name in "ox" if f"${name}" in creation]
    return f"mutation{'(' + ', '.join(declared) + ')' if declared else ''} {{ {creation} }}"


def test_no_entity_is_untested() -> None:
    assert set(CREATIONS) == set(ENTITIES)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("entity", CREATED, ids=lambda entity: entity.__name__)
async def test_a_key_is_unique_under_concurrency(client: Client, plant: str, entity: type[Entity]) -> None:
    creation = creation_of(entity)
    responses = await asyncio.gather(*(client.send(creation, o=plant, x=f"x-{plant}") for _ in range(10)))
    codes = [response["errors"][0]["extensions"]["code"] for response in responses if "errors" in response]
    assert codes == ["CONFLICT"] * 9


@pytest.mark.parametrize("backend", BACKENDS)
async def test_ids_that_the_server_makes_do_not_collide(client: Client, plant: str) -> None:
    add = """mutation($o: String!) { addEventClass(input: {organizationId: $o, applicationId: "cnc",
      eventClass: {class: "C", topic: "t", type: "INT"}}) { eventClass { eventClassId } } }"""
    results = await asyncio.gather(*(client.run(add, o=plant) for _ in range(10)))
    assert len({a["addEventClass"]["eventClass"]["eventClassId"] for a in results}) == 10


@pytest.mark.parametrize("backend", BACKENDS)
async def test_event_classes_are_replaced_all_or_not_at_all(client: Client, plant: str) -> None:
    replace = """mutation($o: String!, $e: [EventClassInput!]!) { setEventClasses(input: {
      organizationId: $o, applicationId: "cnc", eventClasses: $e}) { eventClasses { class } } }"""
    read = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
      eventClasses { class topic devices { machineId } } } }"""
    before = await client.run(read, o=plant)
    good = {"class": "MODE", "topic": "t", "type": "STR"}
    for bad in ([good, {"class": "X"}], [{**good, "eventClassId": "a"}] * 2):
        assert await client.code(replace, o=plant, e=bad) == "BAD_USER_INPUT"
        assert await client.run(read, o=plant) == before
    await client.run(replace, o=plant, e=[good, {**good, "class": "SPEED"}])
    after = await client.run(read, o=plant)
    assert [e["class"] for e in after["application"]["eventClasses"]] == ["MODE", "SPEED"]


async def test_functions_fall_back_to_defaults_when_replaced(client: Client, plant: str) -> None:
    create = """mutation($o: String!) { createFunction(input: {organizationId: $o, applicationId: "cnc",
      name: "F", expression: "x * 2", variables: ["x"], description: "d"}) { function { functionId } } }"""
    function_id = (await client.run(create, o=plant))["createFunction"]["function"]["functionId"]
    update = """mutation($o: String!, $f: String!, $counter: JSON) { updateFunction(input: {
      organizationId: $o, applicationId: "cnc", functionId: $f, name: "P", type: "Counter",
      counter: $counter, variables: []}) {
      function { functionId expression description counter } } }"""
    assert await client.code(update, o=plant, f=function_id) == "BAD_USER_INPUT"
    changed = await client.run(update, o=plant, f=function_id, counter={"name": "pieces"})
    assert changed["updateFunction"]["function"] == {
        "functionId": function_id,
        "expression": "pieces",
        "description": "",
        "counter": {"name": "pieces"},
    }
    assert await client.code(update, o=plant, f="none", counter={"name": "p"}) == "NOT_FOUND"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_secret_goes_in_and_comes_out_only_as_a_mask(
    client: Client, plant: str, tmp_path: Path
) -> None:
    create = """mutation($c: JSON!) { createService(input: {name: "broker", type: MQTT, configuration: $c}) {
      service { documentId configuration document } } }"""
    secret = {"host": "h", "auth": {"Password": "demo-only", "empty_token": ""}, "API-Key": ["demo-only"]}
    service = (await client.run(create, c=secret))["createService"]["service"]
    assert "demo-only" not in json.dumps(service)
    masked = service["configuration"]
    assert masked["auth"] == {"Password": "********", "empty_token": ""}
    update = """mutation($d: String!, $c: JSON) { updateService(input: {documentId: $d, configuration: $c}) {
      service { configuration } } }"""
    await client.run(update, d=service["documentId"], c={**masked, "host": "other"})
    [saved] = await client.documents.database(client.documents.default).find(Service.collection_of())
    assert "demo-only" not in str(saved)
    assert cipher(tmp_path).decrypt(saved)["configuration"] == {**secret, "host": "other"}
    assert (
        await client.code(update, d=service["documentId"], c={"new_secret": "********"}) == "BAD_USER_INPUT"
    )


def cipher(data: Path) -> SecretCipher:
    """What opens the secrets of the application whose data folder it is."""
    return SecretCipher(read_keys(data / "secrets.key"))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_application_is_deleted_with_all_that_belongs_to_it(client: Client, plant: str) -> None:
    """And nothing of another application: every entity of the scope takes part."""
    create = """mutation($o: String!) { createApplication(input: {organizationId: $o, applicationId: "b",
      name: "B"}) { __typename } }"""
    await client.run(create, o=plant)
    documents = client.documents.database(plant)
    for entity in list_entities_of_application():
        for application in ("cnc", "b"):
            document = {"_id": f"{entity.__name__}-{application}", "applicationId": application}
            await documents.insert(entity.collection_of(application), document)
    delete = """mutation($o: String!) { deleteApplication(input: {organizationId: $o, applicationId: "cnc"})
      { __typename } }"""
    await client.run(delete, o=plant)
    for entity in list_entities_of_application():
        stored = await documents.find(entity.collection_of("cnc"), entity.query("cnc"))
        assert stored == [], entity
        saved = await documents.find(entity.collection_of("b"), entity.query("b"))
        assert [document["_id"] for document in saved] == [f"{entity.__name__}-b"]


async def test_a_connector_takes_the_secrets_of_its_template(
    client: Client, plant: str, tmp_path: Path
) -> None:
    create = """mutation($o: String!, $p: JSON) { createConnector(input: {organizationId: $o,
      applicationId: "cnc", name: "Copy", driver: "fanuc", properties: $p}) { connector { properties } } }"""
    properties = {"host": "mine", "password": "********"}
    created = await client.run(create, o=plant, p=properties)
    assert created["createConnector"]["connector"]["properties"] == properties
    connectors = await client.documents.database(plant).find(Connector.collection_of("cnc"))
    assert "demo-only" not in str(connectors)
    opened = cipher(tmp_path).decrypt(connectors[-1])["properties"]
    assert opened == {"host": "mine", "password": "demo-only"}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_every_entity_is_refetched_by_its_global_id(client: Client, plant: str) -> None:
    created = [await client.run(creation_of(entity), o=plant, x=f"x-{plant}") for entity in CREATED]
    query = """query($o: String!) { organization(organizationId: $o) { id users { id } gateways { id }
      connectors { id } applications { id connectors { id } eventClasses { id } functions { id }
      devices { nodes { id } } } } services { id } legacyDevices { nodes { id } } }"""
    listed = _ids(await client.run(query, o=plant))
    assert len(set(listed)) == len(listed)
    ids = {*_ids(created), *listed}
    kinds = {json.loads(base64.urlsafe_b64decode(id_ + "=" * (-len(id_) % 4)))[0] for id_ in ids}
    assert kinds == {entity.node_kind for entity in ENTITIES if entity.node_kind is not None}
    for id_ in ids:
        again = await client.run("query($id: ID!) { node(id: $id) { id __typename } }", id=id_)
        assert again["node"]["id"] == id_


def _ids(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [i for k, v in value.items() for i in ([v] if k == "id" else _ids(v))]
    return [i for item in value for i in _ids(item)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    "forged",
    [
        ["Organization"],
        ["Organization", "admin"],
        ["Organization", "none"],
        ["Organization", ["a"]],
        ["Device", "none", "cnc", {"": "0" * 24}],
        ["Device", "a.b", "cnc", {"": "0" * 24}],
        ["Device", 1, 2, 3],
        ["Service", "none", None, {"": "0" * 24}],
        ["Icon", "../..", "passwd"],
        ["Nothing", "a"],
        [],
        {"a": 1},
        5,
    ],
)
async def test_a_forged_global_id_is_as_unknown_as_any(client: Client, forged: Any) -> None:
    raw = base64.urlsafe_b64encode(json.dumps(forged, separators=(",", ":")).encode()).decode().rstrip("=")
    for id_ in (raw, raw + "=", "é", "", raw[:-1]):
        assert await client.run("query($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}


async def test_an_icon_is_stored_under_the_format_of_its_content(client: Client) -> None:
    upload = """mutation($c: String!, $n: String!, $b: Base64!) { uploadIcon(input: {category: $c, name: $n,
      content: $b}) { icon { id name format path } } }"""
    plain = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
    saved = await client.run(upload, c="drivers", n="Fanuc", b=base64.b64encode(plain).decode())
    assert saved["uploadIcon"]["icon"]["path"] == "/api/library/drivers/fanuc/icon"
    for category, name, content in (
        ("..", "x", plain),
        ("a/b", "x", plain),
        (".hidden", "x", plain),
        ("a", "../x", plain),
        ("a", "x", b"<html></html>"),
        ("a", "x", b"<svg><g></svg>"),
        ("a", "x", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>'),
        ("a", "x", b"<svg>" + b"<g>" * 100 + b"</g>" * 100 + b"</svg>"),
    ):
        encoded = base64.b64encode(content).decode()
        assert await client.code(upload, c=category, n=name, b=encoded) == "BAD_USER_INPUT"
    scripted = plain.replace(b"<path", b'<script>alert(1)</script><path onload="x()"')
    await client.run(upload, c="drivers", n="evil", b=base64.b64encode(scripted).decode())
    data = await client.run('{ icons(category: "drivers") { name format size } }')
    sizes = {icon["name"]: icon["size"] for icon in data["icons"]}
    assert {"evil", "fanuc", "haas"} <= set(sizes)  # beside those of the starter set
    assert sizes["fanuc"] == len(plain)
