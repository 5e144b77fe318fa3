"""The plant that the compared servers have: its documents, its points, and the queries about it."""

import time
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, Point
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.organizations import Organization

CONFIG = Organization.collection_of()
TEMPLATES = ConnectorTemplate.collection_of()
DATABASE = "bench"
APPLICATIONS = {"app0": 1000, "app1": 100, "app2": 10}
SCALARS = "documentId machineId name createdAt updatedAt"
EVENTS, CONNECTORS, STATUS = (
    "eventBindings { sourceId label class }",
    "connectors { name driver }",
    "status { power execution }",
)
REST = "/api/organizations/bench/applications/app0/devices"


def devices(application: str, selection: str) -> str:
    return (
        f'{{ application(organizationId: "{DATABASE}", applicationId: "{application}")'
        f" {{ devices(first: 1000) {{ nodes {{ {selection} }} }} }} }}"
    )


# With the number of requests in a round.
QUERIES = {
    "Q1 organization, 3 applications, counts": (
        f'{{ organization(organizationId: "{DATABASE}") {{ name applications {{ name deviceCount }} }} }}',
        256,
    ),
    "Q2 100 devices, events": (devices("app1", f"{SCALARS} {EVENTS}"), 128),
    "Q2 with connectors, status": (devices("app1", f"{SCALARS} {EVENTS} {CONNECTORS} {STATUS}"), 64),
    "Q2 5 scalars only": (devices("app1", SCALARS), 128),
    "Q3 1,000 devices, events, connectors, status": (
        devices("app0", f"{SCALARS} {EVENTS} {CONNECTORS} {STATUS}"),
        16,
    ),
    "Q3 without status": (devices("app0", f"{SCALARS} {EVENTS} {CONNECTORS}"), 16),
    "Q4 1,000 devices, 5 scalars": (devices("app0", SCALARS), 32),
}
# What is compared with a bare handler.
BARE = {
    "REST 1,000 devices": (REST, 16),
    "REST 100 devices": (REST.replace("app0", "app1"), 64),
    "{ __typename }": ("{ __typename }", 512),
}


async def fill(store: DocumentStore) -> None:
    documents = store.database(DATABASE)
    settings = {name: {"name": name, "status": "active"} for name in APPLICATIONS}
    entries: list[dict[str, Any]] = [
        {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}},
        {"_id": ObjectId(), "key": "organization", "value": {"name": DATABASE}},
    ]
    await documents.upsert(CONFIG, entries)
    templates = [{"_id": ObjectId(), "name": name, "driver": "fanuc"} for name in ("Fanuc", "Haas")]
    await documents.upsert(TEMPLATES, templates)
    now = datetime(2026, 1, 2, 3, 4, 5, 678000)
    for name, count in APPLICATIONS.items():
        line = {"_id": ObjectId(), "name": f"{name} line", "driver": "opcua"}
        await documents.upsert(Connector.collection_of(name), [line])
        devices = [
            {
                "_id": ObjectId(),
                "machineId": f"{name}-M{n}",
                "name": f"Machine {n}",
                "organizationId": DATABASE,
                "applicationId": name,
                "connectors": ["Fanuc", f"{name} line"],
                "events": [{"id": f"{n}.e{k}", "label": f"Event {k}", "class": "MODE"} for k in range(3)],
                "properties": {"ip": "192.0.2.1", "port": 8193, "serial": f"{n:08}", "site": "Hall 7"},
                "createdAt": now + timedelta(seconds=n),
                "updatedAt": now + timedelta(hours=n, milliseconds=n),
            }
            for n in range(count)
        ]
        await documents.upsert(Device.collection_of(name), devices)


def states() -> list[Point]:
    at = time.time_ns()
    return [
        Point("state", ((MACHINE, f"{name}-M{n}"),), {"power": n % 3 > 0, "execution": "ACTIVE"}, at)
        for name, count in APPLICATIONS.items()
        for n in range(count)
    ]
