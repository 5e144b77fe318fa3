"""Services, which all organizations share."""

from typing import Any

from compat_rest.responses import NO_CONTENT
from compat_rest.routes.route import OldRoute, Required, from_document, from_fields, get, patch, post, put
from compat_rest.routes.shapes import (
    OldRequest,
    Shape,
    constant,
    is_conflict,
    require,
    shape_changed_document,
    shape_error,
)

PATH = "/api/services/{documentId}"
SERVICE_FIELDS = Required(
    "Missing required fields: name, type, and configuration are required", ("name", "type", "configuration")
)


def shape_services(data: Any, request: OldRequest) -> Any:
    return [service["document"] for service in data["services"]]


def shape_service(data: Any, request: OldRequest) -> Any:
    return require(data["service"], "Service")["document"]


def answer_conflict_as(text: str) -> Shape:
    """The error of a route that answers a CONFLICT with a text of its own and the reason as `message`."""

    def shape(error: Any, request: OldRequest) -> Any:
        if is_conflict(error):
            return {"error": text, "message": error["message"]}
        return shape_error(error, request)

    return shape


def shape_toggle_error(error: Any, request: OldRequest) -> Any:
    """An error without a path was raised when the variables were coerced: `enabled` is no boolean."""
    return shape_error(error, request) if "path" in error else {"error": "Invalid value for enabled field"}


ROUTES = (
    get("/api/services", "Services", shape_services),
    get(PATH, "Service", shape_service),
    post(
        "/api/services", "CreateService", shape_changed_document,
        from_document, SERVICE_FIELDS, error=answer_conflict_as("Failed to create service"),
    ),
    put(
        PATH, "UpdateService", shape_changed_document,
        from_document, error=answer_conflict_as("Failed to update service"),
    ),
    patch(
        f"{PATH}/toggle", "SetServiceEnabled", shape_changed_document,
        from_fields("enabled"), error=shape_toggle_error,
    ),
    OldRoute(
        method="DELETE", path=PATH, operation="DeleteService", shape=constant(),
        variables=from_fields(), status=204, rendering=NO_CONTENT,
    ),
)  # fmt: skip
