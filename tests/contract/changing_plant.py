"""An organization that several gateways change at once, and what must be true of it afterwards.

Also a program: it changes the organization until it is killed.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable

from bson import ObjectId

from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import (
    Change,
    Collection,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Exists,
    Guard,
    Path,
    Query,
    ReplaceMany,
    UpdateOne,
    equals,
)
from stores.contracts.errors import Conflict, NotFound
from stores.entities.connectors import Connector
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.organizations import Organization
from stores.opening import open_documents

CONFIG = Organization.collection_of()
EVENT_CLASSES, FUNCTIONS = EventClass.collection_of(), Function.collection_of()
APPLICATIONS = ("cnc", "linea.3")  # the second one has an id that no dotted path can name
SET_SIZE = 3
IS_ENTRY = equals("key", "applications")


def settings(application: str) -> Path:
    return ("value", "applicationSettings", application)


def guard(application: str) -> Guard:
    return Guard(CONFIG, [IS_ENTRY, Exists(settings(application))], "Application")


def own_collections(application: str) -> list[Collection]:
    return [Device.collection_of(application), Connector.collection_of(application)]


async def create_application(documents: DocumentDatabase, application: str) -> None:
    entry: Document = {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": {}}}
    change = Change(set={settings(application): {"name": application, "incarnation": str(ObjectId())}})
    absent = Exists(settings(application), present=False)
    await documents.write_all(
        [
            UpdateOne(CONFIG, [IS_ENTRY, absent], change, insert=entry),
            CreateCollections(own_collections(application)),
        ]
    )


async def delete_application(documents: DocumentDatabase, application: str) -> None:
    where = [equals("applicationId", application)]
    await documents.write_all(
        [
            UpdateOne(
                CONFIG, [IS_ENTRY, Exists(settings(application))], Change(unset=[settings(application)])
            ),
            DropCollections(own_collections(application)),
            DeleteMany(EVENT_CLASSES, where),
            DeleteMany(FUNCTIONS, where),
        ]
    )


async def set_event_classes(documents: DocumentDatabase, application: str, label: str) -> None:
    """Replace the event classes by a whole set of one label, some of whose ids every set has."""
    new = [
        {"_id": ObjectId(), "id": f"e{i}" if i else label, "applicationId": application, "label": label}
        for i in range(SET_SIZE)
    ]
    where = [equals("applicationId", application)]
    await documents.write_all([ReplaceMany(EVENT_CLASSES, where, new)], guard=guard(application))


async def create_device(documents: DocumentDatabase, application: str, machine_id: str) -> None:
    spelling = random.choice(("machineId", "machine_id"))
    device: Document = {"_id": ObjectId(), spelling: machine_id}
    await documents.insert(Device.collection_of(application), device, guard=guard(application))


async def create_function(documents: DocumentDatabase, application: str, function_id: str) -> None:
    function = {"_id": ObjectId(), "id": function_id, "applicationId": application}
    await documents.insert(FUNCTIONS, function, guard=guard(application))


def choose_action(documents: DocumentDatabase, numbers: random.Random) -> Callable[[], Awaitable[None]]:
    application, label = numbers.choice(APPLICATIONS), f"set{numbers.randrange(10**9)}"
    return numbers.choice(
        [
            lambda: create_application(documents, application),
            lambda: delete_application(documents, application),
            lambda: set_event_classes(documents, application, label),
            lambda: set_event_classes(documents, application, label),
            lambda: create_device(documents, application, f"M{numbers.randrange(3)}"),
            lambda: create_function(documents, application, f"f{numbers.randrange(3)}"),
        ]
    )


async def run_action(action: Callable[[], Awaitable[None]]) -> None:
    try:
        await action()
    except (NotFound, Conflict):
        return  # there is no such application, or the key is taken


async def check(documents: DocumentDatabase) -> None:
    """Every set is whole, nothing belongs to an application that does not exist, and keys are unique."""
    entries = await documents.find(CONFIG, Query(where=(IS_ENTRY,)))
    assert len(entries) <= 1
    registered = entries[0]["value"]["applicationSettings"] if entries else {}
    classes, functions = await documents.find(EVENT_CLASSES), await documents.find(FUNCTIONS)
    for application in APPLICATIONS:
        labels = [d["label"] for d in classes if d["applicationId"] == application]
        assert len(labels) in (0, SET_SIZE), labels
        assert len(set(labels)) <= 1, labels
        devices = await documents.find(Device.collection_of(application))
        ids = [device.get("machineId", device.get("machine_id")) for device in devices]
        assert len(ids) == len(set(ids)), ids
        own = [function["id"] for function in functions if function["applicationId"] == application]
        assert len(own) == len(set(own)), own
        if application not in registered:
            left = {"event classes": labels, "devices": ids, "functions": own}
            assert not any(left.values()), f"{application} is deleted, but has {left}"


async def change_until_killed(url: str, database: str, seed: str) -> None:
    numbers = random.Random(seed)
    documents = open_documents(url, data=None, deadline=60).database(database)
    await create_application(documents, APPLICATIONS[0])
    print("ready", flush=True)
    while True:
        actions = [choose_action(documents, numbers) for _ in range(4)]
        await asyncio.gather(*map(run_action, actions))


if __name__ == "__main__":
    asyncio.run(change_until_killed(*sys.argv[1:]))
