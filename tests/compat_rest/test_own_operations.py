"""The operations of the old routes are public texts: whoever sends one has the rights of their own credential."""

import httpx

from compat_rest.handler import OPERATIONS
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from stores.contracts.document_store import DocumentStore


async def test_the_operations_of_the_old_routes_give_no_rights(
    client: httpx.AsyncClient, documents: DocumentStore
) -> None:
    database = documents.database(documents.default)
    _, operator = await create_api_key(database, KeySpec("op", role=Role.OPERATOR), created_by="test")
    _, viewer = await create_api_key(database, KeySpec("v", ("acme",), Role.VIEWER), created_by="test")
    for _ in range(3):  # until it is compiled
        assert (await client.get("/api/services", headers={"X-API-Key": operator})).status_code == 200
    for operation in ("Services", "CreateService"):
        body = {"query": OPERATIONS, "operationName": operation, "variables": {"input": {"name": "x"}}}
        answer = (await client.post("/graphql", json=body, headers={"X-API-Key": viewer})).json()
        assert list(answer) == ["errors"], operation  # unknown fields, or too many operations
