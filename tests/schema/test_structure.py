"""The structure of a document: each abuse ends in few steps, before it is validated or executed."""

import asyncio
import gc
import threading
from contextlib import suppress
from typing import Any

import pytest
from graphql import Node, Token, get_introspection_query, parse

from resolvers import turns
from resolvers.limits import LimitPolicy
from resolvers.turns import Turn
from schema.engine.documents import DocumentErrors, DocumentKey, Documents
from schema.engine.prepared_operations import prepare_operation
from schema.engine.structure import _Measure, measure_structure
from schema.engine.structure_limits import StructureLimits
from schema.types.root import schema
from stores.contracts.errors import LimitExceeded
from tests.schema.client import Client

GRAPH = schema._schema
LIMITS = StructureLimits()


def double(count: int) -> str:
    """Fragments of which each spreads the one before twice, under a field."""
    body = "{ a: applications { organization { ...F%d } } b: applications { organization { ...F%d } } }"
    fragments = (f"fragment F{n} on Organization {body % (n - 1, n - 1)}" for n in range(1, count + 1))
    last = "fragment F0 on Organization { name }"
    return " ".join((f'{{ organization(organizationId: "o") {{ ...F{count} }} }}', *fragments, last))


def double_at_once(count: int) -> str:
    """As `double`, without a field in between."""
    fragments = (f"fragment F{n} on Organization {{ ...F{n - 1} ...F{n - 1} }}" for n in range(1, count + 1))
    last = "fragment F0 on Organization { name }"
    return " ".join((f'{{ organization(organizationId: "o") {{ ...F{count} }} }}', *fragments, last))


DEVICES = "devices { nodes { application { "
NESTED = '{ organization(organizationId: "o") { ' + DEVICES * 4 + "name" + " } } }" * 4 + " } }"
ABUSES = {
    "nesting": (NESTED, "recursion"),
    "fragments that double through fields": (double(30), "recursion"),
    "inline fragments": ("{ " + "... { organizations { totalCount } } " * 400 + "}", "repetitions"),
    "repeated fields": ("{ " + "organizations { totalCount } " * 1200 + "}", "repetitions"),
    "repeated leaves": ("{ " + "__typename " * 5000 + "}", "tokens"),
    "unknown directives": ("{ __typename " + "@x " * 2400 + "}", "directives"),
    "introspections": ("{ " + " ".join(f"a{n}: __schema {{x}}" for n in range(30)) + " }", "introspections"),
    "introspections of one type": ("{ " + "a: __schema { types { name } }" * 150 + " }", "repetitions"),
    "operations": (" ".join(f"query Q{n} {{ __typename }}" for n in range(600)), "operations"),
    "variables": ("query(" + " ".join(f"$v{n}: Int" for n in range(900)) + ") { __typename }", "variables"),
    "aliases": ("{ " + " ".join(f"a{n}: icons {{ name }}" for n in range(31)) + " }", "aliases"),
    "aliases in a fragment": (
        "{ organizations { nodes { ...F } } } fragment F on Organization { "
        + " ".join(f"a{n}: name" for n in range(31))
        + " }",
        "aliases",
    ),
    "root fields": (
        "{ organizations { totalCount } services { name } "
        + " ".join(f"a{n}: __typename b{n}: icons {{ name }}" for n in range(25))
        + " }",
        "root_fields",
    ),
    "depth": ("{ viewer " + "{ a " * 20 + "}" * 20 + " }", "depth"),
    "a fragment that spreads itself": (
        '{ organization(organizationId: "o") { ...F } } fragment F on Organization { a: x { ...F } }',
        "recursion",
    ),
    "nested lists": ("{ a(b: " + "[" * 300 + "]" * 300 + ") }", "depth"),
    "comments": ("#\n" * 6000 + "{ __typename }", "tokens"),
    "spreads of a long fragment": (
        "{ organizations { nodes { "
        + " ".join(f"a{n}: applications {{ ...F }}" for n in range(30))
        + " } } } fragment F on Application { "
        + "name " * 100
        + " x" * 100
        + " }",
        "selections",
    ),
}  # fmt: skip


@pytest.mark.parametrize("abuse", ABUSES)
async def test_an_abuse_is_rejected_with_the_name_of_its_limit(client: Client, abuse: str) -> None:
    query, limit = ABUSES[abuse]
    error = await client.fail(query)
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["extensions"]["limit"] == limit
    assert client.calls == []


@pytest.mark.parametrize("abuse", ABUSES)
def test_an_abuse_is_measured_in_few_steps(abuse: str) -> None:
    query, limit = ABUSES[abuse]
    if limit == "tokens" or abuse == "nested lists":
        return  # the parser ends before anything is measured
    measure = _Measure(parse(query), GRAPH, LIMITS)
    measure.measure_definitions(0)
    measure.measure_selections()
    assert measure.steps <= LIMITS.selections + 1


