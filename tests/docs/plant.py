"""A plant of a chosen size, and the nested selections whose store calls are counted."""

from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.entities.connectors import ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization

_QUERY = '{ organization(organizationId: "plant") { name applications { name deviceCount %s } } }'
SELECTIONS = {
    "an organization, its applications and their `deviceCount`": _QUERY % "",
    "+ the devices of each application": _QUERY % "devices { nodes { machineId } }",
    "+ the connectors of each device": _QUERY % "devices { nodes { machineId connectors { name } } }",
    "+ the event class of each binding": _QUERY
    % "devices { nodes { machineId connectors { name } eventBindings { eventClass { class } } } }",
}


async def fill(store: DocumentStore, applications: int, devices: int) -> None:
    """The organization `plant`, in which every application has `devices` devices."""
    documents = store.database("plant")
    names = [f"application-{n}" for n in range(applications)]
    settings = {name: {"name": name} for name in names}
    value = {"applicationSettings": settings}
    await documents.upsert(
        Organization.collection_of(), [{"_id": ObjectId(), "key": "applications", "value": value}]
    )
    template = {"_id": ObjectId(), "name": "Fanuc", "driver": "fanuc"}
    await documents.upsert(ConnectorTemplate.collection_of(), [template])
    for name in names:
        event_class = {"_id": ObjectId(), "id": "mode", "class": "MODE", "applicationId": name}
        await documents.upsert(EventClass.collection_of(), [event_class])
        machines = [
            {
                "_id": ObjectId(),
                "machineId": f"M{n}",
                "connectors": ["Fanuc"],
                "events": [{"id": "mode", "class": "MODE"}],
            }
            for n in range(devices)
        ]
        await documents.upsert(Device.collection_of(name), machines)
