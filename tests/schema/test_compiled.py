"""Compiled queries answer what graphql-core answers, to the letter; their plans are few and hold no data."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_graphql import queries

from resolvers.context import Context, SeriesAccess, Viewer
from schema.engine.execution import MAX_PLANS, Executor, OperationResult
from schema.engine.plans.compiler import Plan
from schema.engine.scalars import to_json
from schema.engine.structure import StructureLimits
from schema.types.root import schema
from stores.backends.sqlite.documents import SqliteDocumentDatabase, SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Collection, Document, Query
from stores.contracts.errors import Unavailable
from stores.contracts.series import Point, SeriesDatabase, SeriesStore
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.icons import Icons
from stores.opening import open_icon_files
from tests.randomized import randomized
from tests.schema.test_generated import SCALARS

PLAIN_TEXT = SecretCipher.store_plain_text()

EVENT_CLASSES = EventClass.collection_of()

NOW = 1_790_000_000_000_000_000
BROKEN: list[dict[str, Any]] = [
    {"machineId": "B1", "name": 7, "connectors": "Fanuc", "events": {"id": 1, "class": ["MODE"]}},
    {"machine_id": "B2", "name": {"en": "x"}, "connectors": [None, 3, "Fanuc"], "events": ["no"]},
    {"name": "by name", "createdAt": "yesterday", "updatedAt": 5, "properties": [1]},
    {"machineId": True, "createdAt": "2026-01-02T03:04:05+02:00", "events": [{"label": 1.5}, {}]},
    {},
]


LIMITS = StructureLimits(tokens=20_000, aliases=5000, depth=100)


class ExecutorPair:
    """The same queries, compiled and by graphql-core alone, over the same stores."""

    def __init__(self, folder: Path, documents: DocumentStore, series: SeriesStore) -> None:
        self.folder, self.documents, self.series = folder, documents, series
        self.database = "machines"
        self.databases: dict[str, str] = {}
        self.compiled = Executor(schema, LIMITS)
        self.plain = Executor(schema, LIMITS, compiled=False)

    async def run(self, executor: Executor, query: str, **variables: Any) -> OperationResult:
        viewer = Viewer(self.documents, SeriesAccess(self.series, self.database, self.databases))
        icons = Icons(open_icon_files(self.folder / "icons"))
        context = Context(viewer, icons, PLAIN_TEXT, request_id="r", now=NOW)
        return await executor.run(query, variables, None, context)

    async def compare(self, query: str, **variables: Any) -> OperationResult:
        """The compiled answer, which is the plain one's."""
        plain = await self.run(self.plain, query, **variables)
        first = await self.run(self.compiled, query, **variables)
        again = await self.run(self.compiled, query, **variables)
        assert not self.compiled.counts["plan_failed"]
        for answer in (first, again):
            assert to_json(answer.data) == to_json(plain.data), query
            if plain.data is None and not plain.rejected:
                # Which fields beside one that may not be null had failed before is a matter of time.
                assert answer.errors
            else:
                assert to_json(answer.errors) == to_json(plain.errors), query
        return again


@asynccontextmanager
async def stores(folder: Path) -> AsyncIterator[ExecutorPair]:
    """The demo plant with broken devices among the others, and machines that reported."""
    documents, series = SqliteDocumentStore(folder / "documents.db"), SqliteSeriesStore(folder / "series.db")
    await demo.load(documents, PLAIN_TEXT)
    broken = [{"_id": ObjectId(), **document} for document in BROKEN]
    await documents.database("ferro-works").upsert(Device.collection_of("cnc-monitoring"), broken)
    machines = ("LATHE-01", "LATHE-02", "B1")
    points = [
        Point(
            "state", (("machine_id", machine),), {"power": True, "execution": "ACTIVE"}, NOW - 60 * 10**9 * n
        )
        for machine in machines
        for n in range(1, 4)
    ]
    await series.write("machines", points)
    try:
        yield ExecutorPair(folder, documents, series)
    finally:
        await documents.close()
        await series.close()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[ExecutorPair]:
    async with stores(tmp_path) as opened:
        yield opened


