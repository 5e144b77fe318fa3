"""The shapes that several entities share: from the data of an operation to the body that old clients expect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException


@dataclass(frozen=True, slots=True)
class OldRequest:
    """The parameters of a request's path and query, and its body (`{}` if it has none)."""

    parameters: Mapping[str, str]
    body: Any


# From the data of an operation, or from the first of its errors, and the request to the body of the response.
# A shape raises `HTTPException(404)` if the data lacks what was requested.
Shape = Callable[[Any, OldRequest], Any]


def constant(**body: Any) -> Shape:
    return lambda data, request: body


def require(value: Any, what: str) -> Any:
    """The value; raises `HTTPException(404)` if it is null."""
    if value is None:
        raise HTTPException(404, f"{what} not found")
    return value


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in names}


def to_object(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """An object of the entries of a `{key value}` list."""
    return {entry["key"]: entry["value"] for entry in entries}


def read_payload(data: Any) -> Any:
    """The entity in the payload of an operation's only mutation."""
    [payload] = data.values()
    [entity] = payload.values()
    return entity


def shape_documents(data: Any, request: OldRequest) -> Any:
    return data["documents"]


def shape_changed_document(data: Any, request: OldRequest) -> Any:
    return read_payload(data)["document"]


def shape_changed_without_id(data: Any, request: OldRequest) -> Any:
    return without(read_payload(data)["document"], "_id")


def shape_error(error: Any, request: OldRequest) -> Any:
    return {"error": error["message"]}


def is_conflict(error: Any) -> bool:
    return bool(error["extensions"]["code"] == "CONFLICT")


def is_unavailable(error: Any) -> bool:
    """Whether a store does not answer, or refuses to read as much as the old request needs."""
    extensions = error["extensions"]
    return bool(extensions["code"] == "UNAVAILABLE" or extensions.get("limit") == "query_files")
