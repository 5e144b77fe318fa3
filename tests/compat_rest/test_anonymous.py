"""Old clients of some networks need no credential on the old routes, and nowhere else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.settings import Settings

SETTINGS = {"networks": ["10.1.0.0/16", "192.0.2.7"], "role": "editor", "organizations": ["own"]}
Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """Clients of an application that requires keys, by the address that they send from."""
    settings = Settings.model_validate({"data": tmp_path, "compat": {"anonymous": SETTINGS}})
    app = create_app(settings)
    state = app.state.app_state
    database = state.documents.database(state.documents.default)
    _, operator = await create_api_key(database, KeySpec("op", role=Role.OPERATOR), created_by="test")

    def connect(address: str, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)

    async with connect("10.9.9.9", **{"x-api-key": operator}) as http:
        for organization in ("own", "foreign"):
            assert (await http.put(f"/api/organizations/{organization}", json={})).status_code == 200
    yield connect
    await state.documents.close()
    await state.series.store.close()


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("192.0.2.7", 200), ("10.2.0.1", 401), ("192.0.2.8", 401), ("::1", 401), ("", 401)],
)
async def test_an_address_of_the_networks_uses_the_old_routes(
    connect: Connect, address: str, status: int
) -> None:
    async with connect(address) as http:
        assert (await http.get("/api/organizations/own")).status_code == status
        graph = await http.post("/graphql", json={"query": "{ viewer { subject } }"})
        assert graph.status_code == 401, "the graph always requires a credential"
        assert (await http.get("/metrics")).status_code == 401


async def test_it_has_the_role_and_the_organizations_of_the_settings(connect: Connect) -> None:
    async with connect("10.1.2.3") as http:
        organizations = (await http.get("/api/organizations")).json()
        assert [organization["id"] for organization in organizations] == ["own"]
        assert (await http.get("/api/organizations/foreign")).status_code == 404
        assert (await http.get("/api/services")).status_code == 403
        users = await http.post("/api/organizations/own/users", json={"name": "a", "email": "b"})
        assert users.status_code == 403


async def test_the_descriptions_of_the_old_routes_are_for_whoever_may_use_them(connect: Connect) -> None:
    async with connect("10.1.2.3") as known, connect("10.2.0.1") as stranger:
        for path in ("/api/migrate", "/api/openapi.json"):
            assert (await known.get(path)).status_code == 200
            answer = await stranger.get(path)
            assert (answer.status_code, list(answer.json())) == (401, ["error"])
            assert answer.headers["www-authenticate"] == "Bearer"
            page = await stranger.get(path, headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["www-authenticate"]) == (401, "Bearer")
            assert f"http://gateway{path}" in page.text


async def test_a_credential_that_is_not_valid_is_rejected_all_the_same(connect: Connect) -> None:
    async with connect("10.1.2.3", authorization="Bearer swk_wrong") as http:
        assert (await http.get("/api/organizations/own")).status_code == 401


async def test_a_header_of_the_client_is_not_its_address(connect: Connect) -> None:
    async with connect("10.2.0.1", **{"x-forwarded-for": "10.1.2.3"}) as http:
        assert (await http.get("/api/organizations/own")).status_code == 401


@pytest.mark.parametrize(
    "anonymous",
    [
        {"networks": ["10.0.0.0/8"]},
        {"networks": ["10.0.0.0/8"], "role": "operator", "organizations": ["own"]},
        {"networks": ["here"], "organizations": ["own"]},
        {"networks": ["10.0.0.0/8"], "role": "boss", "organizations": ["own"]},
    ],
)
def test_settings_that_make_no_sense_are_rejected(anonymous: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"compat": {"anonymous": anonymous}})
