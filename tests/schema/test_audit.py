"""The audit log: every mutation and every refusal leaves an entry, which tells no secret."""

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type
from starlette.requests import Request
from typer.testing import CliRunner

from compat_rest.app import create_app
from compat_rest.main import app
from resolvers.grants import OPEN, Grant
from schema.server.logs import AUDIT_FIELDS
from schema.server.settings import Settings
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.audit import AuditEntry
from stores.entities.secrets import MASK
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents
from tests.schema.arguments import SAMPLES, SAMPLES_OF, Values, literal
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

assert schema._schema.mutation_type is not None
MUTATIONS = schema._schema.mutation_type.fields
LOG = """query($o: String, $first: Int, $after: String, $e: ID, $s: String, $op: String, $out: AuditOutcome,
    $range: TimeRange) {
  auditLog(organizationId: $o, first: $first, after: $after, entityId: $e, subject: $s, operation: $op,
    outcome: $out, range: $range) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { time subject operation outcome code requestId entityKind entityId applicationId
      changes { path before after isTruncated } } } }"""
# In which order mutations are sent, by the verb of their name: what is changed must exist.
VERBS = ("create", "add", "upload", "update", "rotate", "revoke", "delete")
# What a sample of an input has besides `tests.schema.arguments`; `documentId` is what the creation returned.
EXTRA: dict[str, dict[str, Any]] = {
    "createOrganization": {"organizationId": "audited-new"},
    "createApplication": {"applicationId": "other"},
    "updateApplication": {"applicationId": "other"},
    "deleteApplication": {"applicationId": "other"},
    "createDevice": {"machineId": "NEW"},
    "updateDevice": {"machineId": "M0"},
    "deleteDevice": {"machineId": "M1"},
    "createApiKey": {"role": "VIEWER"},
    "setServiceEnabled": {"enabled": False},
    "uploadIcon": {"content": "iVBORw0KGgo="},
    "updateFunction": {"functionId": "new", "name": "changed"},
    "deleteFunction": {"functionId": "new"},
    "updateGateway": {"newGatewayId": "newer"},
    "deleteGateway": {"gatewayId": "newer"},
}


def order_of(name: str) -> int:
    return next((index for index, verb in enumerate(VERBS) if name.startswith(verb)), VERBS.index("update"))


def payload_of(name: str) -> GraphQLObjectType:
    payload = get_named_type(MUTATIONS[name].type)
    assert isinstance(payload, GraphQLObjectType)
    return payload


async def send_sample(client: Client, name: str, ids: dict[str, Any]) -> dict[str, Any]:
    """Send a mutation with samples for its input. Returns the ids of what it has changed."""
    values = Values(name)
    values._samples |= {"applicationId": "cnc", **SAMPLES_OF.get(name, {}), **ids, **EXTRA.get(name, {})}
    type_ = MUTATIONS[name].args["input"].type
    selections = {
        field: {"documentId", "keyId", "__typename"}.intersection([*below.fields, "__typename"])
        for field, definition in payload_of(name).fields.items()
        if isinstance(below := get_named_type(definition.type), GraphQLObjectType)
    }
    selection = " ".join(f"{field} {{ {' '.join(ids)} }}" for field, ids in selections.items())
    text = literal(values.sample(type_, "input"), type_)
    [changed] = (await client.run(f"mutation {{ {name}(input: {text}) {{ {selection} }} }}"))[name].values()
    return changed if isinstance(changed, dict) else {}


async def read_log(client: Client, **variables: Any) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = (await client.run(LOG, first=1000, **variables))["auditLog"]["nodes"]
    return nodes


@pytest.mark.parametrize("backend", BACKENDS)
async def test_every_mutation_leaves_an_entry(
    documents: DocumentStore, series: WritableSeriesStore, plant: str, tmp_path: Path
) -> None:
    """The mutations are those of the schema, so that a new one is covered without a change here."""

    async def authenticate(request: Request) -> Grant:
        return OPEN  # also after a key was created

    app = create_app(Settings(data=tmp_path), documents=documents, series=series, authenticate=authenticate)
    client = Client(app, documents)
    unassigned = Point("state", ((MACHINE, SAMPLES["machineId"]),), {"power": True}, 1)
    assert await series.write(SeriesLayout().common, [unassigned]) == [None]
    ids = {"organizationId": plant, "organizationIds": plant}
    payloads: dict[str, Any] = {}  # by the type of the payload
    for name in sorted(MUTATIONS, key=order_of):
        type_ = payload_of(name).name
        payloads[type_] = await send_sample(client, name, {**ids, **payloads.get(type_, {})})
        owners = ["audited-new"] if name == "createOrganization" else [plant, None]
        entries = [entry for owner in owners for entry in await read_log(client, o=owner, op=name)]
        assert entries, f"{name} left no entry in the audit log"
        for entry in entries:
            assert (entry["subject"], entry["outcome"]) == ("open", "DONE"), name
            assert entry["requestId"] is not None, name
            assert entry["entityKind"] is not None, name
            assert entry["entityId"] is not None or entry["changes"], name


