"""Refused changes in the audit log: shown to whom they concern, and bounded."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS
from tests.schema.test_audit import CREATE_SERVICE, LOG


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
# Long because each reader is queried about the same refusals.
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
