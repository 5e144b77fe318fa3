"""What a row of the route table declares, and the functions that rows are written with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compat_rest.bodies import NO_BODY, OBJECT, BodyKind
from compat_rest.responses import JSON, Rendering
from compat_rest.routes.shapes import Shape, constant, shape_error

ORGANIZATION = "/api/organizations/{organizationId}"
APPLICATION = f"{ORGANIZATION}/applications/{{applicationId}}"
OLDER_APPLICATION = "/api/applications/{organizationId}/applications/{applicationId}"

IDEMPOTENCY_KEY = "Idempotency-Key"  # the header of creations that a client may repeat

Parameters = Mapping[str, str]
Variables = Callable[[Parameters, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Required:
    """The fields of a body that must be truthy, as in JavaScript, and the error if one is not.

    Without fields, only the body itself is required.
    """

    message: str
    fields: tuple[str, ...] = ()

    def allows(self, body: Any) -> bool:
        if not self.fields:
            return body is not None
        members = body if isinstance(body, dict) else {}
        return all(_is_truthy(members.get(name)) for name in self.fields)


def _is_truthy(value: Any) -> bool:
    """In JavaScript, empty lists and objects are truthy."""
    return bool(value) or isinstance(value, list | dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRoute:
    """How a request is read, which operation it is, and how the result is written.

    `{name}` in the path is a parameter. `query` lists the parameters of the query string with their defaults.
    `variables` turns parameters and body into the variables of the operation.
    `shape` makes the body of a success, with `status` and `rendering`; `error` makes the body of an error.
    `conflict_status` is the status of a CONFLICT, `without_body` the route to take for a request without a
    body, and `when_unavailable` the body of a success if the store is unavailable. Only what `is_public` needs
    no credential. `takes_idempotency_key` passes the header of that name to the input of the operation.
    """

    method: str
    path: str
    operation: str
    shape: Shape
    body: BodyKind = OBJECT
    query: Mapping[str, str] = field(default_factory=dict)
    variables: Variables
    required: Required | None = None
    status: int = 200
    rendering: Rendering = JSON
    error: Shape = shape_error
    conflict_status: int = 409
    without_body: "OldRoute | None" = None
    when_unavailable: Any = None
    takes_idempotency_key: bool = False
    is_public: bool = False


def get(path: str, operation: str, shape: Shape, **options: Any) -> OldRoute:
    """A route that reads: the variables of its operation are the parameters."""
    row = {"method": "GET", "body": NO_BODY, "variables": from_parameters, **options}
    return OldRoute(path=path, operation=operation, shape=shape, **row)


def post(
    path: str, operation: str, shape: Shape, variables: Variables, required: Required | None = None, **options: Any
) -> OldRoute:  # fmt: skip
    """A route that creates, once for each `Idempotency-Key`."""
    row = {"required": required, "status": 201, "takes_idempotency_key": True, **options}
    return _change("POST", path, operation, shape, variables, **row)


def put(path: str, operation: str, shape: Shape, variables: Variables, **options: Any) -> OldRoute:
    return _change("PUT", path, operation, shape, variables, **options)


def patch(path: str, operation: str, shape: Shape, variables: Variables, **options: Any) -> OldRoute:
    return _change("PATCH", path, operation, shape, variables, **options)


def delete(path: str, operation: str, message: str) -> OldRoute:
    return _change("DELETE", path, operation, constant(message=message), from_fields())


def _change(
    method: str, path: str, operation: str, shape: Shape, variables: Variables, **options: Any
) -> OldRoute:
    return OldRoute(
        method=method, path=path, operation=operation, shape=shape, variables=variables, **options
    )


def from_parameters(parameters: Parameters, body: Any) -> dict[str, Any]:
    return dict(parameters)


def from_fields(*names: str, **renamed: str) -> Variables:
    """An input of the parameters and of the fields that the body has. `from_fields(input="body")` renames."""
    pairs = {**{name: name for name in names}, **renamed}

    def variables(parameters: Parameters, body: Any) -> dict[str, Any]:
        members = {name: body[member] for name, member in pairs.items() if member in body}
        return {"input": {**members, **parameters}}

    return variables


def from_document(parameters: Parameters, body: Any) -> dict[str, Any]:
    """An input of the parameters, with the whole body as the document to store."""
    return {"input": {**parameters, "document": body}}
