"""Creations that a client repeats under one key, and writes whose outcome is unknown."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import ServerSettings, Settings
from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import mark_sent
from stores.opening import open_documents, open_series
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor
from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION

CREATIONS: list[tuple[str, dict[str, Any], str]] = [
    (f"{ORGANIZATION}/users", {"name": "n", "email": "u@b.c"}, f"{ORGANIZATION}/users"),
    (f"{ORGANIZATION}/gateways", {"gatewayId": "g", "name": "n"}, f"{ORGANIZATION}/gateways"),
    (f"{ORGANIZATION}/applications", {"applicationId": "new", "name": "n"}, f"{ORGANIZATION}/applications"),
    (f"{ORGANIZATION}/connectors", {"name": "T", "driver": "d"}, f"{ORGANIZATION}/connectors"),
    (f"{CNC}/devices", {"machineId": "M2"}, f"{CNC}/devices"),
    (f"{OLD_CNC}/devices", {"machine_id": "M3"}, f"{CNC}/devices"),
    (f"{OLD_CNC}/event-classes", EVENT_CLASS, f"{OLD_CNC}/event-classes"),
    (f"{OLD_CNC}/functions", {"name": "F", "expression": "x", "variables": []}, f"{OLD_CNC}/functions"),
    (f"{OLD_CNC}/connectors", {"name": "c", "driver": "d", "properties": {"password": "demo-only"}}, f"{OLD_CNC}/connectors"),
    ("/api/services", {"name": "s", "type": "mqtt", "configuration": {"host": "h"}}, "/api/services"),
    ("/device/new", {"machineId": "L1"}, "/device/L1"),
]  # fmt: skip


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
@pytest.mark.parametrize(("path", "body", "listing"), CREATIONS)
async def test_a_repeated_creation_returns_the_first_result(
    plant: httpx.AsyncClient, path: str, body: dict[str, Any], listing: str
) -> None:
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    responses = await asyncio.gather(*(plant.post(path, json=body, headers=headers) for _ in range(3)))
    responses.append(await plant.post(path, json=body, headers=headers))
    assert {response.status_code for response in responses} == {201}, [item.text for item in responses]
    assert all(response.json() == responses[0].json() for response in responses)
    stored = (await plant.get(listing)).json()
    again = await plant.post(path, json={**body, "name": "other", "class": "OTHER"}, headers=headers)
    assert (again.status_code, "idempotency key" in again.json()["error"]) == (409, True)
    assert (await plant.get(listing)).json() == stored


async def test_without_a_key_or_under_another_a_creation_is_a_new_one(plant: httpx.AsyncClient) -> None:
    for headers in ({}, {}, {"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}):
        created = await plant.post(f"{OLD_CNC}/event-classes", json=EVENT_CLASS, headers=headers)
        assert created.status_code == 201
    assert len((await plant.get(f"{OLD_CNC}/event-classes")).json()) == 4


async def test_a_failed_creation_may_be_corrected_under_its_key(plant: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    assert (await plant.post(f"{CNC}/devices", json={"machineId": "M1"}, headers=headers)).status_code == 400
    assert (await plant.post(f"{CNC}/devices", json={"machineId": "M2"}, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_characters(plant: httpx.AsyncClient, key: str) -> None:
    headers = {"Idempotency-Key": key}
    response = await plant.post(f"{CNC}/devices", json={"machineId": "M2"}, headers=headers)
    assert (response.status_code, "idempotencyKey" in response.json()["error"]) == (400, True)


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
async def test_an_organization_is_created_once_for_each_key(client: httpx.AsyncClient) -> None:
    mutation = """mutation($name: String) { createOrganization(input: {organizationId: "new", name: $name,
      idempotencyKey: "k"}) { organization { name } } }"""
    results = []
    for name in ("New", "New", "Other"):
        response = await client.post("/graphql", json={"query": mutation, "variables": {"name": name}})
        results.append(response.json())
    assert results[0] == results[1] == {"data": {"createOrganization": {"organization": {"name": "New"}}}}
    assert results[2]["errors"][0]["extensions"]["code"] == "CONFLICT"


async def test_browsers_may_send_an_idempotency_key(tmp_path: Path) -> None:
    store, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    settings = Settings(
        data=tmp_path, server=ServerSettings(cors_allowed_origins=("https://console.example",))
    )
    app = create_app(settings, documents=store, series=series)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        headers = {
            "Origin": "https://console.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "idempotency-key",
        }
        response = await client.options(f"{CNC}/devices", headers=headers)
    assert "idempotency-key" in response.headers["access-control-allow-headers"].lower()
    await store.close()
    await series.close()


class LostReply(Interceptor):
    """Every write is applied, but its reply is lost."""

    async def run(self, call: Any, proceed: Any) -> Any:
        result = await proceed()
        if call.is_write:
            mark_sent()
            raise Unavailable("the document store does not answer")
        return result


async def test_a_lost_reply_is_reported_in_a_header(
    plant: httpx.AsyncClient, documents: Any, tmp_path: Path
) -> None:
    series = open_series(None, data=tmp_path / "other")
    store = WrappedDocumentStore(documents, LostReply())
    app = create_app(Settings(data=tmp_path), documents=store, series=series)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        response = await client.post(f"{CNC}/devices", json={"machineId": "lost"})
    assert response.status_code == 503
    assert response.headers["Write-Outcome"] == "UNKNOWN"
    await series.close()
