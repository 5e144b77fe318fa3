"""Compiled queries answer what graphql-core answers, to the letter; their plans are few and hold no data."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_graphql import queries

from resolvers.event_bindings import EventBinding
from schema.engine import compiled_operations, execution
from schema.engine.execution import Executor
from schema.engine.scalars import to_json
from schema.types.root import schema
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.records import Record
from stores.entities.devices import Device
from tests.randomized import randomized
from tests.schema.executors import DEVICES, LIMITS, ExecutorPair, stores
from tests.schema.test_generated import SCALARS

IN_LISTS = [
    "nodes { id documentId machineId name createdAt updatedAt connectorNames properties document }",
    "nodes { a: machineId b: machineId machineId __typename } edges { cursor node { name } } totalCount",
    "nodes { connectors { name driver properties organization { name } } application { name organization { name } } }",
    "nodes { eventBindings { sourceId label class eventClass { class type authValues } } }",
    "nodes { status { power execution mode at age stale } connected latest(measurement: \"state\", field: \"power\")"
    " { time value } }",
    "nodes { events(first: 2, includeHeartbeats: true) { nodes { time value machineId } } states(range: {last: \"PT10M\"}) { start execution { value start end } } }",
    "nodes { name ... on Device { name connectors { name } } ...F } pageInfo { hasNextPage endCursor }",
    "nodes { events(first: -1) { nodes { time } } status { power } }",
    "nodes { series(measurement: \"no\", field: \"no\", range: {last: \"PT1H\"}) { times values } }",
    "nodes { property(key: \"ip\") connectors { devices(first: 2) { nodes { machineId } } } }",
]  # fmt: skip
FRAGMENT = " fragment F on Device { connectors { driver } name ...G } fragment G on Device { machineId }"


@pytest.mark.parametrize("selection", IN_LISTS)
async def test_a_compiled_list_is_the_same(pair: ExecutorPair, selection: str) -> None:
    query = "{ " + DEVICES % selection + " }" + (FRAGMENT if "...F" in selection else "")
    answer = await pair.compare(query)
    assert answer.compiled is not None
    assert any(path.startswith("application.devices") for path in answer.compiled)


async def test_a_list_of_columns_makes_no_record_of_each_document(
    pair: ExecutorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[type] = []
    create = Record.__init__

    def count(self: Record, *arguments: Any) -> None:
        created.append(type(self))
        create(self, *arguments)

    # The broken devices, whose values are converted one by one, are left out.
    arguments = 'filter: {search: "LATHE"}, first: 30'
    fields = "nodes { documentId machineId name createdAt eventBindings { sourceId label class } status { power } }"
    query = "{ " + DEVICES.replace("first: 30", arguments) % fields + " }"
    monkeypatch.setattr(Record, "__init__", count)
    answer = await pair.compare(query)
    created.clear()
    again = await pair.run(pair.compiled, query)
    assert again.data == answer.data
    assert again.data is not None
    nodes = again.data["application"]["devices"]["nodes"]
    assert len(nodes) > 2
    assert sum(len(node["eventBindings"]) for node in nodes) > 2
    # One of each list tells its type, and one device where the points of all are.
    assert (created.count(Device), created.count(EventBinding)) == (2, 1)


async def test_conditions_are_those_of_the_request(pair: ExecutorPair) -> None:
    query = "query($a: Boolean!, $b: Boolean! = true) { " + DEVICES % (
        "nodes { name @skip(if: $a) machineId @include(if: $b) ... @include(if: $a) { connectors { name } } }"
    ) + " }"  # fmt: skip
    plans_run = set()
    for variables in ({"a": True}, {"a": False}, {"a": True, "b": False}, {"a": False, "b": True}):
        answer = await pair.compare(query, **variables)
        assert answer.compiled is not None
        plans_run.add(to_json(answer.data))
    assert len(plans_run) == 3


async def test_variables_are_those_of_the_request(pair: ExecutorPair) -> None:
    query = (
        'query($n: Int, $m: String!) { organization(organizationId: "ferro-works") { devices(first: $n)'
        " { nodes { machineId latest(measurement: $m, field: \"power\") { value } } } } }"
    )  # fmt: skip
    for n, measurement in ((2, "state"), (3, "none")):
        answer = await pair.compare(query, n=n, m=measurement)
        assert answer.data is not None
        assert len(answer.data["organization"]["devices"]["nodes"]) == n
    refused = await pair.compare(query, n="two", m="state")
    assert refused.rejected


OTHERS = [
    "{ organizations { nodes { name deviceCount applicationCount userCount applications { name deviceCount } } } }",
    "{ __schema { queryType { name } } organizations { totalCount } }",
    "{ a: organization(organizationId: \"ferro-works\") { name } b: organization(organizationId: \"none\") { name } }",
    "{ organization(organizationId: \"a b\") { name } organizations { nodes { name } } }",
    "{ node(id: \"nonsense\") { id ... on Device { name } } }",
    "{ analytics { registeredDevices connectedDevices eventsProcessed events { nodes { value } } } }",
    "{ icons { name category } viewer { subject role } machine(machineId: \"LATHE-01\") { status { power } } }",
    "{ machine(machineId: \"LATHE-01\") { series(measurement: \"state\", field: \"power\", range: {last: \"P1D\"}) { count timesMs booleans } } }",
    "{ machine(machineId: \"x\") { machineId connected states(range: {last: \"-PT1H\"}) { coverage } } }",
    "{ organizations(first: 0) { nodes { name } pageInfo { endCursor } } services { name configuration } }",
]  # fmt: skip


@pytest.mark.parametrize("query", OTHERS)
async def test_other_queries_are_the_same(pair: ExecutorPair, query: str) -> None:
    await pair.compare(query)


async def test_an_interface_is_answered_by_the_type_of_each_object(pair: ExecutorPair) -> None:
    answer = await pair.compare(
        "{ organizations { nodes { id applications { id devices(first: 1) { nodes { id } } } } } }"
    )
    assert answer.data is not None
    organization = answer.data["organizations"]["nodes"][0]
    application = organization["applications"][0]
    query = "query($id: ID!) { node(id: $id) { __typename id ... on Device { machineId } ... on Application { name } } }"
    for object_ in (organization, application, application["devices"]["nodes"][0]):
        answer = await pair.compare(query, id=object_["id"])
        assert answer.data is not None
        assert answer.data["node"]["id"] == object_["id"]
        assert answer.compiled is not None


# Deferred, because it takes a second of each process that only collects the test.
QUERIES = st.deferred(lambda: queries(schema.as_str(), custom_scalars=SCALARS))


@randomized(12)
@given(st.lists(QUERIES, min_size=4, max_size=10), st.booleans())
def test_random_queries_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, requested: list[str], down: bool
) -> None:
    """On a plant with broken devices, and with a time-series store that fails as well."""

    async def compare(folder: Path) -> None:
        async with stores(folder) as pair:
            if down:
                (folder / "broken.db").write_bytes(b"no database" * 1000)
                pair.series = SqliteSeriesStore(folder / "broken.db")
            for query in requested:
                await pair.compare(query)
            if down:
                await pair.series.close()

    asyncio.run(compare(tmp_path_factory.mktemp("compiled")))


async def test_plans_and_documents_stay_within_their_bounds(
    pair: ExecutorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 4 << 20
    monkeypatch.setattr(compiled_operations, "MAX_PLAN_BYTES", bound)
    monkeypatch.setattr(execution, "MAX_DOCUMENT_BYTES", bound)
    executor = Executor(schema, LIMITS)
    fields = " ".join(f"f{n}: name" for n in range(64))
    for n in range(60):
        for _ in range(2):
            await pair.run(executor, f"{{ a{n}: organizations {{ nodes {{ {fields} }} }} }}")
    sizes = executor.get_cached_bytes()
    assert bound / 2 < sizes["operations"] <= bound
    assert bound / 2 < sizes["documents"] <= bound


async def test_a_document_that_is_seen_once_is_not_compiled(pair: ExecutorPair) -> None:
    for n in range(50):
        await pair.run(pair.compiled, f"{{ a{n}: organizations {{ totalCount }} }}")
    assert pair.compiled.counts == {"first_seen": 50}


async def test_large_documents_are_answered(pair: ExecutorPair) -> None:
    aliases = " ".join(f"a{n}: name" for n in range(2000))
    assert (await pair.compare("{ " + DEVICES % f"nodes {{ {aliases} }}" + " }")).compiled is not None
    nested = " ".join(f"fragment F{n} on Device {{ ...F{n + 1} }}" for n in range(200))
    await pair.compare(
        "{ " + DEVICES % "nodes { ...F0 }" + " } " + nested + " fragment F200 on Device { name }"
    )
