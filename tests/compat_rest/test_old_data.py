"""Data as the old system and its tools stored it, and what old clients send back of it, on both stores."""

from typing import Any

import httpx
import pytest

from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import utc_now
from stores.entities.applications import Application
from tests.compat_rest.conftest import ORGANIZATION

pytestmark = pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
CONFIG = Application.collection_of()


async def register(documents: DocumentStore, **settings: Any) -> None:
    """An organization `acme` whose applications have these settings, as the old system stores them."""
    organization = {"_id": 1, "key": "organization", "value": {"name": "Acme"}}
    applications = {"_id": 2, "key": "applications", "value": {"applicationSettings": settings}}
    await documents.database("acme").upsert(CONFIG, [organization, applications])


async def test_a_stored_time_of_creation_is_a_setting_of_an_application(
    client: httpx.AsyncClient, documents: DocumentStore
) -> None:
    settings = {"name": "A", "description": "", "status": "active", "collections": ["devices"]}
    time = utc_now()
    await register(
        documents,
        text={**settings, "createdAt": "2025-03-04T05:06:07.089Z"},
        date={**settings, "createdAt": time},
    )
    listed = (await client.get(f"{ORGANIZATION}/applications")).json()
    assert [item["createdAt"] for item in listed] == [
        "2025-03-04T05:06:07.089Z",
        f"{time.isoformat(timespec='milliseconds')}Z",
    ]
    assert [item["lastModified"] for item in listed] == [item["createdAt"] for item in listed]
    application = (await client.get(f"{ORGANIZATION}/applications/text")).json()
    assert application == {"applicationId": "text", **settings, "createdAt": "2025-03-04T05:06:07.089Z"}
    changed = (await client.put(f"{ORGANIZATION}/applications/text", json={"name": "B"})).json()
    assert (changed["createdAt"], "applicationId" in changed) == ("2025-03-04T05:06:07.089Z", False)


async def test_the_gateways_own_time_of_creation_adds_no_key_to_the_answers(plant: httpx.AsyncClient) -> None:
    [listed] = (await plant.get(f"{ORGANIZATION}/applications")).json()
    assert set(listed) == {
        "applicationId", "name", "description", "status", "collections", "deviceCount", "lastModified",
    }  # fmt: skip
    query = '{ application(organizationId: "acme", applicationId: "cnc") { createdAt } }'
    data = (await plant.post("/graphql", json={"query": query})).json()["data"]
    assert data["application"]["createdAt"] == listed["lastModified"]


async def test_a_template_keeps_its_empty_application_id(plant: httpx.AsyncClient) -> None:
    template = {"name": "T", "driver": "fanuc", "applicationId": ""}
    created = (await plant.post(f"{ORGANIZATION}/connectors", json=template)).json()
    assert created["applicationId"] == ""
    stored = (await plant.get(f"{ORGANIZATION}/connectors/{created['_id']}")).json()
    assert stored == created
    other = {**template, "name": "U", "applicationId": "other"}
    assert "applicationId" not in (await plant.post(f"{ORGANIZATION}/connectors", json=other)).json()


@pytest.mark.parametrize("empty", [{}, [], {"a": {}}])
async def test_a_service_may_have_an_empty_configuration(client: httpx.AsyncClient, empty: Any) -> None:
    service = {"name": "s", "type": "mqtt", "configuration": empty}
    created = await client.post("/api/services", json=service)
    assert created.status_code == 201
    # Empty objects vanish, empty lists stay.
    assert created.json().get("configuration", "absent") == (empty if empty == [] else "absent")
    path = f"/api/services/{created.json()['_id']}"
    assert (await client.get(path)).json() == created.json()
    await client.put(path, json={"configuration": {"host": "h"}})
    changed = await client.put(path, json={"configuration": empty})
    assert changed.json().get("configuration", "absent") == (empty if empty == [] else "absent")


@pytest.mark.parametrize("missing", [None, "", 0, False])
async def test_a_service_needs_a_configuration(client: httpx.AsyncClient, missing: Any) -> None:
    service = {"name": "s", "type": "mqtt", "configuration": missing}
    assert (await client.post("/api/services", json=service)).status_code == 400
