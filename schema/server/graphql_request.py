"""Requests of GraphQL over HTTP: from GET parameters or a JSON body to a checked `GraphQLRequest`.

https://graphql.github.io/graphql-over-http/draft/
"""

import asyncio
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import Request

from schema.engine.json_values import is_deeper
from schema.server.bodies import BadRequest, check_encoding, parse_content_type, read_body
from schema.server.persisted_queries import PersistedQuery
from stores.contracts.errors import LimitExceeded

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
THREAD_DECODE_BYTES = 32 * 1024  # of a body; one that is longer is decoded in a thread


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The members of a request that the gateway uses. `query` is None if only its hash or id was sent."""

    query: str | None
    persisted_query: PersistedQuery | None
    variables: dict[str, Any] | None
    operation_name: str | None
    document_id: str | None = None  # of a trusted document
    wants_cost: bool = False  # whether the response is to tell the cost of the request


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of a request: bytes of its body, levels of its JSON, and operations of a batch (0: none)."""

    max_bytes: int
    max_depth: int
    max_batch: int = 0


async def read_request(request: Request, limits: RequestLimits) -> GraphQLRequest | list[GraphQLRequest]:
    """The GraphQL request of an HTTP request, or those of a batch.

    Raises `BadRequest` and `LimitExceeded`.
    """
    if request.method == "GET":
        return _read_parameters(request, limits.max_depth)
    if request.method != "POST":
        raise BadRequest(405, "Use GET or POST.", Allow="GET, POST")
    if parse_content_type(request.headers.get("content-type", "")) != (JSON, "utf-8"):
        raise BadRequest(415, f"Send the request as {JSON} in UTF-8.")
    check_encoding(request)
    text = await read_body(request, limits.max_bytes)
    if len(text) > THREAD_DECODE_BYTES:
        body = await asyncio.to_thread(_parse_json, text, "The body", limits.max_depth)
    else:
        body = _parse_json(text, "The body", limits.max_depth)
    if isinstance(body, list) and limits.max_batch:
        return _check_batch(body, limits.max_batch)
    if not isinstance(body, dict):
        raise BadRequest(
            400, "The body must be a JSON object; the setting limits.batch permits lists of them."
        )
    return _check_members(body)


def _check_batch(requests: list[Any], max_batch: int) -> list[GraphQLRequest]:
    if not requests or not all(isinstance(request, dict) for request in requests):
        raise BadRequest(400, "A batch must be a list of JSON objects, and not empty.")
    if len(requests) > max_batch:
        advice = "Send fewer operations in one request (limits.batch)."
        raise LimitExceeded("batch", max_batch, len(requests), advice)
    return [_check_members(request) for request in requests]


def accepts_html(request: Request) -> bool:
    """Whether a person opens the URL in a browser: a browser asks for HTML, and an API client does not."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


@lru_cache(256)
def negotiate_media_type(accept: str) -> str:
    """The media type of the response to an Accept header: `RESPONSE` if the client names it, else `JSON`.

    Raises `BadRequest` (406).
    """
    weights = dict(_parse_media_range(media_range) for media_range in accept.lower().split(","))
    wildcard = max(weights.get("*/*", 0), weights.get("application/*", 0))
    named = {media_type: weights.get(media_type, 0) for media_type in (RESPONSE, JSON)}
    if max(named.values()) > 0:
        return max(named, key=lambda media_type: named[media_type])
    if not accept or wildcard > 0:
        return JSON
    raise BadRequest(406, f"The response can be {RESPONSE} or {JSON}.")


def _parse_media_range(media_range: str) -> tuple[str, float]:
    media_type, *options = media_range.replace(" ", "").split(";")
    quality = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return media_type, float(quality)
    except ValueError:
        return media_type, 0


def _read_parameters(request: Request, max_depth: int) -> GraphQLRequest:
    members: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if members.get(name):
            members[name] = _parse_json(members[name].encode(), f"The parameter {name}", max_depth)
        else:
            members.pop(name, None)
    return _check_members(members)


def _parse_json(text: bytes, what: str, max_depth: int) -> Any:
    """The value of a JSON text. Raises `BadRequest` and `LimitExceeded`."""
    try:
        value = orjson.loads(text.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        raise BadRequest(400, f"{what} is not valid JSON.") from None
    # A text with fewer brackets cannot be nested more deeply, and most have few.
    if text.count(b"{") + text.count(b"[") > max_depth and is_deeper(value, max_depth):
        raise LimitExceeded("json_depth", max_depth, advice=f"{what} is nested too deeply.")
    return value


def _check_members(members: dict[str, Any]) -> GraphQLRequest:
    """The request of these members. Unknown members are ignored, as the specification asks."""
    for name in ("variables", "extensions"):
        if not isinstance(members.get(name), dict | None):
            raise BadRequest(400, f"{name} must be an object.")
    operation_name = members.get("operationName")
    if not isinstance(operation_name, str | None):
        raise BadRequest(400, "operationName must be a string.")
    query = members.get("query") or None
    if not isinstance(query, str | None) or (query is not None and not query.strip()):
        raise BadRequest(400, "query must be a string that contains a GraphQL document.")
    document_id = members.get("documentId")
    if not isinstance(document_id, str | None):
        raise BadRequest(400, "documentId must be a string.")
    if document_id is not None and query is not None:
        raise BadRequest(400, "Send query or documentId, not both.")
    persisted_query = PersistedQuery.parse(members.get("extensions"))
    # Clients without a name to send often send an empty one.
    wants_cost = (members.get("extensions") or {}).get("cost") is True
    return GraphQLRequest(
        query, persisted_query, members.get("variables"), operation_name or None, document_id, wants_cost
    )
