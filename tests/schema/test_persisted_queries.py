"""Automatic persisted queries, by the requests of Apollo's protocol."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from schema.server.persisted_queries import PersistedQueries, PersistedQuery, PersistedQueryError
from tests.schema.client import RESPONSE, Client

QUERY = "query Name { viewer { subject } }"
DATA = {"data": {"viewer": {"subject": "open"}}}


def sha256(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def extensions(document: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(document)}}


async def post(client: Client, accept: str = RESPONSE, **members: Any) -> httpx.Response:
    return await client.http.post("/graphql", json=members, headers={"Accept": accept})


@pytest.mark.parametrize("accept", [RESPONSE, "application/json", "*/*"])
async def test_a_client_sends_the_hash_then_the_document_then_only_the_hash(
    client: Client, accept: str
) -> None:
    """The rounds of Apollo's link and of urql's exchange, which read the message or the code."""
    for _ in range(2):
        response = await post(client, accept, operationName="Name", extensions=extensions(QUERY))
        assert response.status_code == 200
        assert response.headers["cache-control"].startswith("private, no-cache")
        assert response.json() == {
            "errors": [
                {
                    "message": "PersistedQueryNotFound",
                    "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"},
                }
            ]
        }
    response = await post(client, accept, query=QUERY, extensions=extensions(QUERY))
    assert response.json() == DATA
    for _ in range(3):  # executed, compiled and run as a plan
        response = await post(client, accept, operationName="Name", extensions=extensions(QUERY))
        assert response.json() == DATA


async def test_hashes_are_sent_by_get(client: Client) -> None:
    """As with `useGETForHashedQueries`; a browser may send Accept headers that name HTML."""
    parameters = {"extensions": json.dumps(extensions(QUERY)), "variables": "{}"}
    headers = {"Accept": "application/json,text/html"}
    response = await client.http.get("/graphql", params=parameters, headers=headers)
    assert response.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    response = await client.http.get("/graphql", params={**parameters, "query": QUERY}, headers=headers)
    assert response.json() == DATA
    response = await client.http.get("/graphql", params=parameters, headers=headers)
    assert response.json() == DATA


async def test_a_persisted_mutation_is_rejected_by_get(client: Client) -> None:
    mutation = 'mutation { createOrganization(input: {organizationId: "x"}) { organization { name } } }'
    await post(client, query=mutation, extensions=extensions(mutation))
    parameters = {"extensions": json.dumps(extensions(mutation))}
    response = await client.http.get("/graphql", params=parameters)
    assert response.status_code == 405


async def test_variables_are_those_of_the_request(client: Client) -> None:
    query = "query($s: Boolean!) { viewer { subject @skip(if: $s) role } }"
    await post(client, query=query, variables={"s": True}, extensions=extensions(query))
    response = await post(client, variables={"s": False}, extensions=extensions(query))
    assert response.json() == {"data": {"viewer": {"subject": "open", "role": "operator"}}}


async def test_a_document_must_match_its_hash(client: Client) -> None:
    response = await post(client, query=QUERY, extensions=extensions("{ viewer { role } }"))
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    response = await post(client, extensions=extensions("{ viewer { role } }"))
    assert response.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_document_that_is_not_valid_is_not_stored(client: Client) -> None:
    query = "{ nothing }"
    response = await post(client, query=query, extensions=extensions(query))
    assert response.status_code == 400
    response = await post(client, extensions=extensions(query))
    assert response.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"version": 2, "sha256Hash": "0" * 64}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"sha256Hash": "0" * 64}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"version": 1}, "BAD_USER_INPUT"),
        ({"version": 1, "sha256Hash": 5}, "BAD_USER_INPUT"),
        ({"version": True, "sha256Hash": "0" * 64}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"version": 1, "sha256Hash": "abc"}, "BAD_USER_INPUT"),
        ({"version": 1, "sha256Hash": "g" * 64}, "BAD_USER_INPUT"),
        ({"version": 1, "sha256Hash": "\u0660" * 64}, "BAD_USER_INPUT"),
        ({"version": 1, "sha256Hash": "0" * 64 + "\n"}, "BAD_USER_INPUT"),
        ([], "BAD_USER_INPUT"),
    ],
)
async def test_a_malformed_extension_is_a_mistake(client: Client, value: Any, code: str) -> None:
    response = await post(client, extensions={"persistedQuery": value})
    assert response.json()["errors"][0]["extensions"]["code"] == code


def test_the_documents_are_bounded_and_the_least_recently_used_go_first() -> None:
    stored = PersistedQueries(max_characters=100)
    documents = [f"query Q{n} {{ viewer {{ subject }} }}" for n in range(20)]
    hashes = [PersistedQuery(sha256(document)) for document in documents]
    for document, persisted in zip(documents, hashes, strict=True):
        stored.remember(document, persisted)
    stored.remember("q" * 101, PersistedQuery(sha256("q" * 101)))
    assert 0 < len(stored) <= 100 // len(documents[0])
    assert stored.find_document(None, hashes[-1]) == documents[-1]
    for persisted in (hashes[0], PersistedQuery(sha256("q" * 101))):
        with pytest.raises(PersistedQueryError):
            stored.find_document(None, persisted)
