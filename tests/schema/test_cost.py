"""What a query costs in store calls: the table "Store queries", whatever the number of devices."""

from pathlib import Path

import pytest
from bson import ObjectId
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.backends.mongo import recovery
from stores.backends.mongo.documents import MongoDocumentStore
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import equals
from stores.entities.api_keys import ApiKey
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS
from tests.servers import Server

CONFIG = Organization.collection_of()
TEMPLATES = ConnectorTemplate.collection_of()
EVENT_CLASSES = EventClass.collection_of()

COUNTS = "query($o: String!) { organization(organizationId: $o) { name applications { name deviceCount } } }"
NESTED = """query($o: String!) { organization(organizationId: $o) { name applications {
  name deviceCount devices(first: 1000) { nodes { machineId name connectors { name driver }
    eventBindings { sourceId eventClass { class } } application { name } organization { name } } } } } }"""
BACKWARDS = """query($o: String!) { organization(organizationId: $o) {
  connectors { name devices(first: 2) { nodes { machineId } } }
  applications { connectors { name devices(first: 2) { nodes { machineId } } }
    eventClasses { class devices { machineId } } } } }"""


async def fill(store: DocumentStore, organization: str, devices: int, applications: int) -> None:
    """An organization made without the gateway, as an existing deployment has it."""
    documents = store.database(organization)
    names = [f"app{i}" for i in range(applications)]
    settings = {name: {"name": name, "status": "active"} for name in names}
    entry = {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}}
    await documents.upsert(CONFIG, [entry])
    templates = [{"_id": ObjectId(), "name": n, "driver": "fanuc"} for n in ("Fanuc", "Haas", "Mazak")]
    await documents.upsert(TEMPLATES, templates)
    for i, name in enumerate(names):
        machines = [
            {
                "_id": ObjectId(),
                "machineId": f"M{n}",
                "connectors": ["Fanuc", f"{name} line"],
                "events": [{"id": "e", "class": "MODE"}],
            }
            for n in range(i, devices, applications)
        ]
        await documents.upsert(Device.collection_of(name), machines)
        line = {"_id": ObjectId(), "name": f"{name} line", "driver": "opcua"}
        await documents.upsert(Connector.collection_of(name), [line])
        mode = {"_id": ObjectId(), "id": "mode", "class": "MODE", "applicationId": name}
        await documents.upsert(EVENT_CLASSES, [mode])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("applications", [1, 3, 20])
@pytest.mark.parametrize("devices", [1, 100, 1000])
async def test_calls_depend_on_the_number_of_applications_only(
    client: Client, organization: str, devices: int, applications: int
) -> None:
    await fill(client.documents, organization, devices, applications)
    names = [f"app{i}" for i in range(applications)]

    await client.run(COUNTS, o=organization)
    assert client.calls == ["find config", "count " + " ".join(f"{a}_devices" for a in names)]

    data = await client.run(NESTED, o=organization)
    nodes = [d for a in data["organization"]["applications"] for d in a["devices"]["nodes"]]
    assert len(nodes) == devices
    assert all(len(node["connectors"]) == 2 for node in nodes)
    busy = [a for a in names if int(a[3:]) < devices]
    # The event classes of all applications are one collection, read when an application's devices are there.
    classes = [call for call in client.calls if call == "find monitoreo-cnc_events"]
    assert 1 <= len(classes) <= applications
    assert sorted(client.calls) == sorted(
        [
            *classes,
            "find config",
            "count " + " ".join(f"{a}_devices" for a in names),
            *(f"find {a}_devices" for a in names),
            *(f"find {a}_connectors" for a in busy),
            "find connectors",
        ]
    )

    await client.run(BACKWARDS, o=organization)
    device_finds = [call for call in client.calls if call.endswith("_devices")]
    # By each of three templates in all applications, and by connector and by event class in each of them.
    assert len(device_finds) <= 3 + 2 * applications


@pytest.fixture(autouse=True)
def without_periodic_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands every ten seconds would count as the query's."""
    monkeypatch.setattr(recovery, "INTERVAL_S", 3600.0)


class Commands(CommandListener):
    """The names of the commands that reach a server, without those that read the API keys now and then."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command.get(event.command_name) != ApiKey.collection:
            self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.mark.parametrize("devices", [100, 1000])
async def test_on_mongodb_a_call_is_one_command(
    mongodb_server: Server, organization: str, tmp_path: Path, devices: int
) -> None:
    commands = Commands()
    store = MongoDocumentStore(mongodb_server.url, listeners=[commands])
    client = Client(create_app(Settings(data=tmp_path), documents=store), store)
    await fill(store, organization, devices, 3)
    for query in (NESTED, BACKWARDS):
        commands.names.clear()
        await client.run(query, o=organization)
        assert len(commands.names) == len(client.calls)
        assert set(commands.names) <= {"aggregate", "find"}  # no `getMore`
    await client.http.aclose()
    await store.close()


async def test_on_mongodb_counts_of_many_collections_are_one_command(
    mongodb_server: Server, organization: str
) -> None:
    commands = Commands()
    store = MongoDocumentStore(mongodb_server.url, listeners=[commands])
    documents = store.database(organization)
    requested = [Device.collection_of(name) for name in ("a", "b", "none", "a..b")]
    for collection, names in zip(requested, (["x", "y"], ["x"]), strict=False):
        await documents.upsert(collection, [{"_id": ObjectId(), "name": name} for name in names])
    for entry, needed in (([], 1 + 3), ([{"_id": ObjectId(), "key": "organization", "value": {}}], 1)):
        await documents.upsert(CONFIG, entry)  # without a document there is none to begin at
        commands.names.clear()
        assert await documents.count(requested) == [2, 1, 0, 0]
        assert commands.names == ["aggregate"] * needed
        assert await documents.count(requested, [equals("name", "x")]) == [1, 1, 0, 0]
    await store.close()


async def test_a_selection_reads_only_the_keys_that_it_needs(client: Client, plant: str) -> None:
    requested_keys: set[frozenset[str] | None] = set()  # a wrapper around a wrapper sees a call twice
    documents = client.documents.database(plant)
    original = type(documents).find_columns

    async def spy(self, collection, queries):  # type: ignore[no-untyped-def]  # as the contract types it
        requested_keys.update(query.keys for query in queries if collection.name == "cnc_devices")
        return await original(self, collection, queries)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(documents), "find_columns", spy)
        query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
          devices { nodes { ...Named connectors { driver } } } } } fragment Named on Device { id name }"""
        await client.run(query, o=plant)
    assert requested_keys == {frozenset({"name", "connectors", "_id"})}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_total_is_counted_only_if_it_is_selected(client: Client, plant: str) -> None:
    query = """query($o: String!, $t: Boolean!) { application(organizationId: $o, applicationId: "cnc") {
      devices(first: 1) { nodes { machineId } totalCount @include(if: $t) } } }"""
    await client.run(query, o=plant, t=False)
    assert not any(call.startswith("count") for call in client.calls)
    data = await client.run(query, o=plant, t=True)
    assert data["application"]["devices"]["totalCount"] == 3
    assert client.calls.count("count cnc_devices") == 1


async def test_reading_makes_no_organization(client: Client, organization: str) -> None:
    assert await client.run(COUNTS, o=organization) == {"organization": None}
    assert organization not in [info.name for info in await client.documents.list_databases()]
    counts = await client.documents.database(organization).count([CONFIG], [equals("key", "x")])
    assert counts == [0]
