"""Event classes of an application: what its machines' events mean."""

import time
from collections.abc import Iterator
from typing import Any

from bson import ObjectId

from resolvers.applications import require_application
from resolvers.context import Context
from resolvers.rules.checks import check_object
from stores.contracts.documents import Document, Query, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.collections import EVENT_CLASSES
from stores.entities.event_classes import EventClass


async def list_event_classes(context: Context, organization_id: str, application_id: str) -> list[EventClass]:
    """The event classes of one application, in the order they were made."""
    loaders = context.viewer.tenant(organization_id).loaders
    found = await loaders.by_field(EVENT_CLASSES, ("applicationId",)).load(application_id)
    return [EventClass(each, organization_id, application_id) for each in found]


async def add_event_class(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> EventClass:
    """Keep a new event class. Raises `Conflict` where the application has one of its id."""
    await require_application(context, organization_id, application_id)
    documents = context.viewer.tenant(organization_id).documents
    for made_id in fresh_ids("ec"):
        kept = _kept(values, application_id, made_id)
        try:
            await documents.insert(EVENT_CLASSES, kept)
        except Conflict:
            if kept["id"] != made_id:
                raise Conflict(f"event class {kept['id']} exists already", fields=["id"]) from None
        else:
            return EventClass(kept, organization_id, application_id)
    raise AssertionError("ids do not run out")


async def set_event_classes(
    context: Context, organization_id: str, application_id: str, items: list[Any]
) -> list[EventClass]:
    """Put these in the place of all event classes of the application: all of them, or none."""
    await require_application(context, organization_id, application_id)
    made_id = next(fresh_ids("ec"))
    kept = [
        _kept(values, application_id, f"{made_id}_{i}", f"Event class at index {i}")
        for i, values in enumerate(items)
    ]
    ids = [each["id"] for each in kept]
    repeated = next((i for i, each in enumerate(ids) if each in ids[:i]), None)
    if repeated is not None:
        raise BadUserInput(
            f"Event class at index {repeated} repeats the id {ids[repeated]}",
            fields=[f"eventClasses.{repeated}.id"],
        )
    documents = context.viewer.tenant(organization_id).documents
    await documents.replace(EVENT_CLASSES, [equals("applicationId", application_id)], kept)
    return [EventClass(each, organization_id, application_id) for each in kept]


def fresh_ids(prefix: str) -> Iterator[str]:
    """Ids of the current millisecond and those after it, for when one is taken."""
    start = time.time_ns() // 1_000_000
    for later in range(10_000):
        yield f"{prefix}_{start + later}"


def _kept(values: Any, application_id: str, made_id: str, what: str = "Event class") -> Document:
    """The document of an event class. Only values that belong to its type are kept."""
    if not isinstance(values, dict):
        raise BadUserInput(f"{what} must be an object")
    given = check_object(values)
    given["class"] = given.get("class") or given.get("className")
    for name, said in (("class", "class or className"), ("topic", "topic"), ("type", "type")):
        if not given.get(name):
            raise BadUserInput(f"{what} is missing required field: {said}", fields=[name])
    event_class_id = given.get("id") or made_id
    for name, value in (("id", event_class_id), ("class", given["class"])):
        if not isinstance(value, str):
            raise BadUserInput(f"{what}: {name} must be a text", fields=[name])
    kept: Document = {
        "_id": ObjectId(),
        "id": event_class_id,
        "class": given["class"],
        "topic": given["topic"],
        "type": given["type"],
    }
    if given["type"] == "STR" and isinstance(given.get("auth_values"), list):
        kept["auth_values"] = given["auth_values"]
    limits = given.get("values_range")
    if given["type"] == "FLOAT" and isinstance(limits, list) and len(limits) == 2:
        kept["values_range"] = limits
    moment = utc_now()
    return {**kept, "applicationId": application_id, "createdAt": moment, "updatedAt": moment}


async def get_event_class(
    context: Context, organization_id: str, application_id: str, document_id: Any
) -> EventClass | None:
    """An event class by the store's id, which is what its global id holds."""
    loaders = context.viewer.tenant(organization_id).loaders
    where = (equals("_id", document_id), equals("applicationId", application_id))
    found = await loaders.pages(EVENT_CLASSES).load(Query(where=where, limit=1))
    return EventClass(found[0], organization_id, application_id) if found else None
