"""Users and gateways: changing and deleting them, what is unique, and who may do it."""

from typing import Any

import pytest

from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

CREATE_USER = """mutation($o: String!, $email: String!) { createUser(input: {
  organizationId: $o, name: "Ada", email: $email}) { user { documentId } } }"""
UPDATE_USER = """mutation($input: UpdateUserInput!) { updateUser(input: $input) {
  user { documentId name email role status updatedAt } } }"""
DELETE_USER = "mutation($input: DeleteUserInput!) { deleteUser(input: $input) { user { name } } }"
CREATE_GATEWAY = """mutation($o: String!, $g: String!) { createGateway(input: {
  organizationId: $o, gatewayId: $g, name: "Box", location: "Hall 1"}) { gateway { id } } }"""
UPDATE_GATEWAY = """mutation($input: UpdateGatewayInput!) { updateGateway(input: $input) {
  gateway { id gatewayId name location status } } }"""
DELETE_GATEWAY = "mutation($input: DeleteGatewayInput!) { deleteGateway(input: $input) { gateway { name } } }"
READ = """query($o: String!) { organization(organizationId: $o) {
  users { name email } gateways { gatewayId } } }"""


@pytest.fixture
async def users(client: Client, plant: str) -> list[str]:
    """The document ids of two users of the plant."""
    responses = [await client.run(CREATE_USER, o=plant, email=email) for email in ("ada@b.c", "bob@b.c")]
    return [answer["createUser"]["user"]["documentId"] for answer in responses]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_user_is_changed_and_deleted(client: Client, plant: str, users: list[str]) -> None:
    scope: dict[str, Any] = {"organizationId": plant, "documentId": users[0]}
    changed = await client.run(UPDATE_USER, input={**scope, "role": "admin", "email": "ADA@b.c"})
    user = changed["updateUser"]["user"]
    assert user.pop("updatedAt") is not None
    assert user == {
        "documentId": users[0],
        "name": "Ada",
        "email": "ADA@b.c",
        "role": "admin",
        "status": "active",
    }
    error = await client.fail(UPDATE_USER, input={**scope, "email": "BOB@b.c"})  # in any case of letters
    assert error["extensions"] == {"code": "CONFLICT", "fields": ["email"]}
    for empty in (None, " "):
        assert await client.code(UPDATE_USER, input={**scope, "name": empty}) == "BAD_USER_INPUT"
    deleted = await client.run(DELETE_USER, input=scope)
    assert deleted == {"deleteUser": {"user": {"name": "Ada"}}}
    assert await client.code(DELETE_USER, input=scope) == "NOT_FOUND"
    assert await client.code(UPDATE_USER, input=scope) == "NOT_FOUND"
    rest = (await client.run(READ, o=plant))["organization"]
    assert rest["users"] == [{"name": "Ada", "email": "bob@b.c"}]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_gateway_is_changed_and_deleted(client: Client, plant: str) -> None:
    created = [await client.run(CREATE_GATEWAY, o=plant, g=id_) for id_ in ("G1", "G2")]
    scope: dict[str, Any] = {"organizationId": plant, "gatewayId": "G1"}
    change = {**scope, "newGatewayId": "G3", "status": "lost", "location": None}
    changed = await client.run(UPDATE_GATEWAY, input=change)
    assert changed["updateGateway"]["gateway"] == {
        "id": created[0]["createGateway"]["gateway"]["id"],
        "gatewayId": "G3",
        "name": "Box",
        "location": None,
        "status": "lost",
    }
    assert await client.code(UPDATE_GATEWAY, input=scope) == "NOT_FOUND"
    scope["gatewayId"] = "G3"
    error = await client.fail(UPDATE_GATEWAY, input={**scope, "newGatewayId": "G2"})
    assert error["extensions"] == {"code": "CONFLICT", "fields": ["gatewayId"]}
    assert await client.code(UPDATE_GATEWAY, input={**scope, "newGatewayId": None}) == "BAD_USER_INPUT"
    assert await client.run(DELETE_GATEWAY, input=scope) == {"deleteGateway": {"gateway": {"name": "Box"}}}
    assert await client.code(DELETE_GATEWAY, input=scope) == "NOT_FOUND"
    rest = (await client.run(READ, o=plant))["organization"]
    assert rest["gateways"] == [{"gatewayId": "G2"}]
