"""The faults of the original by their numbers in its description: none of them is left."""

import asyncio
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents
from tests.closing import closing
from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION, SVG

CONFIG = Organization.collection_of()

CONSOLE = "https://console.example"


def svgs(folder: Path) -> list[Path]:
    return list(folder.rglob("*.svg"))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_f2_a_machine_id_is_never_part_of_a_query(client: httpx.AsyncClient) -> None:
    hostile = ["O'Brien", "x') OR ('1'='1", 'M1" or r.machine_id != "', "M\\1", "$m0", "M1;--", "${x}", "%"]
    lines = [f'state,machine_id={_escaped(name)} power=true,mode="{n}"' for n, name in enumerate(hostile)]
    lines.append('state,machine_id=M1 power=false,mode="own"')
    written = await client.post("/api/v2/write?bucket=machines", content="\n".join(lines).encode())
    assert written.status_code == 204, written.text
    for n, name in enumerate(hostile):
        events = (await client.get(f"/device/{quote(name, safe='')}/events")).json()
        assert [(item["machine_id"], item["event_value"]) for item in events] == [(name, str(n))]
        assert (await client.get(f"/device/{quote(name, safe='')}/status")).json() == {"power": True}
    for name in ("x' OR '1'='1", "M1' --", '" or true or "'):
        assert (await client.get(f"/device/{quote(name, safe='')}/events")).json() == []
        assert (await client.get(f"/device/{quote(name, safe='')}/status")).json() == {"power": None}


def _escaped(name: str) -> str:
    return name.replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=")


async def test_f3_an_icon_never_leaves_its_folder(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "secret.svg").write_bytes(SVG)
    for path in ("..%2F..%2Ficons/secret", "a/..%2F..%2Fsecret", "%2Etc/x", "a%00/x"):
        assert (await client.get(f"/api/library/{path}/icon")).status_code == 400
        response = await client.post(
            f"/api/library/{path}/icon", files={"icon": ("a.svg", SVG, "image/svg+xml")}
        )
        assert response.status_code == 400
    assert [path.name for path in svgs(tmp_path)] == ["secret.svg"]


async def test_f4_operators_are_never_run(plant: httpx.AsyncClient) -> None:
    for path in (ORGANIZATION, f"{CNC}/devices/M1", "/device/L1"):
        for body in ({"$set": {"name": "x"}}, {"name.first": "x"}, {"name": {"$gt": ""}}):
            assert (await plant.put(path, json=body)).status_code == 400, (path, body)
    user = {"name": "A", "email": {"$ne": "x"}}
    assert (await plant.post(f"{ORGANIZATION}/users", json=user)).status_code == 400
    form = "name=A&email[$ne]=x"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await plant.post(f"{ORGANIZATION}/users", content=form, headers=headers)).status_code == 400


async def test_f5_secrets_are_never_answered(plant: httpx.AsyncClient) -> None:
    secret = secrets.token_hex(8)
    service = {"name": "s", "type": "mqtt", "configuration": {"host": "h", "auth": {"Password": secret}}}
    created = await plant.post("/api/services", json=service)
    connector = {"name": "c", "driver": "d", "properties": {"api-key": secret}}
    template = await plant.post(f"{ORGANIZATION}/connectors", json=connector)
    paths = ["/api/services", f"/api/services/{created.json()['_id']}", f"{ORGANIZATION}/connectors"]
    paths.append(f"{ORGANIZATION}/connectors/{template.json()['_id']}")
    responses = [created, template, *[await plant.get(path) for path in paths]]
    assert all(secret not in item.text and "********" in item.text for item in responses)


async def test_f6_only_listed_origins_may_call_with_credentials(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path, "server": {"cors_allowed_origins": [CONSOLE]}})
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        listed = await client.get("/status", headers={"Origin": CONSOLE})
        assert listed.headers["access-control-allow-origin"] == CONSOLE
        assert listed.headers["access-control-allow-credentials"] == "true"
        preflight_headers = {"Access-Control-Request-Method": "PUT"}
        preflight = await client.options("/api/services", headers={"Origin": CONSOLE, **preflight_headers})
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        other = {"Origin": "https://other.example"}
        for response in (
            await client.get("/status", headers=other),
            await client.options("/api/services", headers={**other, **preflight_headers}),
        ):
            assert response.status_code in (200, 204)
            assert "access-control-allow-origin" not in response.headers
            assert "Origin" in response.headers["vary"]
        assert "Origin" in (await client.get("/status")).headers["vary"]