DEVICES = 'application(organizationId: "ferro-works", applicationId: "cnc-monitoring") { devices(first: 30) { %s } }'
IN_LISTS = [
    "nodes { id documentId machineId name createdAt updatedAt connectorNames properties document }",
    "nodes { a: machineId b: machineId machineId __typename } edges { cursor node { name } } totalCount",
    "nodes { connectors { name driver properties organization { name } } application { name organization { name } } }",
    "nodes { eventBindings { sourceId label class eventClass { class type authValues } } }",
    "nodes { status { power execution mode at age stale } connected latest(measurement: \"state\", field: \"power\")"
    " { time value } }",
    "nodes { events(first: 2) { time value machineId } states(range: {last: \"PT10M\"}) { start execution { value start end } } }",
    "nodes { name ... on Device { name connectors { name } } ...F } pageInfo { hasNextPage endCursor }",
    "nodes { events(first: -1) { time } status { power } }",
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
    assert len((await pair.compare(query, n=2, m="state")).data["organization"]["devices"]["nodes"]) == 2  # type: ignore[index]
    assert len((await pair.compare(query, n=3, m="none")).data["organization"]["devices"]["nodes"]) == 3  # type: ignore[index]
    refused = await pair.compare(query, n="two", m="state")
    assert refused.rejected


OTHERS = [
    "{ organizations { nodes { name deviceCount applicationCount userCount applications { name deviceCount } } } }",
    "{ __schema { queryType { name } } organizations { totalCount } }",
    "{ a: organization(organizationId: \"ferro-works\") { name } b: organization(organizationId: \"none\") { name } }",
    "{ organization(organizationId: \"a b\") { name } organizations { nodes { name } } }",
    "{ node(id: \"nonsense\") { id ... on Device { name } } }",
    "{ analytics { registeredDevices connectedDevices eventsProcessed events { value } } }",
    "{ icons { name category } viewer { subject role } machine(machineId: \"LATHE-01\") { status { power } } }",
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


async def test_a_store_that_is_down_costs_its_fields(pair: ExecutorPair, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    pair.series = SqliteSeriesStore(tmp_path / "broken.db")
    selection = "nodes { machineId connectors { name } status { power } events { value } connected }"
    answer = await pair.compare("{ " + DEVICES % selection + " }")
    await pair.series.close()
    nodes = answer.data["application"]["devices"]["nodes"]  # type: ignore[index]
    assert len(answer.errors) == 3 * len(nodes)
    assert all(node["status"] is None for node in nodes)
    assert answer.compiled is not None


class OneLost(SeriesStore):
    """A store of which one database cannot be read."""

    def __init__(self, good: SeriesStore, bad: SeriesStore, lost: str) -> None:
        self.good, self.bad, self.lost = good, bad, lost

    def database(self, name: str) -> SeriesDatabase:
        return (self.bad if name == self.lost else self.good).database(name)

    async def ping(self) -> None:
        await self.good.ping()

    async def close(self) -> None:
        await self.bad.close()


async def test_one_database_that_fails_costs_its_machines_alone(pair: ExecutorPair, tmp_path: Path) -> None:
    """Devices of two organizations are one list to a plan: the loader of one of them fails."""
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    good = pair.series
    pair.series = OneLost(good, SqliteSeriesStore(tmp_path / "broken.db"), "alpine")
    pair.databases = {"alpine-robotics": "alpine"}
    devices = "devices { nodes { machineId status { power } connected } }"
    answer = await pair.compare("{ organizations { nodes { name applications { " + devices + " } } } }")
    await pair.series.close()
    pair.series = good
    by_organization = {
        organization["name"]: [
            device
            for application in organization["applications"]
            for device in application["devices"]["nodes"]
        ]
        for organization in answer.data["organizations"]["nodes"]  # type: ignore[index]
    }
    lost, stored = by_organization["Alpine Robotics"], by_organization["Ferro Works"]
    assert answer.compiled is not None
    assert len(answer.errors) == 2 * len(lost) > 0
    assert all(device["status"] is None and device["connected"] is None for device in lost)
    assert any(device["status"] for device in stored)
    assert all(device["connected"] is not None for device in stored)


class LostCollection(SqliteDocumentStore):
    """A store of which one collection of one organization cannot be read."""

    lost = ""

    def database(self, name: str) -> SqliteDocumentDatabase:
        database = super().database(name)
        return LostDocuments(self, name) if self.lost else database


class LostDocuments(SqliteDocumentDatabase):
    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        lost = cast(LostCollection, self._store).lost
        if collection.name == lost and self.database == "ferro-works":
            raise Unavailable("the document store does not answer")
        return await super().find_many(collection, queries)


@pytest.mark.parametrize(
    ("lost", "selection", "compiled"),
    [
        ("cnc-monitoring_connectors", "connectors { name }", False),  # the field may not be null
        (EVENT_CLASSES.name, "eventBindings { label eventClass { class } }", True),
    ],
)
async def test_one_collection_that_fails_costs_what_is_read_from_it(
    pair: ExecutorPair, tmp_path: Path, lost: str, selection: str, compiled: bool
) -> None:
    pair.documents = store = LostCollection(tmp_path / "documents.db")
    query = "{ organizations { nodes { applications { devices { nodes { " + selection + " } } } } } }"
    assert not (await pair.compare(query)).errors
    store.lost = lost
    answer = await pair.compare(query)
    await store.close()
    assert answer.errors
    assert (answer.compiled is not None) is compiled


async def test_a_null_where_none_may_be_is_left_to_the_reference(pair: ExecutorPair, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    documents, pair.documents = pair.documents, SqliteDocumentStore(tmp_path / "broken.db")
    answer = await pair.compare(
        '{ organization(organizationId: "ferro-works") { name deviceCount } services { name } }'
    )
    await pair.documents.close()
    pair.documents = documents
    assert answer.data is None
    assert pair.compiled.counts["fell_back"] == 1


@randomized(6)
@given(st.lists(queries(schema.as_str(), custom_scalars=SCALARS), min_size=20, max_size=40), st.booleans())
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


async def test_a_plan_that_fails_unexpectedly_is_logged_once_and_counted(
    pair: ExecutorPair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is answered by graphql-core, as if there were no plan."""

    async def fail(self: Plan, executor: Any) -> Any:
        raise ZeroDivisionError("a fault of the plan")

    monkeypatch.setattr(Plan, "run", fail)
    results = [await pair.run(pair.compiled, "{ organizations { totalCount } }") for _ in range(4)]
    assert all(result.data == results[0].data and not result.errors for result in results)
    assert pair.compiled.counts == {"first_seen": 1, "compiled": 1, "plan_failed": 3}
    [record] = [record for record in caplog.records if record.name == "schema.engine.execution"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize(
    "function", ["resolvers.scopes.get_application", "resolvers.series.statuses.get_connected"]
)
async def test_a_fault_of_a_resolver_ends_the_plan_and_is_logged_once(
    pair: ExecutorPair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, function: str
) -> None:
    """Only expected failures become errors of fields in a plan; graphql-core answers the others."""
    query = "{ services { name } " + DEVICES % "nodes { connected }" + " }"

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a fault of a resolver")

    monkeypatch.setattr(function, fail)
    results = [await pair.run(pair.compiled, query) for _ in range(4)]
    assert all(len(result.errors) == len(results[0].errors) > 0 for result in results)
    assert all(to_json(result.data) == to_json(results[0].data) for result in results)
    assert pair.compiled.counts == {"first_seen": 1, "compiled": 1, "plan_failed": 3}
    assert len([record for record in caplog.records if record.name == "schema.engine.execution"]) == 1


async def test_an_operation_that_cannot_be_compiled_is_logged_and_answered(
    pair: ExecutorPair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a fault of the compiler")

    monkeypatch.setattr("schema.engine.execution.compile_plan", fail)
    results = [await pair.run(pair.compiled, "{ organizations { totalCount } }") for _ in range(3)]
    assert all(result.data == results[0].data and not result.errors for result in results)
    assert pair.compiled.counts == {"first_seen": 1, "plan_failed": 1}
    assert len([record for record in caplog.records if record.name == "schema.engine.execution"]) == 1


async def test_plans_stay_within_their_bound(pair: ExecutorPair) -> None:
    for n in range(MAX_PLANS + 100):
        for _ in range(2):
            await pair.run(pair.compiled, f"{{ a{n}: __typename }}")
    assert len(pair.compiled._plans) == MAX_PLANS


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
