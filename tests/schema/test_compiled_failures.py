"""Stores, fields and plans that fail: compiled queries answer what graphql-core answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from schema.engine.plans.compiler import Plan
from schema.engine.scalars import to_json
from stores.backends.sqlite.documents import SqliteDocumentDatabase, SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.documents import Collection, Document, Query
from stores.contracts.errors import Unavailable
from stores.contracts.series import SeriesDatabase, SeriesStore
from stores.entities.event_classes import EventClass
from stores.entities.series_layout import SeriesLayout
from tests.schema.executors import DEVICES, ExecutorPair

EVENT_CLASSES = EventClass.collection_of()


async def test_a_store_that_is_down_costs_its_fields(pair: ExecutorPair, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    pair.series = SqliteSeriesStore(tmp_path / "broken.db")
    selection = (
        "nodes { machineId connectors { name } status { power } events { nodes { value } } connected }"
    )
    answer = await pair.compare("{ " + DEVICES % selection + " }")
    await pair.series.close()
    nodes = answer.data["application"]["devices"]["nodes"]
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
    pair.layout = SeriesLayout(databases={"alpine-robotics": "alpine"})
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
        for organization in answer.data["organizations"]["nodes"]
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

    monkeypatch.setattr("schema.engine.compiled_operations.compile_plan", fail)
    results = [await pair.run(pair.compiled, "{ organizations { totalCount } }") for _ in range(3)]
    assert all(result.data == results[0].data and not result.errors for result in results)
    assert pair.compiled.counts == {"first_seen": 1, "plan_failed": 1}
    assert (
        len([record for record in caplog.records if record.name == "schema.engine.compiled_operations"]) == 1
    )
