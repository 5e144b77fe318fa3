"""No secret, token or connection string leaves the gateway: a test plants markers and searches for them."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.services import Service
from stores.opening import open_documents
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.faults import BeforeWrites
from tests.closing import closing
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

MARKER = "MARKER-0123456789"
SECRETS: dict[str, Any] = {
    "password": MARKER,
    "mqttPwd": MARKER,
    "passphrase": MARKER,
    "private_key": MARKER,
    "nested": [{"host": "h", "token": MARKER, "credentials": {"user": MARKER, "list": [MARKER]}}],
    "url": f"mqtt://plant:{MARKER}@broker.example",
    "dsn": f"Server=h;Password={MARKER};Encrypt=true",
    "influx": f"http://h:8086/write?db=x&token={MARKER}",
    "header": f"Bearer {MARKER}",
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\n{MARKER}\n-----END RSA PRIVATE KEY-----",
    "host": "visible.example",
}
CREATE_SERVICE = """mutation($c: JSON!, $n: String!) { createService(input: {name: $n, type: MQTT,
  configuration: $c}) { service { documentId configuration document } } }"""
CREATE_CONNECTOR = """mutation($o: String!, $a: String, $c: JSON) { createConnector(input: {
  organizationId: $o,
  applicationId: $a, name: "marked", driver: "d", properties: $c}) {
  connector { documentId properties document } } }"""
UPDATE_SERVICE = """mutation($d: String!, $c: JSON, $seen: DateTime) { updateService(input: {documentId: $d,
  configuration: $c, ifUpdatedAt: $seen}) { service { configuration updatedAt } } }"""
READ = """query($o: String!) { services { configuration document }
  organization(organizationId: $o) { connectors { properties document } }
  application(organizationId: $o, applicationId: "cnc") { connectors { properties document } }
  a: documents(organizationId: $o, applicationId: "cnc", of: CONNECTORS)
  b: documents(organizationId: $o, of: TEMPLATES) }"""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_no_secret_is_in_a_body_a_log_or_a_metric(
    client: Client, plant: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bodies = [await client.send(CREATE_SERVICE, c=SECRETS, n="marked")]
    document_id = bodies[0]["data"]["createService"]["service"]["documentId"]
    bodies += [
        await client.send(CREATE_SERVICE, c=SECRETS, n="marked"),  # CONFLICT
        await client.send(UPDATE_SERVICE, d=document_id, c=SECRETS, seen="2026-01-01T00:00:00Z"),  # CONFLICT
        await client.send(UPDATE_SERVICE, d="none", c=SECRETS),  # BAD_USER_INPUT
        await client.send(UPDATE_SERVICE, d=document_id, c={**SECRETS, "$x": {"\0": MARKER}}),
    ]
    for application in (None, "cnc"):
        bodies += [await client.send(CREATE_CONNECTOR, o=plant, a=application, c=SECRETS) for _ in range(2)]
    bodies.append(await client.send(READ, o=plant))
    for method, path in (
        ("GET", "/api/services"),
        ("GET", f"/api/services/{document_id}"),
        ("GET", f"/api/organizations/{plant}/connectors"),
        ("GET", f"/api/organizations/{plant}/applications/cnc/connectors"),
        ("GET", "/metrics"),
        ("GET", "/health/ready"),
        ("DELETE", f"/api/services/{document_id}"),
    ):
        bodies.append({"text": (await client.http.request(method, path)).text})
    text = json.dumps(bodies)
    assert "visible.example" in text
    assert MARKER not in text
    assert MARKER not in caplog.text
    for name, collection in (
        (client.documents.default, Service.collection_of()),
        (plant, ConnectorTemplate.collection_of()),
        (plant, Connector.collection_of("cnc")),
    ):
        assert MARKER not in str(await client.documents.database(name).find(collection))


@pytest.mark.slow
async def test_the_password_of_the_store_is_not_in_errors_and_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"mongodb://gateway:{MARKER}@127.0.0.1:1/?serverSelectionTimeoutMS=100"
    async with closing(open_documents(url, data=tmp_path, deadline=0.5)) as documents:
        settings = Settings.model_validate({"data": tmp_path, "documents": {"url": url}})
        client = Client(create_app(settings, documents=documents), documents)
        answer = await client.send("{ services { name } }")
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        bodies = [json.dumps(answer), (await client.http.get("/health/ready")).text]
        bodies.append((await client.http.get("/api/services")).text)
        bodies += [repr(settings), settings.model_dump_json()]
        assert MARKER not in "".join(bodies)
        assert MARKER not in caplog.text
        await client.http.aclose()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_mask_does_not_undo_the_change_of_a_secret_by_another_client(
    client: Client, documents: DocumentStore, tmp_path: Path, plant: str
) -> None:
    """The other client changes the secret after it was read and before it is written back."""
    created = await client.run(CREATE_SERVICE, c={"host": "a", "password": "old"}, n="marked")
    document_id = created["createService"]["service"]["documentId"]

    async def change() -> None:
        await client.run(UPDATE_SERVICE, d=document_id, c={"host": "a", "password": "new"})

    interrupted = WrappedDocumentStore(documents, BeforeWrites([change]))
    app = create_app(Settings(data=tmp_path), documents=interrupted)
    late = Client(app, documents)
    await late.run(UPDATE_SERVICE, d=document_id, c={"host": "b", "password": "********"})
    [stored] = await documents.database(documents.default).find(Service.collection_of())
    cipher = app.state.app_state.cipher
    assert cipher.decrypt(stored)["configuration"] == {"host": "b", "password": "new"}
    await late.http.aclose()
