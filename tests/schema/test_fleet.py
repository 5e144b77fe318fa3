"""Questions about all devices: those in a state, those that reported last, and how many there are."""

import time
from typing import Any

import pytest
from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from stores.entities.devices import Device
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS, CREATE_APPLICATION
from tests.schema.machines import DAY, HOUR, MINUTE, put, write

DEVICES = """query($o: String!, $first: Int, $after: String, $filter: DeviceFilter, $order: DeviceOrder) {
  of: application(organizationId: $o, applicationId: "cnc") {
    devices(first: $first, after: $after, filter: $filter, orderBy: $order) {
      nodes { machineId } totalCount pageInfo { endCursor hasNextPage } } } }"""
OF_ORGANIZATION = DEVICES.replace(', applicationId: "cnc"', "").replace("application", "organization")
COUNTS = """query($o: String!) { organization(organizationId: $o) {
  applications { deviceCount statusCounts { execution count } } } }"""
NEWEST, OLDEST = ({"field": "STATUS_TIME", "direction": direction} for direction in ("DESC", "ASC"))


@pytest.fixture
async def fleet(client: Client, plant: str, series: WritableSeriesStore) -> str:
    """M0 is active, M1 has been stale since two days ago, M2 has never reported; A0 of `line` is ready."""
    await client.run(CREATE_APPLICATION, organization=plant, application="line")
    database = client.documents.database(plant)
    await database.upsert(Device.collection_of("line"), [{"_id": ObjectId(), "machineId": "A0", "name": "A"}])
    now = time.time_ns()
    await write(
        series,
        [
            put("state", "M0", now - MINUTE, power=True, execution="ACTIVE"),
            put("state", "M1", now - 2 * DAY, power=True, execution="ACTIVE"),
            put("state", "A0", now - HOUR, power=False, execution="READY"),
            put("state", "A0", now - 2 * HOUR, power=True),
            put("state", "M1", now + DAY, power=True, execution="FROM THE FUTURE"),
        ],
    )
    return plant


async def walk(client: Client, query: str, **variables: Any) -> list[str]:
    """The machine ids of all pages."""
    machines: list[str] = []
    after = None
    while True:
        devices = (await client.run(query, after=after, **variables))["of"]["devices"]
        machines += [device["machineId"] for device in devices["nodes"]]
        after = devices["pageInfo"]["endCursor"]
        if not devices["pageInfo"]["hasNextPage"]:
            assert devices["totalCount"] == len(machines)
            return machines


@pytest.mark.parametrize(
    ("status", "machines"),
    [
        ({"execution": ["ACTIVE"]}, ["M0", "M1"]),
        ({"execution": ["READY", None]}, ["M2", "A0"]),
        ({"execution": ["FROM THE FUTURE"]}, []),
        ({"power": True}, ["M0", "M1"]),
        ({"power": False}, ["A0"]),
        ({"stale": True}, ["M1", "A0"]),
        ({"stale": False}, ["M0"]),
        ({"connected": True}, ["M0", "A0"]),
        ({"connected": False, "stale": True}, ["M1"]),
        ({}, ["M0", "M1", "M2", "A0"]),
    ],
)
async def test_devices_are_selected_by_their_status(
    client: Client, fleet: str, status: dict[str, Any], machines: list[str]
) -> None:
    assert await walk(client, OF_ORGANIZATION, o=fleet, first=1, filter={"status": status}) == machines
    of_application = [machine for machine in machines if machine != "A0"]
    assert await walk(client, DEVICES, o=fleet, filter={"status": status}) == of_application
    order = {"field": "MACHINE_ID", "direction": "DESC"}
    backwards = await walk(client, DEVICES, o=fleet, first=1, filter={"status": status}, order=order)
    assert backwards == of_application[::-1]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_devices_that_have_never_reported_come_last(client: Client, fleet: str) -> None:
    assert await walk(client, OF_ORGANIZATION, o=fleet, first=1, order=NEWEST) == ["M0", "A0", "M1", "M2"]
    assert await walk(client, OF_ORGANIZATION, o=fleet, first=1, order=OLDEST) == ["M1", "A0", "M0", "M2"]
    machines = await walk(client, DEVICES, o=fleet, first=1, order=OLDEST, filter={"search": "m"})
    assert machines == ["M1", "M0", "M2"]


async def test_a_machine_that_reports_between_two_pages_is_on_one_of_them(
    client: Client, fleet: str, series: WritableSeriesStore
) -> None:
    first = (await client.run(OF_ORGANIZATION, o=fleet, first=2, order=NEWEST))["of"]["devices"]
    await write(series, [put("state", "M1", time.time_ns(), power=True, execution="ACTIVE")])
    rest = {"first": 2, "order": NEWEST, "after": first["pageInfo"]["endCursor"]}
    second = (await client.run(OF_ORGANIZATION, o=fleet, **rest))["of"]["devices"]
    assert [node["machineId"] for node in first["nodes"] + second["nodes"]] == ["M0", "A0", "M1", "M2"]
    others: list[dict[str, Any]] = [{"order": OLDEST}, {"filter": {"status": {}}}, {}]
    for other in others:
        rest = {"after": first["pageInfo"]["endCursor"], **other}
        assert await client.code(OF_ORGANIZATION, o=fleet, **rest) == "BAD_USER_INPUT"


async def test_the_counts_of_states_are_those_of_all_devices(client: Client, fleet: str) -> None:
    cnc, line = (await client.run(COUNTS, o=fleet))["organization"]["applications"]
    assert cnc["statusCounts"] == [{"execution": "ACTIVE", "count": 2}, {"execution": None, "count": 1}]
    assert line["statusCounts"] == [{"execution": "READY", "count": 1}]
    assert client.series_calls == ["latest state power,execution,mode"]


@pytest.mark.slow
@pytest.mark.parametrize("machines", [1, 1000])
async def test_the_statuses_of_a_list_are_one_query(
    client: Client, plant: str, documents: DocumentStore, series: WritableSeriesStore, machines: int
) -> None:
    names = [f"A{i:04}" for i in range(machines)]
    database = documents.database(plant)
    await database.delete(Device.collection_of("cnc"), [])
    await database.upsert(
        Device.collection_of("cnc"), [{"_id": ObjectId(), "machineId": name, "name": name} for name in names]
    )
    now = time.time_ns()
    await write(
        series, [put("state", name, now - i * SECOND, power=True) for i, name in enumerate(names[::2])]
    )
    conditions = {"status": {"power": True, "connected": True}}
    query = DEVICES.replace("nodes { machineId }", "nodes { machineId status { at } connected }")
    listed = (await client.run(query, o=plant, first=1000, filter=conditions, order=NEWEST))["of"]["devices"]
    assert [node["machineId"] for node in listed["nodes"]] == names[::2]
    assert len(client.calls) == 2  # the configuration, and the devices
    # The fields of the nodes are those that the filter has read.
    assert client.series_calls == ["latest state power,execution,mode", "machines_with state power"]
