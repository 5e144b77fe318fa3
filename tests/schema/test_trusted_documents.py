"""Trusted documents: by id, by POST and GET, cached by clients; and no others where only they are trusted."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from resolvers.grants import Grant, Role
from schema.server.app import create_app
from schema.server.settings import GraphQLSettings, Settings
from schema.server.trusted_documents import load_manifest
from schema.server.yaml_file import SettingsError
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from tests.schema.client import RESPONSE, Client

CREATE = """
mutation Create {
  createOrganization(input: { organizationId: "o", name: "O" }) { organization { name } }
}"""
MANIFEST = {
    "ab12": "query Names { organizations { nodes { name } } }",
    "cd34": CREATE,
    "ef56": "query One($id: String!) { organization(organizationId: $id) { name } }",
}
EDITOR = Grant("editor", Role.EDITOR, frozenset({"o"}))


def make_client(
    documents: DocumentStore, folder: Path, grant: Grant | None = None, *, only: bool = False
) -> Client:
    path = folder / "persisted-documents.json"
    path.write_text(json.dumps(MANIFEST))
    settings = Settings(data=folder, graphql=GraphQLSettings(documents=path, only_trusted=only))

    async def authenticate(request: Any) -> Grant:
        return grant or Grant("operator", Role.OPERATOR, None)

    return Client(create_app(settings, documents=documents, authenticate=authenticate), documents)


async def test_a_client_sends_an_id_in_place_of_a_document(documents: DocumentStore, tmp_path: Path) -> None:
    client = make_client(documents, tmp_path)
    created = await client.http.post("/graphql", json={"documentId": "cd34"})
    assert created.json() == {"data": {"createOrganization": {"organization": {"name": "O"}}}}
    for document_id in ("ef56", "sha256:ef56", "ef56"):  # executed, compiled and run as a plan
        members = {"documentId": document_id, "variables": {"id": "o"}}
        response = await client.http.post("/graphql", json=members)
        assert response.json() == {"data": {"organization": {"name": "O"}}}
        assert "etag" not in response.headers
    batch = await client.http.get("/graphql", params={"documentId": "cd34"})
    assert batch.status_code == 405


async def test_no_trusted_document_takes_the_hash_of_another(
    documents: DocumentStore, tmp_path: Path
) -> None:
    """A client could have others execute it in place of what they persisted."""
    client = make_client(documents, tmp_path)
    query = "{ __typename }"
    hashed = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}
    await client.http.post("/graphql", json={"documentId": "ab12", "extensions": hashed})
    answer = await client.http.post("/graphql", json={"extensions": hashed})
    assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize(
    ("members", "status", "message"),
    [
        ({"documentId": "none"}, 404, "No trusted document has this documentId"),
        ({"documentId": 1}, 400, "documentId must be a string."),
        ({"documentId": "ab12", "query": "{ __typename }"}, 400, "Send query or documentId, not both."),
    ],
)
async def test_an_id_that_is_not_usable_is_rejected(
    documents: DocumentStore, tmp_path: Path, members: dict[str, Any], status: int, message: str
) -> None:
    client = make_client(documents, tmp_path)
    response = await client.http.post("/graphql", json=members)
    assert response.status_code == status
    assert message in response.json()["errors"][0]["message"]


async def test_a_client_keeps_an_answer_until_it_changes(documents: DocumentStore, tmp_path: Path) -> None:
    client = make_client(documents, tmp_path)
    url, headers = "/graphql?documentId=ab12", {"Accept": RESPONSE, "Accept-Encoding": "br"}
    first = await client.http.get(url, headers=headers)
    assert first.headers["cache-control"] == "private, no-cache"
    known = {**headers, "If-None-Match": f'"other", {first.headers["etag"]}'}
    again = await client.http.get(url, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert {name: again.headers[name] for name in ("etag", "cache-control", "vary")} == {
        name: first.headers[name] for name in ("etag", "cache-control", "vary")
    }
    assert "x-request-id" in again.headers
    await client.http.post("/graphql", json={"documentId": "cd34"})
    changed = await client.http.get(url, headers=known)
    assert changed.json() == {"data": {"organizations": {"nodes": [{"name": "O"}]}}}
    assert changed.headers["etag"] != first.headers["etag"]


async def test_an_answer_with_errors_is_not_kept(documents: DocumentStore, tmp_path: Path) -> None:
    client = make_client(documents, tmp_path, EDITOR)
    response = await client.http.get("/graphql", params={"documentId": "ef56"})
    assert response.json()["errors"]
    assert "etag" not in response.headers


async def test_where_only_trusted_documents_are_executed_operators_may_send_others(
    documents: DocumentStore, tmp_path: Path
) -> None:
    query = {"query": "{ organizations { nodes { name } } }"}
    persisted = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    client = make_client(documents, tmp_path, EDITOR, only=True)
    for members in (query, persisted, {**query, **persisted}, {"query": "{ __schema { types { name } } }"}):
        response = await client.http.post("/graphql", json=members)
        assert response.status_code == 403
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert "documentId" in error["message"]
    schema = await client.http.get("/graphql/schema.graphql")
    assert (schema.status_code, "operators" in schema.text) == (403, True)
    response = await client.http.get("/graphql", params={"documentId": "ab12"})
    assert response.json() == {"data": {"organizations": {"nodes": []}}}
    operator = make_client(documents, tmp_path, only=True)
    assert "type Query" in (await operator.http.get("/graphql/schema.graphql")).text
    assert (await operator.http.post("/graphql", json=query)).status_code == 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"a": }', "line 2: "),
        (b"[]", "an object of documents by id"),
        (b'{"a": 1}', "an object of documents by id"),
        (b'{"abc": "{ nothing }"}', "abc: Cannot query field 'nothing'"),
        (b'{"abc": "{"}', "abc: Syntax Error"),
        (None, "No such file"),
    ],
)
def test_a_manifest_that_is_not_usable_says_what_is_wrong(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "documents.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as raised:
        load_manifest(path, schema._schema)
    assert str(path) in str(raised.value)
