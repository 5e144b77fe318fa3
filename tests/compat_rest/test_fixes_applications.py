"""The faults of the original that concern applications and what belongs to them: none of them is left."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents
from tests.closing import closing
from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION

CONFIG = Organization.collection_of()


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
async def test_f11_applications_created_at_once_all_survive(plant: httpx.AsyncClient) -> None:
    bodies = [{"applicationId": f"a{i}", "name": "A"} for i in range(12)]
    created = await asyncio.gather(*(plant.post(f"{ORGANIZATION}/applications", json=b) for b in bodies))
    assert {item.status_code for item in created} == {201}
    listed = (await plant.get(f"{ORGANIZATION}/applications")).json()
    assert {item["applicationId"] for item in listed} == {"cnc", *(b["applicationId"] for b in bodies)}


async def test_f12_an_application_is_not_overwritten_by_another(plant: httpx.AsyncClient) -> None:
    before = (await plant.get(CNC)).json()
    again = await plant.post(f"{ORGANIZATION}/applications", json={"applicationId": "cnc", "name": "Other"})
    assert (again.status_code, again.json()) == (409, {"error": "Application already exists"})
    assert (await plant.get(CNC)).json() == before


async def test_f13_saving_the_form_erases_and_reactivates_nothing(plant: httpx.AsyncClient) -> None:
    await plant.put(CNC, json={"status": "stopped", "description": "d"})
    saved = (await plant.put(CNC, json={"name": "New"})).json()
    assert (saved["name"], saved["description"], saved["status"]) == ("New", "d", "stopped")


async def test_f14_a_deleted_application_leaves_nothing(plant: httpx.AsyncClient) -> None:
    await plant.post(f"{OLD_CNC}/connectors", json={"name": "c", "driver": "d"})
    await plant.post(f"{OLD_CNC}/event-classes", json=EVENT_CLASS)
    await plant.post(f"{OLD_CNC}/functions", json={"name": "F", "expression": "x", "variables": []})
    assert (await plant.delete(CNC)).status_code == 200
    await plant.post(f"{ORGANIZATION}/applications", json={"applicationId": "cnc", "name": "CNC"})
    for kind in ("devices", "connectors", "event-classes", "functions"):
        assert (await plant.get(f"{OLD_CNC}/{kind}")).json() == [], kind


async def test_f15_f17_ids_and_owners_come_from_the_path(
    plant: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORGANIZATION_ID", "other")
    body = {"_id": "x", "organizationId": "other", "applicationId": "other", "createdAt": "x"}
    created = (await plant.post(f"{CNC}/devices", json={"machineId": "M2", **body})).json()
    assert created["organizationId"] == "acme"
    assert (await plant.put(f"{CNC}/devices/M2", json={**body, "name": "Two"})).status_code == 200
    stored = (await plant.get(f"{CNC}/devices/M2")).json()
    assert (stored["organizationId"], stored["applicationId"]) == ("acme", "cnc")
    assert (stored["createdAt"], stored["_id"] == "x") == (created["createdAt"], False)
    connector = (await plant.post(f"{OLD_CNC}/connectors", json={"name": "c", "driver": "d", **body})).json()
    path = f"{OLD_CNC}/connectors/{connector['_id']}"
    changed = await plant.put(path, json={**connector, "applicationId": "other"})
    assert (changed.status_code, changed.json()["applicationId"]) == (200, "cnc")


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
@pytest.mark.parametrize(
    ("path", "body", "conflict_status"),
    [
        (f"{CNC}/devices", {"machineId": "U"}, 400),
        (f"{OLD_CNC}/devices", {"machine_id": "U"}, 400),
        ("/device/new", {"machineId": "U"}, 400),
        (f"{ORGANIZATION}/gateways", {"gatewayId": "U", "name": "n"}, 409),
        (f"{ORGANIZATION}/users", {"name": "n", "email": "u@b.c"}, 400),
        (f"{ORGANIZATION}/connectors", {"name": "U", "driver": "d"}, 400),
        (f"{OLD_CNC}/event-classes", {**EVENT_CLASS, "id": "U"}, 409),
        (f"{OLD_CNC}/functions", {"id": "U", "name": "F", "expression": "x", "variables": []}, 409),
        ("/api/services", {"name": "U", "type": "mqtt", "configuration": {"a": 1}}, 409),
    ],
)
async def test_f16_a_unique_key_is_stored_once_under_concurrency(
    plant: httpx.AsyncClient, path: str, body: Any, conflict_status: int
) -> None:
    responses = await asyncio.gather(*(plant.post(path, json=body) for _ in range(8)))
    assert sorted(item.status_code for item in responses) == sorted([201, *[conflict_status] * 7])


async def test_f18_inherited_names_are_not_applications(plant: httpx.AsyncClient) -> None:
    for name in ("constructor", "toString", "__proto__", "hasOwnProperty"):
        for method in ("GET", "PUT", "DELETE"):
            response = await plant.request(method, f"{ORGANIZATION}/applications/{name}", json={"name": "x"})
            assert (response.status_code, response.json()) == (404, {"error": "Application not found"})


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
async def test_f23_an_unusable_application_id_breaks_no_count(
    backend: str, tmp_path: Path, request: Any
) -> None:
    url = None
    if backend == "mongodb":
        url = f"{request.getfixturevalue('empty_mongodb_server').url}/plant"
    async with closing(open_documents(url, data=tmp_path)) as store:
        settings = {name: {"name": name} for name in ("", "a..b", "$x", "x" * 300, "cnc")}
        entry = {"_id": 1, "key": "applications", "value": {"applicationSettings": settings}}
        await store.database("acme").upsert(CONFIG, [entry])
        await store.database("acme").upsert(Device.collection_of("cnc"), [{"_id": 1, "machineId": "M"}])
        transport = httpx.ASGITransport(create_app(Settings(data=tmp_path), documents=store))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            assert (await client.get("/api/query/registered/all")).json() == {"count": 1}
            assert (await client.get("/api/query/registered?organizationId=acme")).json() == {"count": 1}
            stats = (await client.get("/api/organizations/acme/stats")).json()
            assert stats["totalDevices"] == 1
            assert len((await client.get("/api/query/applications")).json()) == 5


async def test_f24_an_unregistered_application_rejects_writes(
    plant: httpx.AsyncClient,
) -> None:
    base = OLD_CNC.replace("/cnc", "/none")
    for path, body in {
        "devices": {"machine_id": "x"},
        "event-classes": EVENT_CLASS,
        "functions": {"name": "F", "expression": "x", "variables": []},
        "connectors": {"name": "c", "driver": "d"},
    }.items():
        response = await plant.post(f"{base}/{path}", json=body)
        assert (response.status_code, response.json()) == (404, {"error": "Application not found"})
        assert (await plant.get(f"{base}/{path}")).json() == []


async def test_f26_last_modified_does_not_depend_on_when_it_is_read(plant: httpx.AsyncClient) -> None:
    first = (await plant.get(f"{ORGANIZATION}/applications")).json()[0]["lastModified"]
    await asyncio.sleep(0.01)
    assert (await plant.get(f"{ORGANIZATION}/applications")).json()[0]["lastModified"] == first
