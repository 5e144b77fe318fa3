"""What a client, an operator and the log learn of a limit, on every endpoint."""

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query
from starlette.requests import Request

from compat_rest.app import create_app
from resolvers.grants import OPEN, Grant, Role
from schema.server.bodies import parse_content_type
from schema.server.origins import parse_host, parse_origin
from schema.server.settings import GraphQLSettings, Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import RESPONSE, Client

DEEP = "{ viewer " + "{ a " * 20 + "}" * 20 + " }"
LONG = b'{"name": "' + b"x" * 2**20 + b'"}'
KEY = Grant("key", Role.OPERATOR, None)
JSON = {"Content-Type": "application/json"}

Connect = Callable[..., Client]


@pytest.fixture
def connect(documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path) -> Connect:
    def connect(grant: Grant, **settings: Any) -> Client:
        async def authenticate(request: Request) -> Grant:
            return grant

        app = create_app(
            Settings(data=tmp_path, **settings), documents=documents, series=series, authenticate=authenticate
        )
        return Client(app, documents)

    return connect


async def test_only_an_authenticated_caller_learns_the_numbers_of_a_limit(connect: Connect) -> None:
    known, stranger = await connect(KEY).fail(DEEP), await connect(OPEN).fail(DEEP)
    assert known["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "depth", "maximum": 20}
    assert stranger["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "depth"}
    assert "20" in known["message"]
    assert not any(map(str.isdigit, stranger["message"]))
    pages = "{ organizations(first: 1001) { totalCount } }"
    known, stranger = await connect(KEY).fail(pages), await connect(OPEN).fail(pages)
    assert known["extensions"] == stranger["extensions"] | {"maximum": 1000, "actual": 1001}
    assert "1000" in known["message"]
    assert not any(map(str.isdigit, stranger["message"]))


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "limit"),
    [
        ("/graphql", LONG, {**JSON, "Accept": RESPONSE}, 413, "body_bytes"),
        ("/graphql", LONG, JSON, 413, "body_bytes"),
        ("/api/organizations/o/users", LONG, JSON, 413, "body_bytes"),
        ("/api/v2/write?bucket=machines", b"m f=1\n" * 6_000_000, {}, 413, "body_bytes"),
    ],
)
async def test_each_endpoint_results_with_the_status_and_the_name_of_the_limit(
    connect: Connect, path: str, body: bytes, headers: dict[str, str], status: int, limit: str
) -> None:
    client = connect(KEY)
    response = await client.http.post(path, content=body, headers=headers)
    assert response.status_code == status
    assert limit in response.text
    if path == "/graphql":
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["limit"] == limit
    metrics = (await client.http.get("/metrics")).text
    assert f'sync_gateway_limits_hit_total{{limit="{limit}"}} 1.0' in metrics


async def test_a_limit_that_only_warns_lets_the_request_pass(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    aliases = "{ " + " ".join(f"a{n}: organizations {{ totalCount }}" for n in range(31)) + " }"
    comments = "#\n" * 6000 + "{ organizations { totalCount } }"
    client = connect(KEY, limits={"warn_only": ["aliases", "tokens", "answer_bytes"]})
    with caplog.at_level(logging.WARNING, "resolvers.limits"):
        for _ in range(2):  # the second time, the document is cached
            assert len(await client.run(aliases)) == 31
        await client.run(comments)
    assert len(caplog.records) == 3
    assert "aliases" in caplog.records[0].message
    metrics = (await client.http.get("/metrics")).text
    assert 'sync_gateway_limits_hit_total{limit="aliases"} 2.0' in metrics
    assert 'sync_gateway_limits_hit_total{limit="tokens"} 1.0' in metrics
    assert (await client.fail(DEEP))["extensions"]["limit"] == "depth"


async def test_an_introspection_is_executed_once_for_each_role(connect: Connect) -> None:
    client = connect(KEY)
    executor = client.app.state.app_state.executor
    query = get_introspection_query()
    results = [await client.run(query) for _ in range(40)]
    assert all(answer == results[0] for answer in results)
    assert executor._introspections.executed == 1
    by_name = "query($name: String!) { __type(name: $name) { name fields { name } } }"
    names = [(await client.run(by_name, name=name))["__type"]["name"] for name in ("Device", "Icon", "Icon")]
    assert names == ["Device", "Icon", "Icon"]
    assert executor._introspections.executed == 3
    viewer = await connect(Grant("v", Role.VIEWER, frozenset({"o"}))).run(query)
    assert viewer != results[0]


@pytest.mark.parametrize("grant", [KEY, OPEN])
@pytest.mark.parametrize("allowed", [True, False])
async def test_who_may_not_introspect_gets_no_suggestions(
    connect: Connect, grant: Grant, allowed: bool
) -> None:
    client = connect(grant, graphql=GraphQLSettings(anonymous_introspection=allowed))
    may_introspect = allowed or grant is KEY
    wrong = "query($i: CreateUserInput) { organisations { totalCount } devise(x: $i) { y } }"
    results = [await client.send(wrong, i={"nam": 1}), await client.send("{ __schema { types { name } } }")]
    assert ("Did you mean" in str(results[0])) == may_introspect
    assert ("data" in results[1]) == may_introspect
    mutation = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { name } } }"
    assert ("Did you mean" in str(await client.send(mutation, i={"emai": "x"}))) == may_introspect
    status = (await client.http.get("/graphql/schema.graphql")).status_code
    assert status == (200 if may_introspect else 403)


