"""The old routes as an OpenAPI 3.1 document, derived from their table."""

import re
from typing import Any

from compat_rest.migration import PAGE
from compat_rest.routes import TABLE
from compat_rest.routes.route import IDEMPOTENCY_KEY, OldRoute

PATH = "/api/openapi.json"
# The errors that every route may answer, by status.
ERRORS = {
    "400": "The request is not valid",
    "403": "The request comes from a page of another origin",
    "404": "The requested object does not exist",
    "405": "The path needs another method",
    "409": "A key is in use, or the object was changed meanwhile",
    "413": "The body is too large",
    "415": "The type, charset or encoding of the body is not supported",
    "503": "A store is unavailable",
    "507": "The disk is full",
}


def build_document() -> dict[str, Any]:
    """Every row of the table as an operation of its path."""
    paths: dict[str, dict[str, Any]] = {}
    for route in TABLE:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe_route(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sync Gateway: the old routes",
            "version": "1",
            "description": f"Each route is an operation of the graph at /graphql; {PAGE} shows which one.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": {"type": "object", "properties": {"error": {"type": "string"}}}}},
    }


def _describe_route(route: OldRoute) -> dict[str, Any]:
    words = re.sub(r"\W+", " ", route.path).title().replace(" ", "")
    success = _describe_success(route)
    parameters = [_describe_parameter(name, "path") for name in re.findall(r"\{(\w+)\}", route.path)]
    parameters += [_describe_parameter(name, "query") for name in route.query]
    if route.takes_idempotency_key:
        parameters.append(_describe_parameter(IDEMPOTENCY_KEY, "header"))
    described: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{words}",
        "summary": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", route.operation),
        "deprecated": True,
        "externalDocs": {"url": f"{PAGE}#{route.operation}"},
        "parameters": parameters,
        "responses": {str(route.status): success} | {s: _describe_error(d) for s, d in ERRORS.items()},
    }
    if route.rendering.has_ranges:
        described["responses"] |= {"206": success, "416": {"description": "The icon has no such range"}}
    if route.body.schema and route.method != "DELETE":
        schema = dict(route.body.schema)
        if route.required is not None and route.required.fields:
            schema["required"] = list(route.required.fields)
        described["requestBody"] = {"content": {route.body.media_type: {"schema": schema}}}
    return described


def _describe_parameter(name: str, location: str) -> dict[str, Any]:
    return {"name": name, "in": location, "required": location == "path", "schema": {"type": "string"}}


def _describe_success(route: OldRoute) -> dict[str, Any]:
    content: dict[str, Any] = {media_type: {} for media_type in route.rendering.media_types}
    return {"description": "Success", **({"content": content} if content else {})}


def _describe_error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
