"""Lists over many organizations and applications: the number of store calls does not grow with them."""

from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.backends.mongo.documents import MongoDocumentStore
from stores.contracts.document_store import DocumentStore
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from tests.schema.client import Client
from tests.schema.test_cost import Commands, without_periodic_recovery
from tests.servers import Server

__all__ = ["without_periodic_recovery"]

CONFIG = Organization.collection_of()
SIZES = [1, 100, pytest.param(1000, marks=pytest.mark.slow)]
ORGANIZATIONS = """{ organizations(first: 1000) { nodes {
  name applicationCount deviceCount userCount sizeOnDisk } totalCount } }"""
DEVICES = """query($o: String!, $after: String, $order: DeviceOrder) { organization(organizationId: $o) {
  devices(first: 5, after: $after, orderBy: $order) { nodes { machineId }
    pageInfo { hasNextPage endCursor } } } }"""
ACTIVITY = """query($o: String!) { organization(organizationId: $o) { applications {
  lastActivity connectedDeviceCount events(first: 2) { nodes { value } totalCount } deviceCount } } }"""
ANALYTICS = """{ registeredDevices registeredApplications connectedDevices eventsProcessed storageGigabytes
  events(first: 5) { nodes { value } } }"""


async def fill(store: DocumentStore, organization: str, applications: int) -> None:
    """An organization with a device in each third application."""
    settings = {f"app{i:04}": {"name": "A"} for i in range(applications)}
    entry = {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}}
    await store.database(organization).upsert(CONFIG, [entry])
    for i in range(0, applications, 3):
        machine = {"_id": ObjectId(), "machineId": f"M{i:04}", "name": f"N{-i:05}"}
        await store.database(organization).upsert(Device.collection_of(f"app{i:04}"), [machine])


@pytest.mark.parametrize("count", SIZES)
async def test_organizations_are_three_calls(client: Client, organization: str, count: int) -> None:
    for i in range(count):
        await fill(client.documents, f"{organization}-{i}", 2)
    listed = (await client.run(ORGANIZATIONS))["organizations"]
    assert listed["totalCount"] == len(listed["nodes"]) == count
    assert {node["deviceCount"] for node in listed["nodes"]} == {1}
    assert client.calls[:2] == ["databases", "find config"]
    assert len(client.calls) == 3


@pytest.mark.parametrize("count", SIZES)
async def test_a_page_of_devices_stops_when_it_is_full(client: Client, organization: str, count: int) -> None:
    await fill(client.documents, organization, count)
    order = {"field": "NAME", "direction": "DESC"}
    for order_by in (None, order):
        read = await client.run(DEVICES, o=organization, order=order_by)
        assert len(client.calls) == 2
        devices = read["organization"]["devices"]
        assert [device["machineId"] for device in devices["nodes"]] == [
            f"M{i:04}" for i in range(0, min(count, 15), 3)
        ]


async def test_pages_of_an_organization_pass_every_device_once(client: Client, organization: str) -> None:
    await fill(client.documents, organization, 40)
    documents = client.documents.database(organization)
    more = [{"_id": i, "machineId": f"X{i}"} for i in range(12)]
    await documents.upsert(Device.collection_of("app0003"), more)
    machines: list[str] = []
    after = None
    while True:
        devices = (await client.run(DEVICES, o=organization, after=after))["organization"]["devices"]
        assert len(client.calls) <= 3
        machines += [device["machineId"] for device in devices["nodes"]]
        after = devices["pageInfo"]["endCursor"]
        if not devices["pageInfo"]["hasNextPage"]:
            break
    assert len(machines) == len(set(machines)) == 14 + 12
    # By application first; within one, in the requested order.
    assert machines[:14] == ["M0000", *(f"X{i}" for i in range(12)), "M0003"]
    assert machines[14:] == [f"M{i:04}" for i in range(6, 40, 3)]


@pytest.mark.parametrize("count", SIZES)
async def test_the_activity_of_applications_is_a_constant_number_of_calls(
    client: Client, organization: str, count: int
) -> None:
    await fill(client.documents, organization, count)
    read = await client.run(ACTIVITY, o=organization)
    assert len(read["organization"]["applications"]) == count
    assert len(client.calls) == 3  # the configuration, the machine ids, the counts
    assert len(client.series_calls) <= 5


@pytest.mark.parametrize("count", SIZES)
async def test_analytics_are_a_constant_number_of_calls(
    client: Client, organization: str, count: int
) -> None:
    for i in range(min(count, 100)):
        await fill(client.documents, f"{organization}-{i}", max(count // 100, 2))
    await client.run(f"{{ analytics {ANALYTICS} }}")
    assert len(client.calls) == 4  # the databases, the configurations, the counts, the machine ids
    assert len(client.series_calls) <= 4
    await client.run(f"{{ organizations(first: 1000) {{ nodes {{ analytics {ANALYTICS} }} }} }}")
    assert len(client.calls) == 4
    organizations = min(count, 100)  # each has a database of its own
    assert len(client.series_calls) <= 4 * organizations


@pytest.mark.parametrize("count", [1, 30])
async def test_on_mongodb_an_organization_is_one_command_and_one_of_counts(
    mongodb_server: Server, organization: str, tmp_path: Path, count: int
) -> None:
    commands, store, client = await open_mongodb(mongodb_server, tmp_path)
    for i in range(count):
        await fill(store, f"{organization}-{i:03}", 2)
    commands.names.clear()
    query = "query($s: String) { organizations(first: 1000, search: $s) { nodes { name deviceCount } } }"
    listed = await client.run(query, s=organization)
    assert len(listed["organizations"]["nodes"]) == count
    databases = len(await store.list_databases())  # other tests use the server as well
    assert commands.names.count("aggregate") == count
    assert commands.names.count("find") <= databases
    await client.http.aclose()
    await store.close()


@pytest.mark.parametrize("count", SIZES)
async def test_on_mongodb_a_hundred_applications_are_one_command(
    mongodb_server: Server, organization: str, tmp_path: Path, count: int
) -> None:
    commands, store, client = await open_mongodb(mongodb_server, tmp_path)
    await fill(store, organization, count)
    hundreds = -(-count // 100)
    commands.names.clear()
    await client.run(DEVICES, o=organization)
    assert len(commands.names) <= 2 if count > 15 else 1 + hundreds
    commands.names.clear()
    read = await client.run(ACTIVITY, o=organization)
    assert len(read["organization"]["applications"]) == count
    reads = [name for name in commands.names if name in ("find", "aggregate")]
    assert len(reads) == 1 + 2 * hundreds  # the configuration, the machine ids, the counts
    await client.http.aclose()
    await store.close()


async def open_mongodb(server: Server, folder: Path) -> tuple[Commands, MongoDocumentStore, Client]:
    commands = Commands()
    store = MongoDocumentStore(server.url, listeners=[commands])
    client = Client(create_app(Settings(data=folder), documents=store), store)
    await client.run("{ viewer { subject } }")
    warm: Any = await store.database("warm").find(CONFIG)  # what the first use of a store recovers
    assert warm == []
    return commands, store, client
