"""A time-series server that is down, hangs or comes back: what it does not hold is answered as ever."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, Point
from stores.opening import open_series
from stores.wrappers.breaker import PROBE_INTERVAL_S
from tests.contract.series_stores import send
from tests.schema.client import Client
from tests.servers import InfluxDB2, InfluxDB3

DEADLINE = 1.0
HANGS_S = 30.0  # whatever takes this long has no deadline; `make bench-check` measures it
SERVERS = ("influxdb3", "influxdb2")
MACHINES = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") { name devices {
  nodes { machineId connectors { name } status { power } connected } totalCount } } }"""


@dataclass
class Deployment:
    client: Client
    server: InfluxDB2 | InfluxDB3

    async def machines(self, organization: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The devices and the errors."""
        async with asyncio.timeout(HANGS_S):
            answer = await self.client.send(MACHINES, o=organization)
        return answer["data"]["application"]["devices"]["nodes"], answer.get("errors", [])

    async def find(self, organization: str) -> list[dict[str, Any]]:
        """The devices, once nothing fails: a busy machine may exceed the deadline at first."""
        async with asyncio.timeout(HANGS_S):
            while True:
                nodes, errors = await self.machines(organization)
                if not errors:
                    return nodes
                await asyncio.sleep(PROBE_INTERVAL_S / 4)


@pytest.fixture(params=SERVERS)
async def deployment(
    request: pytest.FixtureRequest, documents: DocumentStore, tmp_path: Path
) -> AsyncIterator[Deployment]:
    server = request.getfixturevalue(f"own_{request.param}_server")
    database = getattr(server, "bucket", None) or server.databases[0]
    prefix, org = ("influxdb2+", server.org) if isinstance(server, InfluxDB2) else ("", "")
    series = open_series(prefix + server.url, data=tmp_path, deadline=DEADLINE, token=server.token, org=org)
    settings = Settings.model_validate({"data": tmp_path, "series": {"database": database}})
    client = Client(create_app(settings, documents=documents, series=series), documents)
    point = Point("state", ((MACHINE, "M1"),), {"power": True}, time.time_ns())
    await send(server, database, [point])
    yield Deployment(client, server)
    await client.http.aclose()
    await series.close()


@pytest.fixture
async def plant(deployment: Deployment, organization: str) -> str:
    """Application `cnc` with machines M0, M1 and M2."""
    client = deployment.client
    await client.run(
        "mutation($o: String!) { createOrganization(input: {organizationId: $o}) { organization { id } }"
        ' createApplication(input: {organizationId: $o, applicationId: "cnc", name: "CNC"})'
        " { application { id } } }",
        o=organization,
    )
    for n in range(3):
        await client.run(
            "mutation($o: String!, $m: String!) { createDevice(input: {organizationId: $o,"
            ' applicationId: "cnc", machineId: $m}) { device { id } } }',
            o=organization,
            m=f"M{n}",
        )
    return organization


async def test_a_store_that_is_down_costs_its_fields_and_comes_back(
    deployment: Deployment, plant: str
) -> None:
    for _ in range(2):
        nodes = await deployment.find(plant)
        assert [node["status"] for node in nodes] == [None, {"power": True}, None]
    deployment.server.stop()
    for _ in range(2):
        nodes, errors = await deployment.machines(plant)
        _all_null(nodes, errors)
    ready = await deployment.client.http.get("/health/ready")
    assert (ready.status_code, ready.json()["series"], ready.json()["documents"]) == (
        503,
        "unavailable",
        "ok",
    )
    assert deployment.server.url not in ready.text
    deployment.server.start()
    if isinstance(deployment.server, InfluxDB3):  # it keeps everything in memory
        point = Point("state", ((MACHINE, "M1"),), {"power": True}, time.time_ns())
        await send(deployment.server, deployment.server.databases[0], [point])
    nodes = await deployment.find(plant)
    assert [node["status"] for node in nodes] == [None, {"power": True}, None]
    assert (await deployment.client.http.get("/health/ready")).status_code == 200


async def test_a_call_to_a_store_that_hangs_ends_at_its_deadline(deployment: Deployment, plant: str) -> None:
    await deployment.find(plant)
    deployment.server.pause()
    try:
        for _ in range(2):
            nodes, errors = await deployment.machines(plant)
            _all_null(nodes, errors)
        await deployment.client.run(
            "query($o: String!) { organization(organizationId: $o) { deviceCount } }", o=plant
        )
        assert deployment.client.series_calls == []
    finally:
        deployment.server.resume()
    nodes = await deployment.find(plant)
    assert [node["connected"] for node in nodes] == [False, True, False]


def _all_null(nodes: list[dict[str, Any]], errors: list[dict[str, Any]]) -> None:
    assert [node["machineId"] for node in nodes] == ["M0", "M1", "M2"]
    assert all(node["status"] is None and node["connected"] is None for node in nodes)
    assert {error["extensions"]["code"] for error in errors} == {"UNAVAILABLE"}
    paths = {tuple(error["path"]) for error in errors}
    assert len(errors) == len(paths) == 6
    assert ("application", "devices", "nodes", 2, "status") in paths