async def test_f7_system_databases_are_rejected_and_no_write_creates_an_organization(
    plant: httpx.AsyncClient,
) -> None:
    for name in ("admin", "LOCAL", "config", "a.b", "a b", "x" * 64, "ñ"):
        for method in ("GET", "PUT"):
            response = await plant.request(method, f"/api/organizations/{name}", json={"name": "x"})
            assert response.status_code == 400, name
    posts: dict[str, Any] = {
        "users": {"name": "A", "email": "a@b.c"},
        "gateways": {"gatewayId": "g", "name": "n"},
        "applications": {"applicationId": "a", "name": "n"},
        "connectors": {"name": "c", "driver": "d"},
    }
    for path, body in posts.items():
        response = await plant.post(f"/api/organizations/new/{path}", json=body)
        assert (response.status_code, response.json()) == (404, {"error": "Organization not found"})
    listed = (await plant.get("/api/organizations")).json()
    assert [item["id"] for item in listed] == ["acme"]


async def test_f8_one_store_serves_every_request(plant: httpx.AsyncClient) -> None:
    before = open_files()
    for i in range(50):
        await plant.get(f"/api/organizations/bad.{i}/users")
        await plant.get(f"{ORGANIZATION}/users")
    assert open_files() <= before + 2


async def test_f9_f22_an_unavailable_store_is_503_without_details(tmp_path: Path) -> None:
    url = "mongodb://user:demo-only@127.0.0.1:9/plant"
    async with closing(open_documents(url, data=tmp_path, deadline=0.5)) as store:
        transport = httpx.ASGITransport(create_app(Settings(data=tmp_path), documents=store))
        paths = [
            "/api/organizations",
            ORGANIZATION,
            f"{CNC}/devices",
            f"{OLD_CNC}/functions",
            "/api/services",
        ]
        paths += [
            "/device/M1",
            "/api/query/registered",
            "/api/query/applications",
            f"{ORGANIZATION}/gateways",
        ]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            for path in paths:
                response = await client.get(path)
                assert response.status_code == 503, path
                assert isinstance(response.json()["error"], str)
                assert not any(inner in response.text for inner in ("127.0.0.1", "demo-only", "mongo", ":9"))
            assert (await client.get("/status")).status_code == 200
            missing = await client.post("/api/services", json={})
            assert missing.status_code == 400  # validation errors come first


async def test_f10_an_invalid_item_loses_no_event_class(plant: httpx.AsyncClient) -> None:
    await plant.put(f"{OLD_CNC}/event-classes", json=[{**EVENT_CLASS, "id": "a"}])
    before = (await plant.get(f"{OLD_CNC}/event-classes")).json()
    for bad in ([EVENT_CLASS, {"class": "X"}], [EVENT_CLASS, None], [{**EVENT_CLASS, "id": "a"}] * 2):
        response = await plant.put(f"{OLD_CNC}/event-classes", json=bad)
        assert response.status_code in (400, 409)
        assert (await plant.get(f"{OLD_CNC}/event-classes")).json() == before


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


async def test_f19_a_missing_object_is_404(plant: httpx.AsyncClient) -> None:
    for path in (f"{ORGANIZATION}/applications/none", f"{CNC}/devices/none", "/device/none"):
        for method in ("PUT", "DELETE"):
            response = await plant.request(method, path, json={"name": "x"})
            assert response.status_code == 404, path


async def test_f21_an_icon_is_stored_under_its_name_with_the_type_of_its_content(
    client: httpx.AsyncClient,
) -> None:
    evil = SVG.replace(b"<path", b"<script>alert(1)</script><path onclick='x()'")
    files = {"icon": ("x.html", evil, "image/png")}
    created = await client.post("/api/library/upload", files=files, data={"category": "Big", "name": "Mixed"})
    assert created.json()["filename"] == "mixed.svg"
    response = await client.get(created.json()["path"])
    assert response.headers["content-type"] == "image/svg+xml"
    assert b"script" not in response.content
    assert b"onclick" not in response.content


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


async def test_f20_f25_a_legacy_update_is_checked_and_without_a_body_changes_nothing(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/device/new", json={"machineId": "L1", "name": "One"})
    before = (await client.get("/device/L1")).json()
    await asyncio.sleep(0.002)
    for body in ({"machineId": ""}, {"machineId": None}, {"events": [{"id": "x"}]}, {"connectors": {"a": 1}}):
        assert (await client.put("/device/L1", json=body)).status_code == 400, body
    assert (await client.put("/device/L1")).json() == before
    assert (await client.get("/device/L1")).json() == before
    assert (await client.put("/device/L1", json={})).json()["updatedAt"] > before["updatedAt"]


async def test_f26_last_modified_does_not_depend_on_when_it_is_read(plant: httpx.AsyncClient) -> None:
    first = (await plant.get(f"{ORGANIZATION}/applications")).json()[0]["lastModified"]
    await asyncio.sleep(0.01)
    assert (await plant.get(f"{ORGANIZATION}/applications")).json()[0]["lastModified"] == first


async def test_f27_the_operation_that_replaces_a_list_is_paged(plant: httpx.AsyncClient) -> None:
    query = """{ application(organizationId: "acme", applicationId: "cnc") { devices(first: 1001) { nodes { id } } } }"""
    refused = (await plant.post("/graphql", json={"query": query})).json()
    assert refused["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