@pytest.mark.parametrize(("query", "steps"), [(double_at_once(30), 63), (get_introspection_query(), 230)])
def test_a_fragment_is_walked_once_in_each_object_that_it_is_spread_in(query: str, steps: int) -> None:
    measure = _Measure(parse(query), GRAPH, LIMITS)
    measure.measure_selections()
    assert not measure.exceeded
    assert measure.steps == steps


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename " + "@x " * 90 + "}",
        " ".join(f"fragment F{n} on Nothing {{ x }}" for n in range(300)) + " { __typename }",
        "fragment F on Query { ...F } { ...F }",
        "{ " + " ".join(f"x{n}" for n in range(40)) + " }",
        'query($v: [String]) { device(organizationId: $w, x: {a: [[[["' + "y" * 100_000 + '"]]]]}) { z } }',
        "{ a" + "b" * 100_000 + " }",
    ],
)
async def test_an_invalid_document_has_few_errors(client: Client, query: str) -> None:
    answer = await client.send(query)
    assert 1 <= len(answer["errors"]) <= 5
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    assert client.calls == []


async def test_a_document_with_fragments_that_double_in_one_object_is_answered(
    client: Client, plant: str
) -> None:
    query = double_at_once(30).replace('"o"', f'"{plant}"')
    assert await client.run(query) == {"organization": {"name": "Ferro"}}


def test_the_standard_introspection_query_has_a_depth_of_15() -> None:
    document = parse(get_introspection_query())
    assert measure_structure(document, GRAPH, StructureLimits(depth=15)) == []
    [error] = measure_structure(document, GRAPH, StructureLimits(depth=14))
    assert error.name == "depth"


def test_every_limit_has_a_setting_with_the_same_default() -> None:
    from schema.server.limit_settings import LIMIT_NAMES
    from schema.server.settings import Settings

    settings: Any = Settings()
    assert settings.limits.structure(settings.graphql.max_tokens) == LIMITS
    assert set(LIMITS.__dataclass_fields__) <= set(LIMIT_NAMES)


async def test_reading_a_document_collects_no_garbage_and_leaves_little() -> None:
    """A collection holds up all requests, and graphql-core leaves 1,100 objects of each document."""
    documents, collections = Documents(LIMITS, max_bytes=10_000_000), 0

    def count(*_: Any) -> None:
        nonlocal collections
        collections += 1

    gc.collect()
    gc.disable()
    gc.callbacks.append(count)
    try:
        for text in ("{ organizations { nodes { name } } } # new", "{ unknown } # new"):
            with suppress(DocumentErrors):
                valid = await documents.read(DocumentKey(GRAPH, True, text), LimitPolicy())
                prepare_operation(valid, None, schema.execution_context_class, GRAPH)
        del valid
        documents._cache.clear()
        assert collections == 0
        assert gc.collect() < 10
    finally:
        gc.callbacks.remove(count)
        gc.enable()


@pytest.mark.parametrize("pauses", [2, 15], ids=["parsed", "validated"])
async def test_a_document_that_nobody_waits_for_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch, pauses: int
) -> None:
    monkeypatch.setattr(turns, "THREAD_TURN_S", 0)
    documents, reached, left = Documents(LIMITS, max_bytes=10_000_000), threading.Event(), threading.Event()

    class Held(Turn):
        """Holds the thread at a pause until the client has left, and counts the pauses."""

        pauses = 0

        def pause_thread(self) -> None:
            self.pauses += 1
            if self.pauses == pauses:
                reached.set()
                left.wait(10)

    turn, key = (
        Held(),
        DocumentKey(GRAPH, True, "{ organizations { nodes { name } } } # long " + "a" * pauses),
    )
    reading = asyncio.create_task(documents.read(key, LimitPolicy(), turn))
    assert await asyncio.to_thread(reached.wait, 10)
    reading.cancel()
    await asyncio.wait((reading,))
    left.set()
    await documents.read(key, LimitPolicy())  # another one waits for nothing
    assert turn.pauses == pauses


async def test_a_new_document_that_many_send_is_read_once() -> None:
    documents = Documents(LIMITS, max_bytes=10_000_000)
    key = DocumentKey(GRAPH, True, "{ __typename }")
    reading = (documents.read(key, LimitPolicy()) for _ in range(5))
    assert len(set(await asyncio.gather(*reading))) == 1


@pytest.mark.slow
async def test_documents_need_no_garbage_collection() -> None:
    documents = Documents(LIMITS, max_bytes=10_000_000)

    def count_tokens() -> int:
        return sum(isinstance(item, Token) for item in gc.get_objects())

    gc.collect()
    before = count_tokens()
    for text in ("{ organizations { totalCount } }", "{ unknown }", "{ ( }"):
        with suppress(DocumentErrors):
            await documents.read(DocumentKey(GRAPH, True, text), LimitPolicy())
        gc.collect()  # what is still in use becomes old
    assert count_tokens() > before
    gc.disable()
    try:
        documents._cache.clear()
        assert count_tokens() < before + 4  # of the eight of the valid document
    finally:
        gc.enable()


@pytest.mark.slow
async def test_a_document_over_a_limit_needs_no_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its nodes are gone as soon as it is rejected. Collecting them would hold up all requests."""
    documents = Documents(LIMITS, max_bytes=10_000_000)
    gc.collect()
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    gc.disable()
    try:
        before = sum(isinstance(item, Node) for item in gc.get_objects())
        for text, _ in ABUSES.values():
            with pytest.raises(LimitExceeded):
                await documents.read(DocumentKey(GRAPH, True, text), LimitPolicy())
        assert sum(isinstance(item, Node) for item in gc.get_objects()) < before + 100
    finally:
        gc.enable()
