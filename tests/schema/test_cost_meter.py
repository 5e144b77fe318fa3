"""Requests that cost too much: refused before a store is called, or stopped by the meter."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from resolvers.metering import Cost
from schema.server.app import create_app
from schema.server.limit_settings import LimitSettings
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from stores.entities.connectors import Connector
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from tests.schema.client import Client
from tests.schema.machines import NOW, put
from tests.schema.test_cost_limits import APPLICATIONS, CONNECTORS, DEFAULTS, OpenClient, estimate


@pytest.fixture
async def long_plant(documents: DocumentStore, series: WritableSeriesStore) -> None:
    """Lists that are longer than their declared maxima."""
    database = documents.database("long")
    settings = {"cnc": {"name": "CNC"}, **{f"app{n}": {"name": "A"} for n in range(59)}}
    entry = {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}}
    await database.upsert(Organization.collection_of(), [entry])
    connectors = [{"_id": ObjectId(), "name": f"C{n}", "driver": "fanuc"} for n in range(40)]
    await database.upsert(Connector.collection_of("cnc"), connectors)
    await database.upsert(Device.collection_of("cnc"), [{"_id": ObjectId(), "machineId": "M0"}])
    points = [put("m", "M0", NOW - n * SECOND, f=n) for n in range(100)]
    assert not any(await series.write("organization/long", points))


@pytest.fixture
async def open_client(
    tmp_path: Path, documents: DocumentStore, series: WritableSeriesStore
) -> AsyncIterator[OpenClient]:
    """Opens a client of an application with these limits."""
    clients: list[Client] = []

    def open_with(**limits: Any) -> Client:
        settings = Settings(data=tmp_path, limits=LimitSettings(**limits))
        clients.append(Client(create_app(settings, documents=documents, series=series), documents))
        return clients[-1]

    yield open_with
    for client in clients:
        await client.http.aclose()


SAMPLES = """{ device(organizationId: "long", applicationId: "cnc", machineId: "M0") {
  series(measurement: "m", field: "f", range: {last: "P1D"}) { count } } }"""


@pytest.mark.parametrize(
    ("limit", "maximum", "query", "cost"),
    [
        ("calls", 3, CONNECTORS, 4),
        ("documents", 30, CONNECTORS, 2 + 20 + 51),
        ("objects", 20, APPLICATIONS, 21),
    ],
)
async def test_a_request_that_may_cost_too_much_calls_no_store(
    open_client: OpenClient,
    limit: str,
    maximum: int,
    query: str,
    cost: int,
) -> None:
    client = open_client(**{limit: maximum})
    answer = await client.send(query)
    assert "data" not in answer
    [error] = answer["errors"]
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
    assert getattr(estimate(query), limit) == cost
    assert client.calls == []


@pytest.mark.parametrize(
    ("limit", "maximum", "query"),
    [("documents", 30, CONNECTORS), ("objects", 50, APPLICATIONS), ("points", 90, SAMPLES)],
)
async def test_beyond_the_declared_maxima_the_meter_stops_the_request(
    open_client: OpenClient,
    long_plant: None,
    limit: str,
    maximum: int,
    query: str,
) -> None:
    client = open_client(**{limit: maximum})
    for _ in range(3):  # by graphql-core, then by a plan
        answer = await client.send(query, n=3)
        assert answer["data"] is None
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["limit"] == limit
        assert "path" not in error
    client = open_client(**{limit: maximum}, warn_only=[limit])
    for _ in range(3):
        answer = await client.send(query, n=3)
        assert "errors" not in answer
        application = answer["data"].get("application")
        assert application is None or len(application["connectors"]) == 40


async def test_a_list_is_read_no_further_than_the_limit(open_client: OpenClient, long_plant: None) -> None:
    query = '{ documents(organizationId: "long", applicationId: "cnc", of: CONNECTORS) }'
    client = open_client(documents=25)
    body = {"query": query, "extensions": {"cost": True}}
    answer = (await client.http.post("/graphql", json=body)).json()
    assert answer["errors"][0]["extensions"]["limit"] == "documents"
    assert answer["extensions"]["cost"]["actual"]["documents"] == 26


async def test_a_mutation_that_has_started_finishes(open_client: OpenClient, long_plant: None) -> None:
    mutation = """mutation { updateApplication(
      input: {organizationId: "long", applicationId: "cnc", name: "N"}
    ) { application { name connectors { name } } } }"""
    client = open_client(documents=60)
    changed = await client.run(mutation)
    assert len(changed["updateApplication"]["application"]["connectors"]) == 40


async def test_a_request_is_told_its_cost_if_it_asks(client: Client, plant: str) -> None:
    query = """query($o: String!) { organization(organizationId: $o) {
      applications { devices { nodes { name } } } } }"""
    body = {"query": query, "variables": {"o": plant}, "extensions": {"cost": True}}
    for _ in range(2):
        cost = (await client.http.post("/graphql", json=body)).json()["extensions"]["cost"]
        assert cost["actual"] == {"calls": 2, "documents": 5, "points": 0, "objects": 6}
        assert cost["estimate"] == estimate(query, o=plant)._asdict()
        assert cost["limit"] == DEFAULTS._asdict()
        assert cost["byPath"]["organization.applications.devices"] == {
            "calls": 20,
            "documents": 20 * 51,
            "points": 0,
            "objects": 20,
        }
        sums = [sum(path[name] for path in cost["byPath"].values()) for name in Cost._fields]
        assert dict(zip(Cost._fields, sums, strict=True)) == cost["estimate"]
    parameters = {"query": "{ viewer { name } }", "extensions": json.dumps({"cost": True})}
    answer = (await client.http.get("/graphql", params=parameters)).json()
    assert answer["extensions"]["cost"]["actual"]["calls"] == 0
    assert (
        "extensions" not in (await client.http.post("/graphql", json={"query": "{ viewer { name } }"})).json()
    )
