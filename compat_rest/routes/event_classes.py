"""The event classes of an application."""

from typing import Any

from compat_rest.bodies import EVENT_CLASS_LIST
from compat_rest.routes.route import OLDER_APPLICATION, Parameters, Required, get, post, put
from compat_rest.routes.shapes import OldRequest, read_payload, without

PATH = f"{OLDER_APPLICATION}/event-classes"
HIDDEN = ("_id", "applicationId", "createdAt", "updatedAt")


def make_new_event_class(parameters: Parameters, body: Any) -> dict[str, Any]:
    return {"input": {**parameters, "eventClass": {"document": body}}}


def make_new_event_classes(parameters: Parameters, body: Any) -> dict[str, Any]:
    return {"input": {**parameters, "eventClasses": [{"document": item} for item in body]}}


def shape_event_classes(data: Any, request: OldRequest) -> Any:
    return [without(document, *HIDDEN) for document in data["documents"]]


def shape_added_event_class(data: Any, request: OldRequest) -> Any:
    return without(read_payload(data)["document"], *HIDDEN)


def shape_replaced_event_classes(data: Any, request: OldRequest) -> Any:
    return [without(event_class["document"], *HIDDEN) for event_class in read_payload(data)]


ROUTES = (
    get(PATH, "EventClasses", shape_event_classes),
    post(PATH, "AddEventClass", shape_added_event_class, make_new_event_class, Required("Event class data is required")),
    put(PATH, "SetEventClasses", shape_replaced_event_classes, make_new_event_classes, body=EVENT_CLASS_LIST),
)  # fmt: skip
