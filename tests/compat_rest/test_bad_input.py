"""Requests that the original answered wrongly: what is answered now, and that nothing changes."""

import gzip
from typing import Any

import brotli
import httpx
import pytest

from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION


async def state(client: httpx.AsyncClient) -> list[Any]:
    """Everything that the routes can change."""
    paths = [ORGANIZATION, f"{ORGANIZATION}/config", f"{ORGANIZATION}/users", f"{ORGANIZATION}/gateways"]
    paths += [f"{ORGANIZATION}/connectors", CNC, f"{CNC}/devices", f"{OLD_CNC}/event-classes"]
    paths += [f"{OLD_CNC}/functions", f"{OLD_CNC}/connectors", "/api/services", "/device/L1"]
    return [(await client.get(path)).json() for path in paths]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"5", {"Content-Type": "application/json"}, 400),
        (b'"text"', {"Content-Type": "application/json"}, 400),
        (b"null", {"Content-Type": "application/json"}, 400),
        (b'{"a":"\xff"}', {"Content-Type": "application/json"}, 400),
        (b'{"a":"' + b"x" * 102_400 + b'"}', {"Content-Type": "application/json"}, 413),
        (b"{}", {"Content-Type": "application/json; charset=latin1"}, 415),
        (b"{}", {"Content-Type": "application/json; charset=utf-99"}, 415),
        (b"{}", {"Content-Type": "application/json", "Content-Encoding": "zstd"}, 415),
        (b"{}", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 400),
        (
            gzip.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}'),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            413,
        ),
        (brotli.compress(b'{"a":"' + b"x" * 10_000_000), {"Content-Type": "application/json", "Content-Encoding": "br"}, 413),
        (b"{}", {"Content-Type": "application/json", "Content-Encoding": "br"}, 400),
        (gzip.compress(b'{"machineId":"M2"}')[:-9], {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 400),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded; charset=windows-1252"}, 415),
        (b"a=1&" * 1001, {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"a=1&a[b]=2", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"machineId=M2&p" + b"[a]" * 40 + b"=1", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"machineId[$ne]=x", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"machineId=M2&name[$gt]=x", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"machineId=M2&properties.a=x", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b'{"machineId":"M2"}', {"Content-Type": "application/vnd.x+json"}, 400),
        (b'["M2"]', {"Content-Type": "application/json"}, 400),
        (b"[" * 90_000, {"Content-Type": "application/json"}, 400),
        (b'{"machineId":"M2","p":' + b'{"a":' * 200 + b"1" + b"}" * 201, {"Content-Type": "application/json"}, 400),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_refused(
    plant: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    before = await state(plant)
    response = await plant.post(f"{CNC}/devices", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert isinstance(response.json()["error"], str)
    assert await state(plant) == before


async def test_what_the_original_read_is_read(plant: httpx.AsyncClient) -> None:
    form = "machineId=M2&properties[ip]=x&properties[port]=1&connectors[]=a&connectors[]=b&name=+%F1&name=%C3%B1+2"
    form += (
        "&properties[spindles][1][id]=s2&properties[spindles][0][id]=s1&properties[max]=&properties[5000]=far"
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    created = await plant.post(f"{CNC}/devices", content=form, headers=headers)
    spindles = [{"id": "s1"}, {"id": "s2"}]
    assert created.json()["properties"] == {
        "ip": "x",
        "port": "1",
        "spindles": spindles,
        "max": "",
        "5000": "far",
    }
    assert (created.json()["connectors"], created.json()["name"]) == (["a", "b"], "ñ 2")
    headers = {"Content-Type": "application/json; charset=utf-16", "Content-Encoding": "gzip"}
    body = gzip.compress('{"machineId": "M3", "name": "ñ"}'.encode("utf-16"))
    assert (await plant.post(f"{CNC}/devices", content=body, headers=headers)).json()["name"] == "ñ"
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
    body = brotli.compress(b'{"machineId": "M4"}')
    assert (await plant.post(f"{CNC}/devices", content=body, headers=headers)).status_code == 201
    headers = {"Content-Type": "application/json; charset=utf8"}
    assert (await plant.post(f"{CNC}/devices", json={"machineId": "M5"}, headers=headers)).status_code == 201
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await plant.put(f"{CNC}/devices/M5", content=b"", headers=headers)).status_code == 200
    path = f"{CNC.upper().replace('ACME', 'acme').replace('CNC', 'cnc')}/DEVICES/M3/"
    assert (await plant.get(path)).json()["name"] == "ñ"


CHANGES: list[tuple[str, str, Any, int, str]] = [
    ("PUT", "/api/organizations/a.b", {}, 400, "organization id"),
    ("PUT", "/api/organizations/admin", {}, 400, "organization id"),
    ("GET", "/api/organizations/a%2Fb", None, 400, "organization id"),
    ("GET", "/api/organizations/a%00", None, 400, "organization id"),
    ("GET", "/api/organizations/" + "x" * 64, None, 400, "organization id"),
    ("GET", "/api/organizations/acme%zz", None, 400, "escape"),
    ("GET", "/api/organizations/%ff", None, 400, "UTF-8"),
    ("PUT", ORGANIZATION, {"name": {"$ne": 1}}, 400, ""),
    ("PUT", ORGANIZATION, {"name": 5}, 400, ""),
    ("POST", "/api/organizations/none/users", {"name": "A", "email": "a@b.c"}, 404, "Organization not found"),
    (
        "POST",
        "/api/organizations/none/applications",
        {"applicationId": "a", "name": "A"},
        404,
        "Organization",
    ),
    ("POST", f"{ORGANIZATION}/users", {"name": "A", "email": {"$ne": "x"}}, 400, ""),
    ("POST", f"{ORGANIZATION}/gateways", {"gatewayId": 5, "name": "x"}, 400, ""),
    (
        "POST",
        f"{ORGANIZATION}/applications",
        {"applicationId": "cnc", "name": "x"},
        409,
        "Application already exists",
    ),
    ("POST", f"{ORGANIZATION}/applications", {"applicationId": "a.b", "name": "x"}, 400, "applicationId"),
    ("POST", f"{ORGANIZATION}/applications", {"applicationId": ["a"], "name": "x"}, 400, ""),
    ("PUT", f"{ORGANIZATION}/applications/constructor", {"name": "x"}, 404, "Application not found"),
    ("GET", f"{ORGANIZATION}/applications/__proto__", None, 404, "Application not found"),
    ("DELETE", f"{ORGANIZATION}/applications/toString", None, 404, "Application not found"),
    ("POST", f"{ORGANIZATION}/applications/none/devices", {"machineId": "x"}, 404, "Application not found"),
    ("POST", f"{CNC}/devices", {"machineId": "M1"}, 400, "Device with this machineId already exists"),
    ("POST", f"{OLD_CNC}/devices", {"machine_id": "M1"}, 400, "Device with this Machine ID already exists"),
    ("POST", f"{CNC}/devices", {"machineId": 5}, 400, "machineId"),
    ("POST", f"{CNC}/devices", {"machineId": {"$ne": 1}}, 400, "$ne"),
    ("POST", f"{CNC}/devices", {"machineId": "x", "a": [{"$set": 1}]}, 400, "$set"),
    ("PUT", f"{CNC}/devices/none", {"name": "x"}, 404, "Device not found"),
    ("PUT", f"{CNC}/devices/M1", {"properties.ip": "x"}, 400, "properties.ip"),
    ("PUT", f"{CNC}/devices/M1", {"$set": {"name": "x"}}, 400, "$set"),
    ("PUT", f"{CNC}/devices/M1", ["x"], 400, "object"),
    ("DELETE", f"{CNC}/devices/none", None, 404, "Device not found"),
    ("POST", f"{OLD_CNC}/event-classes", None, 400, "Event class data is required"),
    ("PUT", f"{OLD_CNC}/event-classes", {"a": 1}, 400, "Event classes must be an array"),
    (
        "PUT",
        f"{OLD_CNC}/event-classes",
        [EVENT_CLASS, {"class": "X"}],
        400,
        "Event class at index 1 is missing",
    ),
    ("PUT", f"{OLD_CNC}/event-classes", [None], 400, "Event class at index 0"),
    (
        "POST",
        f"{OLD_CNC}/functions",
        {"name": "F", "expression": "x", "variables": "x"},
        400,
        "must be an array",
    ),
    ("PUT", f"{OLD_CNC}/functions/none", {"name": "F"}, 400, "Function expression is required"),
    ("DELETE", f"{OLD_CNC}/functions/none", None, 404, "Function not found"),
    ("PUT", f"{OLD_CNC}/connectors/x", {"name": "a", "driver": "b"}, 400, "Invalid connector ID format"),
    ("PUT", f"{OLD_CNC}/connectors/{'0' * 24}", {"name": "a", "driver": "b"}, 404, "Connector not found"),
    ("GET", "/api/services/x", None, 400, "Invalid service ID format"),
    ("GET", f"/api/services/{'0' * 24}", None, 404, "Service not found"),
    ("POST", "/api/services", {"name": "s", "type": "other", "configuration": {"a": 1}}, 400, "type"),
    ("PATCH", f"/api/services/{'0' * 24}/toggle", {"enabled": "no"}, 400, "Invalid value for enabled field"),
    ("PATCH", f"/api/services/{'0' * 24}/toggle", {"enabled": True}, 404, "Service not found"),
    ("PUT", "/device/none", {"name": "x"}, 404, "Device not found"),
    ("PUT", "/device/none", {"$set": {"name": "x"}}, 400, "$set"),
    ("GET", "/api/nothing", None, 404, "Cannot GET"),
    ("GET", "/api/services/a%0Ab", None, 400, "Invalid service ID format"),
    ("DELETE", "/api/services", None, 405, "Cannot DELETE"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), CHANGES)
async def test_a_mistake_is_reported_and_changes_nothing(
    plant: httpx.AsyncClient, method: str, path: str, body: Any, status: int, message: str
) -> None:
    before = await state(plant)
    options = {} if body is None else {"json": body}
    response = await plant.request(method, path, **options)
    assert response.status_code == status, response.text
    assert message in response.json()["error"]
    assert await state(plant) == before


async def test_a_legacy_device_is_refused_in_its_own_shape(client: httpx.AsyncClient) -> None:
    bodies: list[Any] = [None, {}, {"machineId": "x", "events": [{"id": "1"}]}, {"machineId": {}}]
    for body in bodies:
        options: dict[str, Any] = {} if body is None else {"json": body}
        response = await client.post("/device/new", **options)
        assert response.status_code == 400
        assert response.json()["errors"][0]["message"]


async def test_a_known_response_is_304_without_a_body(plant: httpx.AsyncClient) -> None:
    response = await plant.get(f"{CNC}/devices")
    etag = response.headers["etag"]
    assert etag.startswith('W/"')
    again = await plant.get(f"{CNC}/devices", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    head = await plant.head(f"{CNC}/devices")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == response.headers["content-length"] == str(len(response.content))
    assert "x-powered-by" not in response.headers
    options = await plant.options("/anything")
    assert (options.status_code, options.content) == (204, b"")
