"""API keys through the graph: nobody gives, changes or sees more rights than their own."""

from datetime import timedelta
from typing import Any

import pytest

from resolvers.api_keys import KeySpec, create_api_key, list_api_keys
from resolvers.grants import Grant, GrantLimits, Role
from schema.server.key_ring import KeyRing
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import format_time, utc_now
from tests.schema.client import Client
from tests.schema.test_roles import Connect, connect

__all__ = ["connect"]

KEY = "keyId name role organizationIds applicationIds ingest createdBy expiresAt revokedAt"
CREATE = f"""mutation($input: CreateApiKeyInput!) {{ createApiKey(input: $input) {{
  secret apiKey {{ {KEY} }} }} }}"""
LIST = f"{{ apiKeys {{ {KEY} }} }}"
REVOKE = f"mutation($id: String!) {{ revokeApiKey(input: {{keyId: $id}}) {{ secret apiKey {{ {KEY} }} }} }}"
ROTATE = f"mutation($id: String!) {{ rotateApiKey(input: {{keyId: $id}}) {{ secret apiKey {{ {KEY} }} }} }}"


@pytest.fixture
async def operator(connect: Connect) -> Client:
    client = connect(Grant("operator", Role.OPERATOR, None))
    for organization in ("own", "foreign"):
        await client.run(
            """mutation($o: String!) { createOrganization(input: {organizationId: $o}) { organization { id } }
              createApplication(input: {organizationId: $o, applicationId: "cnc", name: "C"}) {
                application { id } } }""",
            o=organization,
        )
    return client


@pytest.fixture
def admin(connect: Connect, operator: Client) -> Client:
    return connect(Grant("admin", Role.ADMIN, frozenset({"own"})))


def spec(**changes: Any) -> dict[str, Any]:
    return {"name": "dash", "organizationIds": ["own"], "role": "VIEWER", **changes}


async def test_an_admin_creates_rotates_and_revokes_keys_of_its_organization(
    admin: Client, documents: DocumentStore
) -> None:
    created = (await admin.run(CREATE, input=spec(expiresAt="2999-01-01T00:00:00.000Z")))["createApiKey"]
    key = created["apiKey"]
    assert (key["createdBy"], key["role"], key["organizationIds"]) == ("admin", "viewer", ["own"])
    assert key["expiresAt"] == "2999-01-01T00:00:00.000Z"
    ring = KeyRing(documents.database(documents.default))
    assert (await ring.check(created["secret"])).organizations == frozenset({"own"})
    rotated = (await admin.run(ROTATE, id=key["keyId"]))["rotateApiKey"]
    assert rotated["secret"] != created["secret"]
    revoked = (await admin.run(REVOKE, id=key["keyId"]))["revokeApiKey"]
    assert revoked["secret"] is None
    assert revoked["apiKey"]["revokedAt"] is not None
    listed = (await admin.run(LIST))["apiKeys"]
    assert [key["keyId"] for key in listed] == [key["keyId"], rotated["apiKey"]["keyId"]]
    await ring.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"organizationIds": ["foreign"]}, "NOT_FOUND"),
        ({"organizationIds": ["own", "foreign"]}, "NOT_FOUND"),
        ({"organizationIds": ["none"]}, "NOT_FOUND"),
        ({"organizationIds": []}, "BAD_USER_INPUT"),
        ({"applicationIds": ["none"]}, "NOT_FOUND"),
        ({"role": "OPERATOR", "organizationIds": []}, "FORBIDDEN"),
        ({"role": "OPERATOR"}, "FORBIDDEN"),
        ({"role": None}, "BAD_USER_INPUT"),
        ({"expiresAt": "2000-01-01T00:00:00.000Z"}, "BAD_USER_INPUT"),
        ({"name": ""}, "BAD_USER_INPUT"),
    ],
)
async def test_an_admin_gives_no_rights_that_it_does_not_have(
    admin: Client, documents: DocumentStore, changes: dict[str, Any], code: str
) -> None:
    assert await admin.code(CREATE, input=spec(**changes)) == code
    assert not await list_api_keys(documents.database(documents.default))


async def test_an_admin_of_some_applications_gives_keys_for_these_only(
    connect: Connect, operator: Client
) -> None:
    admin = connect(Grant("admin", Role.ADMIN, frozenset({"own"}), frozenset({"cnc"})))
    assert await admin.code(CREATE, input=spec()) == "FORBIDDEN"
    created = await admin.run(CREATE, input=spec(applicationIds=["cnc"]))
    assert created["createApiKey"]["apiKey"]["applicationIds"] == ["cnc"]


