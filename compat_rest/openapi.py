"""The old routes as an OpenAPI 3.1 document, made of their table."""

import re
from typing import Any

from compat_rest.migration import PAGE
from compat_rest.table import TABLE, OldRoute

PATH = "/api/openapi.json"
# What any route may answer besides its success, by status.
ERRORS = {
    "400": "A mistake of the client",
    "404": "What is asked for is not there",
    "405": "Another method is needed",
    "409": "A key is taken, or the thing has changed since",
    "413": "The body is too large",
    "415": "The body is of a type, charset or encoding that is not read",
    "503": "A store does not answer",
}
UPLOAD = {
    "type": "object",
    "properties": {
        "icon": {"type": "string", "contentMediaType": "application/octet-stream"},
        "category": {"type": "string"},
        "name": {"type": "string"},
    },
    "required": ["icon"],
}


def document() -> dict[str, Any]:
    """Every row of the table as an operation of its path."""
    paths: dict[str, dict[str, Any]] = {}
    for route in TABLE:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sync Gateway: the old routes",
            "version": "1",
            "description": f"Each of them is an operation of the graph at /graphql; {PAGE} shows which.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": {"type": "object", "properties": {"error": {"type": "string"}}}}},
    }


def _operation(route: OldRoute) -> dict[str, Any]:
    words = re.sub(r"\W+", " ", route.path).title().replace(" ", "")
    described: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{words}",
        "summary": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", route.operation),
        "deprecated": True,
        "externalDocs": {"url": f"{PAGE}#{route.operation}"},
        "parameters": [_parameter(name, "path") for name in re.findall(r"\{(\w+)\}", route.path)],
        "responses": {str(route.status): _success(route)} | {s: _error(d) for s, d in ERRORS.items()},
    }
    if route.operation == "RegisteredDevices":
        described["parameters"].append(_parameter("organizationId", "query"))
    if route.operation == "Icon":
        described["responses"] |= {"206": _success(route), "416": {"description": "No such part of the icon"}}
    if route.operation == "UploadIcon":
        described["requestBody"] = {"content": {"multipart/form-data": {"schema": UPLOAD}}}
    elif route.method in ("POST", "PUT", "PATCH"):
        kind = "array" if route.operation == "SetEventClasses" else "object"
        schema: dict[str, Any] = {"type": kind}
        if route.required:
            schema["required"] = list(route.required)
        described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return described


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _success(route: OldRoute) -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done"}
    if route.operation == "Icon":
        types = ("image/svg+xml", "image/png", "image/jpeg")
        return {"description": "The icon", "content": {kind: {} for kind in types}}
    return {"description": "Done", "content": {"application/json": {}}}


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
