"""Event classes of an application: what the events of its machines mean."""

from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_object
from resolvers.rules.ids import generate_ids
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import Document, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.event_classes import EventClass


async def list_event_classes(context: Context, organization_id: str, application_id: str) -> list[EventClass]:
    """The event classes of one application, oldest first."""
    return await Repository(context, EventClass, organization_id, application_id).list_all()


async def add_event_class(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> EventClass:
    """Create an event class. Raises `Conflict` if the application has one with its id."""
    event_classes = await open_repository(context, EventClass, organization_id, application_id)
    for generated_id in generate_ids("ec"):
        document = _build(values, application_id, generated_id)
        taken = Conflict(f"Event class {document['id']} already exists", fields=["id"])
        try:
            return await event_classes.insert(document, conflict=taken)
        except Conflict as error:
            if error is not taken or document["id"] != generated_id:
                raise
    raise AssertionError("ids do not run out")


async def set_event_classes(
    context: Context, organization_id: str, application_id: str, items: list[Any]
) -> list[EventClass]:
    """Replace all event classes of the application by these, or change nothing."""
    event_classes = await open_repository(context, EventClass, organization_id, application_id)
    generated_id = next(generate_ids("ec"))
    documents = [
        _build(values, application_id, f"{generated_id}_{i}", f"Event class at index {i}")
        for i, values in enumerate(items)
    ]
    ids: set[str] = set()
    for i, document in enumerate(documents):
        if document["id"] in ids:
            raise BadUserInput(
                f"Event class at index {i} repeats the id {document['id']}", fields=[f"eventClasses.{i}.id"]
            )
        ids.add(document["id"])
    return await event_classes.replace(documents)


def _build(values: Any, application_id: str, generated_id: str, noun: str = "Event class") -> Document:
    """The document of an event class. Only values that belong to its type are stored."""
    if not isinstance(values, dict):
        raise BadUserInput(f"{noun} must be an object.")
    fields = check_object(values)
    fields["class"] = fields.get("class") or fields.get("className")
    for name, label in (("class", "class or className"), ("topic", "topic"), ("type", "type")):
        if not fields.get(name):
            raise BadUserInput(f"{noun} is missing required field: {label}", fields=[name])
    event_class_id = fields.get("id") or generated_id
    for name, value in (("id", event_class_id), ("class", fields["class"])):
        if not isinstance(value, str):
            raise BadUserInput(f"{noun}: {name} must be a string.", fields=[name])
    document: Document = {
        "_id": ObjectId(),
        "id": event_class_id,
        "class": fields["class"],
        "topic": fields["topic"],
        "type": fields["type"],
    }
    if fields["type"] == "STR" and isinstance(fields.get("auth_values"), list):
        document["auth_values"] = fields["auth_values"]
    values_range = fields.get("values_range")
    if fields["type"] == "FLOAT" and isinstance(values_range, list) and len(values_range) == 2:
        document["values_range"] = values_range
    time = utc_now()
    return {**document, "applicationId": application_id, "createdAt": time, "updatedAt": time}
