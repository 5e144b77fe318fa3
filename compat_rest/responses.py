"""Writing responses as the original did: JSON with a weak ETag, icons with ranges, and no content."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from schema.engine.scalars import to_json

ICON_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "public, max-age=0",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Rendering:
    """`render` writes a body with a status. The rest describes the response in the OpenAPI document."""

    render: Callable[[Any, int, Request], Response]
    media_types: tuple[str, ...] = ()
    has_ranges: bool = False


def render_json(body: Any, status: int, request: Request) -> Response:
    """A JSON response with a weak `ETag`."""
    content = to_json(body)
    headers = {"ETag": f"W/{_hash(content)}", "Content-Type": "application/json; charset=utf-8"}
    return _respond(content, status, headers, request)


def render_icon(icon: dict[str, Any], status: int, request: Request) -> Response:
    """The file of an icon (`contentType`, `content` in Base64, `updatedAt`), or the requested range of it."""
    content = base64.b64decode(icon["content"])
    etag = _hash(content)
    headers = {
        **ICON_HEADERS,
        "ETag": etag,
        "Last-Modified": format_datetime(datetime.fromisoformat(icon["updatedAt"]), usegmt=False),
        "Content-Type": icon["contentType"],
    }
    requested = _read_range(request, etag)
    if requested is None:
        return _respond(content, status, headers, request)
    positions = range(len(content))[requested]
    if not positions:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {positions.start}-{positions.stop - 1}/{len(content)}"
    return _respond(content[requested], 206, headers, request)


def render_nothing(body: Any, status: int, request: Request) -> Response:
    """A response without a body."""
    return Response(status_code=status)


JSON = Rendering(render_json, ("application/json",))
ICON = Rendering(render_icon, ("image/svg+xml", "image/png", "image/jpeg"), has_ranges=True)
NO_CONTENT = Rendering(render_nothing)


def _hash(content: bytes) -> str:
    return f'"{hashlib.sha1(content, usedforsecurity=False).hexdigest()[:24]}"'  # processors compute it


def _read_range(request: Request, etag: str) -> slice | None:
    """The requested range of bytes. None is the whole file, also for several ranges or a malformed header."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", "").strip())
    if match is None or match[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        return slice(-int(last), None) if int(last) else slice(0, 0)
    return slice(int(first), int(last) + 1 if last else None)


def _respond(content: bytes, status: int, headers: dict[str, str], request: Request) -> Response:
    """The response; 304 if the client has the content already, and no body for HEAD."""
    if status == 200 and headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    if request.method == "HEAD":
        return Response(status_code=status, headers={**headers, "Content-Length": str(len(content))})
    return Response(content, status, headers)
