"""The faults of the original by their numbers in its description: none of them is left."""

import asyncio
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.opening import open_documents
from tests.closing import closing
from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION, SVG

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


async def test_f27_the_operation_that_replaces_a_list_is_paged(plant: httpx.AsyncClient) -> None:
    query = """{ application(organizationId: "acme", applicationId: "cnc") { devices(first: 1001) { nodes { id } } } }"""
    refused = (await plant.post("/graphql", json={"query": query})).json()
    assert refused["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