@pytest.mark.slow
async def test_a_document_that_is_not_valid_is_not_cached(connect: Connect) -> None:
    client = connect(KEY)
    executor = client.app.state.app_state.executor
    await client.run("{ __typename }")
    before = executor.get_cached_bytes()
    for n in range(20):
        fields = " ".join(f"x{n}y{m}" for m in range(2000))
        assert len((await client.send(f"{{ organizations {{ nodes {{ {fields} }} }} }}"))["errors"]) == 5
    assert executor.get_cached_bytes() == before


async def test_the_metrics_show_every_cache(connect: Connect) -> None:
    client = connect(KEY)
    await client.run("{ organizations { totalCount } }")
    metrics = (await client.http.get("/metrics")).text
    for cache in [
        "documents",
        "operations",
        "introspections",
        "persisted_queries",
        "keys",
        "event_counts",
        "machine_owners",
        "tag_sets",
    ]:
        assert f'sync_gateway_cached{{what="{cache}"}}' in metrics
    for cache in ("documents", "operations", "introspections"):
        assert f'sync_gateway_cached_bytes{{what="{cache}"}}' in metrics


@pytest.mark.parametrize("header", ["Host", "Origin", "Content-Type"])
async def test_long_headers_are_not_cached(connect: Connect, header: str) -> None:
    client = connect(KEY)
    headers = {"Host": "127.0.0.1", **JSON, header: "a" * 10_000}
    response = await client.http.post("/graphql", content=b"{}", headers=headers)
    assert response.status_code in (400, 403, 415)
    caches = (parse_host, parse_origin, parse_content_type)
    keys = [key for cache in caches for key in gc.get_referents(cache) if isinstance(key, dict)]
    assert not any(isinstance(text, str) and len(text) > 1000 for key in keys for text in key)


async def send_batch(client: Client, requests: list[Any]) -> Any:
    response = await client.http.post("/graphql", json=requests, headers={"Accept": RESPONSE})
    return response.status_code, response.json()


async def test_a_batch_is_rejected_unless_it_is_permitted(connect: Connect) -> None:
    client = connect(KEY)
    status, answer = await send_batch(client, [{"query": "{ __typename }"}])
    assert status == 400
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_the_operations_of_a_batch_are_limited_one_by_one_and_together(connect: Connect) -> None:
    name = "x" * 100
    graphql = GraphQLSettings(max_answer_bytes=1024)
    client = connect(KEY, limits={"batch": 3}, graphql=graphql)
    query = {"query": "query($n: Boolean!) { __typename @include(if: $n) }", "variables": {"n": True}}
    mutation = {"query": 'mutation { deleteService(id: "no") { service { name } } }'}
    status, results = await send_batch(client, [query, {"query": DEEP}, mutation])
    assert status == 200
    assert results[0] == {"data": {"__typename": "Query"}}
    assert results[1]["errors"][0]["extensions"]["limit"] == "depth"
    assert results[2]["errors"]
    long = {"query": "{ " + " ".join(f"{name}{n}: __typename" for n in range(5)) + " }"}
    _, results = await send_batch(client, [long, long, query])
    assert [result["data"] is not None for result in results] == [True, False, True]
    assert results[1]["errors"][0]["extensions"]["limit"] == "answer_bytes"
    status, answer = await send_batch(client, [query] * 4)
    assert status == 400
    assert answer["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limit": "batch", "maximum": 3, "actual": 4
    }  # fmt: skip
    for invalid in ([], [1], [query, {"query": 5}]):
        assert (await send_batch(client, invalid))[0] == 400