async def test_a_key_ends_no_later_than_the_rights_of_who_creates_it(
    connect: Connect, operator: Client
) -> None:
    end = utc_now() + timedelta(days=1)
    admin = connect(Grant("admin", Role.ADMIN, frozenset({"own"}), expires_at=end))
    for expires_at in (None, "2999-01-01T00:00:00.000Z"):
        assert await admin.code(CREATE, input=spec(expiresAt=expires_at)) == "FORBIDDEN"
    created = await admin.run(CREATE, input=spec(expiresAt=format_time(utc_now() + timedelta(hours=1))))
    assert await admin.run(ROTATE, id=created["createApiKey"]["apiKey"]["keyId"])
    lasting = await operator.run(CREATE, input=spec())
    assert await admin.code(ROTATE, id=lasting["createApiKey"]["apiKey"]["keyId"]) == "FORBIDDEN"


async def test_a_key_uses_no_more_than_who_creates_it(connect: Connect, operator: Client) -> None:
    limits = GrantLimits(cost_per_minute=100)
    admin = connect(Grant("admin", Role.ADMIN, frozenset({"own"}), limits=limits))
    assert (await admin.run("{ viewer { limits } }"))["viewer"]["limits"]["cost_per_minute"] == 100
    for more in (None, {"costPerMinute": 101}, {"concurrentRequests": 1}):
        assert await admin.code(CREATE, input=spec(limits=more)) == "FORBIDDEN"
    assert await operator.code(CREATE, input=spec(limits={"costPerMinute": 0})) == "BAD_USER_INPUT"
    created = await admin.run(CREATE, input=spec(limits={"costPerMinute": 100, "concurrentRequests": 2}))
    [key] = (await admin.run("{ apiKeys { keyId limits } }"))["apiKeys"]
    assert key["limits"] == {"cost_per_minute": 100, "concurrent_requests": 2}
    await admin.run(ROTATE, id=created["createApiKey"]["apiKey"]["keyId"])
    assert [key["limits"] for key in (await admin.run("{ apiKeys { limits } }"))["apiKeys"]] == [
        key["limits"]
    ] * 2
    lasting = await operator.run(CREATE, input=spec())
    assert await admin.code(ROTATE, id=lasting["createApiKey"]["apiKey"]["keyId"]) == "FORBIDDEN"


async def test_keys_of_others_are_not_seen_and_not_changed(
    admin: Client, operator: Client, documents: DocumentStore
) -> None:
    database = documents.database(documents.default)
    keys = {
        name: (await create_api_key(database, KeySpec(name, organizations, role), created_by="x"))[0].key_id
        for name, organizations, role in (
            ("foreign", ("foreign",), Role.VIEWER),
            ("both", ("own", "foreign"), Role.VIEWER),
            ("operator", (), Role.OPERATOR),
        )
    }
    listed = (await admin.run(LIST))["apiKeys"]
    assert [(key["name"], key["organizationIds"]) for key in listed] == [("both", ["own"])]
    for mutation in (REVOKE, ROTATE):
        assert await admin.code(mutation, id=keys["foreign"]) == "NOT_FOUND"
        assert await admin.code(mutation, id=keys["operator"]) == "NOT_FOUND"
        assert await admin.code(mutation, id="none") == "NOT_FOUND"
        assert await admin.code(mutation, id=keys["both"]) == "FORBIDDEN"
    assert len((await operator.run(LIST))["apiKeys"]) == 3
    assert all(key.revoked_at is None for key in await list_api_keys(database))


async def test_an_admin_of_some_applications_sees_keys_for_these_only(
    connect: Connect, operator: Client, documents: DocumentStore
) -> None:
    database = documents.database(documents.default)
    for name, applications in (("all", None), ("cnc", ("cnc",)), ("other", ("other",))):
        await create_api_key(
            database, KeySpec(name, ("own",), Role.VIEWER, False, applications), created_by="x"
        )
    admin = connect(Grant("admin", Role.ADMIN, frozenset({"own"}), frozenset({"cnc"})))
    assert [key["name"] for key in (await admin.run(LIST))["apiKeys"]] == ["cnc"]
    ingest = spec(role=None, ingest=True, applicationIds=["cnc"])
    assert await admin.code(CREATE, input=ingest) == "BAD_USER_INPUT"
    upload = """mutation { uploadIcon(input: {category: "drivers", name: "x", content: "PHN2Zy8+"}) {
      icon { id } } }"""
    assert await admin.code(upload) == "FORBIDDEN"


async def test_a_secret_is_in_no_other_answer(admin: Client, operator: Client) -> None:
    secret = (await admin.run(CREATE, input=spec()))["createApiKey"]["secret"].split("_")[2]
    for client in (admin, operator):
        assert secret not in str(await client.send(LIST))
