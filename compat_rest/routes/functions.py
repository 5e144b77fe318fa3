"""The functions of an application."""

from typing import Any

from compat_rest.routes.route import OLDER_APPLICATION, Required, delete, from_fields, get, post, put
from compat_rest.routes.shapes import OldRequest, read_payload, without

PATH = f"{OLDER_APPLICATION}/functions"
FIELDS = ("name", "type", "expression", "variables", "events", "counter", "description")
HIDDEN = ("_id", "applicationId", "createdAt", "updatedAt")


def shape_functions(data: Any, request: OldRequest) -> Any:
    return [without(document, *HIDDEN) for document in data["documents"]]


def shape_created_function(data: Any, request: OldRequest) -> Any:
    """`counter` only if the request has it."""
    function = shape_updated_function(data, request)
    return function if "counter" in request.body else without(function, "counter")


def shape_updated_function(data: Any, request: OldRequest) -> Any:
    return without(read_payload(data)["document"], *HIDDEN)


ROUTES = (
    get(PATH, "Functions", shape_functions),
    post(
        PATH, "CreateFunction", shape_created_function,
        from_fields(*FIELDS, functionId="id"), Required("Function data is required"),
    ),
    put(f"{PATH}/{{functionId}}", "UpdateFunction", shape_updated_function, from_fields(*FIELDS)),
    delete(f"{PATH}/{{functionId}}", "DeleteFunction", "Function deleted successfully"),
)  # fmt: skip
