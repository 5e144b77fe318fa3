"""The kinds of bodies that old routes read, each with its description in the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from compat_rest.requests import read_icon, read_object_or_list
from schema.server.bodies import BadRequest


@dataclass(frozen=True, slots=True)
class BodyKind:
    """`read` returns the body, or None if there is none, and raises `BadRequest`. `schema` is JSON Schema."""

    read: Callable[[Request], Awaitable[Any]]
    media_type: str = "application/json"
    schema: Mapping[str, Any] = field(default_factory=dict)


async def _read_nothing(request: Request) -> None:
    return None


async def _read_object(request: Request) -> Any:
    body = await read_object_or_list(request)
    if isinstance(body, list):
        raise BadRequest(400, "The body must be an object")
    return body


async def _read_object_or_ignored_list(request: Request) -> Any:
    body = await read_object_or_list(request)
    return {} if isinstance(body, list) else body


async def _read_event_classes(request: Request) -> Any:
    body = await read_object_or_list(request)
    if not isinstance(body, list):
        raise BadRequest(400, "Event classes must be an array")
    return body


NO_BODY = BodyKind(_read_nothing)
OBJECT = BodyKind(_read_object, schema={"type": "object"})
OBJECT_OR_IGNORED_LIST = BodyKind(_read_object_or_ignored_list, schema={"type": "object"})
EVENT_CLASS_LIST = BodyKind(_read_event_classes, schema={"type": "array"})
ICON_UPLOAD = BodyKind(
    read_icon,
    "multipart/form-data",
    {
        "type": "object",
        "properties": {
            "icon": {"type": "string", "contentMediaType": "application/octet-stream"},
            "category": {"type": "string"},
            "name": {"type": "string"},
        },
        "required": ["icon"],
    },
)
