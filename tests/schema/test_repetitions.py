"""Creations under an idempotency key, and what a client learns about a write that failed."""

from typing import Any

import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Change, equals
from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import mark_sent
from stores.entities.devices import Device
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

FUNCTION = {"expression": "1", "variables": []}
EVENT_CLASS = {"topic": "t", "type": "INT"}
CREATIONS: list[tuple[str, str, Any, Any, str]] = [
    ("createDevice", "CreateDevice", {"machineId": "K1"}, {"machineId": "K2"}, "device { machineId }"),
    (
        "createConnector",
        "CreateConnector",
        {"name": "K", "driver": "d"},
        {"name": "L", "driver": "d"},
        "connector { name }",
    ),
    (
        "createFunction",
        "CreateFunction",
        {"name": "F", **FUNCTION},
        {"name": "G", **FUNCTION},
        "function { functionId }",
    ),
    (
        "addEventClass",
        "AddEventClass",
        {"eventClass": {"class": "C", **EVENT_CLASS}},
        {"eventClass": {"class": "D", **EVENT_CLASS}},
        "eventClass { eventClassId }",
    ),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("field", "type_", "first", "second", "selection"), CREATIONS)
async def test_a_repeated_creation_returns_the_first_result(
    client: Client, plant: str, field: str, type_: str, first: Any, second: Any, selection: str
) -> None:
    query = f"mutation($input: {type_}Input!) {{ {field}(input: $input) {{ {selection} }} }}"
    scope = {"organizationId": plant, "applicationId": "cnc", "idempotencyKey": f"key of {field}"}
    results = [await client.run(query, input={**scope, **first}) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    answer = await client.send(query, input={**scope, **second})
    assert answer["errors"][0]["extensions"] == {"code": "CONFLICT", "fields": ["idempotencyKey"]}
    if field == "createDevice":
        documents = client.documents.database(plant)
        where = [equals("machineId", "K1")]
        assert await documents.count([Device.collection_of("cnc")], where) == [1]
        await documents.update(Device.collection_of("cnc"), where, Change(set={("machineId",): "X"}))
        assert await client.run(query, input={**scope, **first}) == results[0]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_creations_of_organizations_and_applications_are_repeated(
    client: Client, organization: str
) -> None:
    create = (
        "mutation($i: CreateOrganizationInput!) { createOrganization(input: $i) { organization { name } } }"
    )
    named = {"organizationId": organization, "name": "N", "idempotencyKey": "o"}
    assert await client.run(create, i=named) == await client.run(create, i=named)
    add = "mutation($i: CreateApplicationInput!) { createApplication(input: $i) { application { name } } }"
    application = {"organizationId": organization, "applicationId": "a", "name": "A", "idempotencyKey": "a"}
    assert await client.run(add, i=application) == await client.run(add, i=application)
    user = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { documentId } } }"
    ana = {"organizationId": organization, "name": "Ana", "email": "ana@x.example", "idempotencyKey": "u"}
    assert await client.run(user, i=ana) == await client.run(user, i=ana)
    answer = await client.send(user, i={**ana, "idempotencyKey": "x" * 300})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


class Failure(Interceptor):
    """Fails every write, before it is sent or, if `reply_is_lost`, after it was applied."""

    reply_is_lost = False

    async def run(self, call: Any, proceed: Any) -> Any:
        if not call.is_write:
            return await proceed()
        if self.reply_is_lost:
            await proceed()
            mark_sent()
        raise Unavailable("the document store does not answer")


@pytest.mark.parametrize(("reply_is_lost", "outcome"), [(False, "NOT_APPLIED"), (True, "UNKNOWN")])
async def test_an_error_says_whether_the_write_may_have_been_applied(
    client: Client, plant: str, tmp_path: Any, reply_is_lost: bool, outcome: str
) -> None:
    failure = Failure()
    failure.reply_is_lost = reply_is_lost
    store: DocumentStore = WrappedDocumentStore(client.documents, failure)
    failing = Client(create_app(Settings(data=tmp_path), documents=store), store)
    query = "mutation($i: CreateDeviceInput!) { createDevice(input: $i) { device { machineId } } }"
    device = {"organizationId": plant, "applicationId": "cnc", "machineId": "lost", "idempotencyKey": "l"}
    answer = await failing.send(query, i=device)
    assert answer["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "outcome": outcome}
    await failing.http.aclose()
    # The repetition finds what happened, and finishes it.
    assert (await client.run(query, i=device))["createDevice"]["device"] == {"machineId": "lost"}
