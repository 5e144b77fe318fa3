"""Data as the old system and its tools stored it, and what old clients send back of it, on both stores."""

from typing import Any

import httpx
import pytest
from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import utc_now
from stores.entities.applications import Application
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device
from tests.compat_rest.conftest import CNC, OLD_CNC, ORGANIZATION

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


ODD_NAMES = {
    "STATE.1": {"used": True, "variables": {"a.b": {"label": "x"}}},
    "$ref": {"$id": 1, "x.": [{"$": 2}]},
}


async def test_names_at_depth_are_data_that_old_clients_send_back(
    client: httpx.AsyncClient, documents: DocumentStore
) -> None:
    await register(documents, cnc={"name": "CNC"})
    acme = documents.database("acme")
    connector = {"_id": ObjectId(), "name": "m1", "driver": "mtconnect", "collections": ODD_NAMES}
    device = {
        "_id": ObjectId(),
        "machineId": "M1",
        "properties": {"max.vol": 3, **ODD_NAMES},
        "tags": {"x.y": 1},
    }
    await acme.upsert(Connector.collection_of("cnc"), [connector])
    await acme.upsert(Device.collection_of("cnc"), [device])
    for path, document in (
        (f"{OLD_CNC}/connectors", (await client.get(f"{OLD_CNC}/connectors")).json()[0]),
        (f"{CNC}/devices", (await client.get(f"{CNC}/devices/M1")).json()),
    ):
        key = document["_id"] if "connectors" in path else "M1"
        changed = await client.put(f"{path}/{key}", json={**document, "name": "new"})
        assert changed.status_code == 200, changed.text
        [stored] = (await client.get(path)).json()
        assert stored == {**document, "name": "new", "updatedAt": stored["updatedAt"], **owners(path)}


def owners(path: str) -> dict[str, str]:
    """What an update of a connector adds."""
    return {"organizationId": "acme"} if "connectors" in path else {}


async def test_names_at_depth_are_stored_by_creations_in_json_and_in_forms(plant: httpx.AsyncClient) -> None:
    device = {"machineId": "M2", "properties": {"max.vol": 3, **ODD_NAMES}}
    assert (await plant.post(f"{CNC}/devices", json=device)).json()["properties"] == device["properties"]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = "machineId=M3&properties[max.vol]=3&properties[$gt]=x"
    assert (await plant.post(f"{CNC}/devices", content=form, headers=headers)).status_code == 201
    assert (await plant.get(f"{CNC}/devices/M3")).json()["properties"] == {"max.vol": "3", "$gt": "x"}
    service = {"name": "s", "type": "mqtt", "configuration": ODD_NAMES}
    created = (await plant.post("/api/services", json=service)).json()
    assert created["configuration"] == ODD_NAMES
    changed = await plant.put(f"/api/services/{created['_id']}", json={"configuration": {"a.b": {"$c": 1}}})
    assert changed.json()["configuration"] == {"a.b": {"$c": 1}}
    legacy = {"machineId": "L2", "properties": ODD_NAMES}
    assert (await plant.post("/device/new", json=legacy)).json()["properties"] == ODD_NAMES


@pytest.mark.parametrize(
    "body",
    [
        {"name": {"$gt": ""}},
        {"connectors": [{"$ne": "x"}]},
        {"events": [{"id": {"$ne": 1}, "class": "MODE"}]},
        {"properties.ip": "x"},
        {"$set": {"name": "x"}},
    ],
)
async def test_an_operator_in_the_place_of_a_value_is_rejected(plant: httpx.AsyncClient, body: Any) -> None:
    before = (await plant.get(f"{CNC}/devices")).json()
    assert (await plant.put(f"{CNC}/devices/M1", json=body)).status_code == 400
    assert (await plant.post(f"{CNC}/devices", json={"machineId": "M2", **body})).status_code == 400
    assert (await plant.get(f"{CNC}/devices")).json() == before


async def test_a_connector_is_read_by_a_stored_id_of_any_type(
    client: httpx.AsyncClient, documents: DocumentStore
) -> None:
    await register(documents, cnc={"name": "CNC"})
    acme = documents.database("acme")
    for collection in (ConnectorTemplate.collection_of(), Connector.collection_of("cnc")):
        stored = [{"_id": key, "name": f"c{key}", "driver": "d"} for key in ("fanuc-1", 7, 8.0)]
        await acme.upsert(collection, stored)
    for key, text in (("fanuc-1", "fanuc-1"), (7, "7"), (8, "8")):
        template = await client.get(f"{ORGANIZATION}/connectors/{text}")
        assert (template.status_code, template.json()["_id"]) == (200, key)
        changed = await client.put(
            f"{OLD_CNC}/connectors/{text}", json={"name": f"new {text}", "driver": "d"}
        )
        assert (changed.status_code, changed.json().get("name")) == (200, f"new {text}"), changed.text
    for text in ("nope", "9", "0" * 23, "7.5"):
        missing = await client.get(f"{ORGANIZATION}/connectors/{text}")
        assert (missing.status_code, missing.json()) == (400, {"error": "Invalid connector ID format"})
    assert (await client.get(f"{ORGANIZATION}/connectors/{'0' * 24}")).status_code == 404


async def test_numbers_are_machine_ids_under_what_is_shown(
    client: httpx.AsyncClient, documents: DocumentStore
) -> None:
    await register(documents, cnc={"name": "CNC"})
    numbers = [{"_id": 1, "machineId": 5.0, "name": "five"}, {"_id": 2, "machineId": 6, "name": "six"}]
    await documents.database("acme").upsert(Device.collection_of("cnc"), numbers)
    for machine_id in ("5", "6"):
        path = f"{CNC}/devices/{machine_id}"
        assert (await client.get(path)).json()["machineId"] == int(machine_id)
        assert (await client.put(path, json={"name": "changed"})).status_code == 200
        assert (await client.get(path)).json()["name"] == "changed"
        taken = await client.post(f"{CNC}/devices", json={"machineId": machine_id})
        assert (taken.status_code, taken.json()["error"]) == (
            400,
            "Device with this machineId already exists",
        )
        assert (await client.delete(path)).status_code == 200
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("name", ["linea.3", "ns$x", "$x", "a..b"])
async def test_an_application_with_an_odd_id_can_be_changed_and_deleted(
    client: httpx.AsyncClient, documents: DocumentStore, name: str
) -> None:
    await register(documents, **{name: {"name": "Odd"}, "cnc": {"name": "CNC"}})
    acme = documents.database("acme")
    if name == "linea.3":  # the others name no collection
        await acme.upsert(Device.collection_of(name), [{"_id": ObjectId(), "machineId": "M1"}])
        await acme.upsert(Connector.collection_of(name), [{"_id": ObjectId(), "name": "c", "driver": "d"}])
        assert len((await client.get(f"{ORGANIZATION}/applications/{name}/devices")).json()) == 1
    path = f"{ORGANIZATION}/applications/{name}"
    changed = await client.put(path, json={"name": "Changed"})
    assert (changed.status_code, changed.json().get("name")) == (200, "Changed")
    assert (await client.get(path)).json()["name"] == "Changed"
    assert (await client.delete(path)).json() == {"message": "Application deleted successfully"}
    assert (await client.get(path)).status_code == 404
    assert [item["applicationId"] for item in (await client.get(f"{ORGANIZATION}/applications")).json()] == [
        "cnc"
    ]
    assert (await client.get(f"{path}/devices")).json() == []
    assert (await client.delete(path)).status_code == 404