async def test_an_entry_tells_the_values_before_and_after(client: Client, plant: str) -> None:
    """Also if an old route has changed them, and never a secret."""
    query = """query($o: String!) { organization(organizationId: $o) { connectors { id documentId } } }"""
    [connector] = (await client.run(query, o=plant))["organization"]["connectors"]
    update = """mutation($o: String!, $d: String!) { updateConnector(input: {
      organizationId: $o, documentId: $d,
      properties: {host: "other.example", password: "new-secret", url: "mqtt://u:geheim@h"}}) {
      connector { id } } }"""
    answer = await client.send(update, o=plant, d=connector["documentId"])
    [entry] = await read_log(client, o=plant, e=connector["id"], op="updateConnector")
    assert entry.pop("time") is not None
    assert entry.pop("requestId") is not None
    changed = {"isTruncated": False}
    assert entry == {
        "subject": "open",
        "operation": "updateConnector",
        "outcome": "DONE",
        "code": None,
        "entityKind": "Connector",
        "entityId": connector["id"],
        "applicationId": None,
        "changes": [
            {"path": "properties.host", "before": "cnc.example", "after": "other.example", **changed},
            {"path": "properties.password", "before": MASK, "after": MASK, **changed},
            {"path": "properties.url", "before": None, "after": f"mqtt://u:{MASK}@h", **changed},
        ],
    }
    assert "errors" not in answer


async def test_a_write_costs_no_store_call_more(client: Client, plant: str) -> None:
    update = """mutation($o: String!) { updateDevice(input: {organizationId: $o, applicationId: "cnc",
      machineId: "M0", name: "x"}) { device { name } } }"""
    await client.run(update, o=plant)
    assert client.calls == ["find config", "update cnc_devices"]


async def test_the_log_is_filtered_and_paged(client: Client, plant: str) -> None:
    update = """mutation($o: String!, $m: String!, $n: String!) { updateDevice(input: {organizationId: $o,
      applicationId: "cnc", machineId: $m, name: $n}) { device { id } } }"""
    for i in range(5):
        changed = await client.run(update, o=plant, m=f"M{i % 2}", n=f"name {i}")
    [name] = [
        change["after"]
        for change in (await read_log(client, o=plant, e=changed["updateDevice"]["device"]["id"]))[0][
            "changes"
        ]
    ]
    assert name == "name 4"
    assert len(await read_log(client, o=plant, e=changed["updateDevice"]["device"]["id"])) == 4
    assert await read_log(client, o=plant, s="nobody") == []
    assert await read_log(client, o=plant, out="REFUSED") == []
    pages, after = [], None
    while True:
        variables = {"o": plant, "op": "updateDevice", "first": 2, "after": after}
        page = (await client.run(LOG, **variables))["auditLog"]
        pages.append([entry["changes"][0]["after"] for entry in page["nodes"]])
        assert page["totalCount"] == 5
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages == [["name 4", "name 3"], ["name 2", "name 1"], ["name 0"]]
    assert await client.code(LOG, o="other", after=after) == "BAD_USER_INPUT"

    times = [entry["time"] for entry in await read_log(client, o=plant, op="updateDevice")]
    middle = {"from": times[3], "to": times[0]}
    within = (await client.run(LOG, o=plant, op="updateDevice", range=middle))["auditLog"]
    expected = [time for time in times if times[3] <= time < times[0]]
    assert [entry["time"] for entry in within["nodes"]] == expected
    assert within["totalCount"] == len(expected)
    first = (await client.run(LOG, o=plant, op="updateDevice", range=middle, first=1))["auditLog"]
    assert first["pageInfo"]["hasNextPage"] is (len(expected) > 1)


async def test_each_line_of_the_log_tells_the_same(
    client: Client, plant: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="audit"):
        await client.run(CREATE_SERVICE)
    [record] = [vars(record) for record in caplog.records if record.name == "audit"]
    assert (record["subject"], record["operation"], record["outcome"]) == ("open", "createService", "done")
    assert record["entityKind"] == "Service"
    assert "demo-only" not in str(record)
    assert {change["path"] for change in json.loads(record["changes"])} >= {"name", "configuration.password"}
    assert {*AUDIT_FIELDS} - {*record} == {"code"}


def test_changes_of_the_command_line_are_recorded(tmp_path: Path) -> None:
    run = CliRunner().invoke
    data = ["--data", str(tmp_path)]
    created = run(app, ["keys", "create", "dashboard", "--organization", "acme", "--allow-missing", *data])
    assert created.exit_code == 0, created.output
    [key_id] = re.findall(r"swk_([0-9A-Za-z]+)_", created.output)
    assert run(app, ["keys", "rotate", key_id, *data]).exit_code == 0
    assert run(app, ["keys", "revoke", key_id, *data]).exit_code == 0
    assert run(app, ["rotate-secrets", *data]).exit_code == 0

    async def read() -> list[Any]:
        store = open_documents(None, data=tmp_path)
        entries = await store.database(store.default).find(AuditEntry.collection_of())
        await store.close()
        return entries

    entries = asyncio.run(read())
    assert [entry["operation"] for entry in entries] == [
        "createApiKey",
        "rotateApiKey",
        "rotateApiKey",
        "revokeApiKey",
        "rotateSecrets",
    ]
    assert {entry["subject"] for entry in entries} == {"command line"}


CREATE_SERVICE = """mutation { createService(input: {name: "S", type: MQTT,
  configuration: {host: "h", password: "demo-only"}}) { service { id } } }"""
