"""The audit log: every mutation and every refusal leaves an entry, which tells no secret."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import GraphQLObjectType, get_named_type
from starlette.requests import Request
from typer.testing import CliRunner

from compat_rest.app import create_app
from compat_rest.main import app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import OPEN, Grant, Role
from schema.server.logs import AUDIT_FIELDS
from schema.server.settings import Settings
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import MACHINE, Point, WritableSeriesStore
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


@pytest.fixture
async def keyed(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[Callable[[str | None], httpx.AsyncClient]]:
    """Clients of an application with the old routes, for credentials. It requires them."""
    settings = Settings.model_validate(
        {"data": tmp_path, "server": {"host": "0.0.0.0"}, "audit": {"entries": 60}}
    )
    app = create_app(settings, documents=documents, series=series)
    clients: list[httpx.AsyncClient] = []

    def connect(key: str | None) -> httpx.AsyncClient:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers))
        return clients[-1]

    yield connect
    for client in clients:
        await client.aclose()
    await app.state.app_state.audit.close()


async def create_key(documents: DocumentStore, **spec: Any) -> str:
    """A new key, as the command line makes it."""
    database = documents.database(documents.default)
    return (await create_api_key(database, KeySpec("k", **spec), created_by="test"))[1]


async def fetch_log(http: httpx.AsyncClient, **variables: Any) -> Any:
    body = {"query": LOG, "variables": {"first": 1000, **variables}}
    answer = (await http.post("/graphql", json=body)).json()
    return answer["data"]["auditLog"] or answer["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_refusals_are_in_the_log_of_whom_they_concern(
    documents: DocumentStore, keyed: Callable[[str | None], httpx.AsyncClient], client: Client, plant: str
) -> None:
    operator = keyed(await create_key(documents, role=Role.OPERATOR))
    admin_key = await create_key(documents, role=Role.ADMIN, organization_ids=(plant, "elsewhere"))
    admin = keyed(admin_key)
    editor = keyed(await create_key(documents, role=Role.EDITOR, organization_ids=(plant,)))
    unknown = admin_key[:20] + ("y" if admin_key[20] == "x" else "x") + admin_key[21:]
    refused = await keyed(unknown).get(f"/api/organizations/{plant}/users")
    assert refused.status_code == 401
    assert (await keyed(None).post("/graphql?query={x}", json={"query": "{ x }"})).status_code == 401
    user = {"name": "u", "email": "u@b.c"}
    assert (await editor.post(f"/api/organizations/{plant}/users", json=user)).status_code == 403
    narrow = keyed(
        await create_key(documents, role=Role.ADMIN, organization_ids=(plant,), application_ids=("cnc",))
    )
    for mutation in (
        f'createUser(input: {{organizationId: "{plant}", name: "u", email: "u"}}) {{ user {{ id }} }}',
        f'updateDevice(input: {{organizationId: "{plant}", applicationId: "cnc", machineId: "M0"}})'
        " { device { id } }",
    ):
        await narrow.post("/graphql", json={"query": f"mutation {{ {mutation} }}"})

    own = await fetch_log(admin, o=plant, out="REFUSED")
    assert [(entry["operation"], entry["code"]) for entry in own["nodes"]] == [
        ("createUser", "FORBIDDEN"),
        (f"POST /api/organizations/{plant}/users", "FORBIDDEN"),
    ]
    assert own["nodes"][0]["subject"] not in (None, own["nodes"][1]["subject"])
    shared = await fetch_log(operator, out="REFUSED")
    assert [(entry["operation"], entry["code"], entry["subject"]) for entry in shared["nodes"]] == [
        ("POST /graphql", "UNAUTHENTICATED", None),
        (f"GET /api/organizations/{plant}/users", "UNAUTHENTICATED", None),
    ]
    assert shared["nodes"][1]["requestId"] == refused.headers["X-Request-Id"]
    assert unknown not in str([own, shared])
    assert await fetch_log(admin) == "FORBIDDEN"
    assert await fetch_log(admin, o="missing") == "NOT_FOUND"
    whole, part = await fetch_log(admin, o=plant), await fetch_log(narrow, o=plant)
    assert {entry["applicationId"] for entry in part["nodes"]} == {"cnc"}
    assert len(part["nodes"]) < len(whole["nodes"])


async def test_a_flood_of_refusals_is_bounded_and_pushes_out_no_change(
    documents: DocumentStore, keyed: Callable[[str | None], httpx.AsyncClient], client: Client, plant: str
) -> None:
    operator = keyed(await create_key(documents, role=Role.OPERATOR))
    await client.run(CREATE_SERVICE)
    spec = {"role": Role.ADMIN, "organization_ids": (documents.default,)}
    assert await fetch_log(keyed(await create_key(documents, **spec)), o=documents.default) == "FORBIDDEN"
    assert (await keyed(None).get("/api/services/swk_0123_abcdef")).status_code == 401
    assert "swk_0123" not in str(await fetch_log(operator))
    attacker = keyed("swk_wrong")
    for i in range(150):
        assert (await attacker.get(f"/api/services/{i}")).status_code == 401
    log = (await fetch_log(operator))["nodes"]
    refusals = [entry for entry in log if entry["outcome"] == "REFUSED"]
    assert len(refusals) == 60  # as many as the setting allows; of the others, some were never written
    assert refusals[0]["operation"].startswith("GET /api/services/9")
    assert [entry["operation"] for entry in log if entry["outcome"] == "DONE"] == ["createService"]


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
