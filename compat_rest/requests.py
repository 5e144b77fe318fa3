"""Reading requests as the original did: JSON or forms, 100 KiB at most, whatever the method."""

import base64
import gzip
import re
import zlib
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import brotli
import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

MAX_BYTES = 100 * 1024
MAX_PARAMETERS = 1000
MAX_DEPTH = 64
MAX_ICON_BYTES = 5 * 1024 * 1024  # exclusive
MAX_FIELD_BYTES = 64 * 1024
ICON_TYPES = ("image/png", "image/jpeg", "image/jpg", "image/svg+xml")


class Refused(Exception):
    """A request that cannot be read: its status and what to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def segments(raw_path: bytes) -> list[str]:
    """The parts of a path, each decoded on its own, so that an encoded slash stays inside its part."""
    path = raw_path.partition(b"?")[0]
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise Refused(400, "The path holds a malformed escape")
    try:
        parts = [unquote_to_bytes(part).decode() for part in path.split(b"/")[1:]]
    except UnicodeDecodeError:
        raise Refused(400, "The path is not UTF-8") from None
    return parts[:-1] if len(parts) > 1 and parts[-1] == "" else parts


async def read_body(request: Request) -> Any:
    """The object or list of a request; None where it has none, or one of another type."""
    content_type = request.headers.get("content-type", "").lower()
    kind, _, options = content_type.partition(";")
    kind = kind.strip()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        return None
    charset = re.search(r"charset=\"?([\w-]+)", options)
    if charset and not charset[1].startswith("utf-"):
        raise Refused(415, "The body must be in a UTF charset")
    try:
        text = _unpacked(await _bytes(request), request).decode(charset[1] if charset else "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise Refused(400, "The body is not in its charset") from None
    if not text:
        return {}
    try:
        value = _form(text) if kind != "application/json" else orjson.loads(text.removeprefix("\ufeff"))
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not valid JSON") from None
    if not isinstance(value, dict | list):
        raise Refused(400, "The body must be a JSON object or list")
    _plain_keys(value)
    return value


def _plain_keys(value: Any) -> None:
    """Refuses keys that stores would run as operators or read as paths; too deep a body is refused later."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            for key in each:
                if key.startswith("$") or "." in key:
                    raise Refused(400, f"The name {key!r} starts with $ or holds a dot")
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()


async def _bytes(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused(413, "The body is larger than 100 KiB")
    return bytes(body)


def _unpacked(body: bytes, request: Request) -> bytes:
    """The body without its content encoding; what would unpack to more than the limit is not unpacked."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    windows = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
    if encoding not in (*windows, "br"):
        raise Refused(415, "The Content-Encoding must be gzip, deflate or br")
    try:
        if encoding == "br":
            unpacked: bytes = brotli.Decompressor().process(body, output_buffer_limit=MAX_BYTES + 1)
        else:
            unpacked = zlib.decompressobj(windows[encoding]).decompress(body, MAX_BYTES + 1)
    except (zlib.error, gzip.BadGzipFile, brotli.error):
        raise Refused(400, "The body is not in its Content-Encoding") from None
    if len(unpacked) > MAX_BYTES:
        raise Refused(413, "The body is larger than 100 KiB")
    return unpacked


def _form(text: str) -> Any:
    """A form with nested names: `properties[ip]=x` is an object, `connectors[]=a` a list."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise Refused(400, f"The form has more than {MAX_PARAMETERS} parameters") from None
    root: dict[str, Any] = {}
    for name, value in pairs:
        keys = [name.partition("[")[0], *re.findall(r"\[([^\]]*)\]", name)]
        if len(keys) > MAX_DEPTH:
            raise Refused(400, "The form is nested too deep")
        _put(root, keys, value)
    return root


def _put(target: dict[str, Any], keys: list[str], value: str) -> None:
    for place, key in enumerate(keys[:-1]):
        following = keys[place + 1]
        target = target.setdefault(key, [] if following == "" else {})
        if isinstance(target, list):
            target.append(value)
            return
        if not isinstance(target, dict):
            raise Refused(400, "The form gives one name several shapes")
    target[keys[-1]] = value


def _capped(request: Request, most: int) -> Request:
    """The request, refused as soon as more than `most` bytes of its body have come."""
    come = 0

    async def receive() -> Message:
        nonlocal come
        message = await request.receive()
        come += len(message.get("body", b""))
        if come > most:
            raise Refused(413, "The file must be smaller than 5 MiB")
        return message

    return Request(request.scope, receive)


async def read_icon(request: Request) -> dict[str, str]:
    """The fields of an upload: `content` in Base64, and `category` and `name` where they are given."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refused(400, "No file uploaded")
    try:
        async with _capped(request, MAX_ICON_BYTES + MAX_FIELD_BYTES).form(
            max_files=1, max_fields=10, max_part_size=MAX_FIELD_BYTES
        ) as form:
            file = form.get("icon")
            if not isinstance(file, UploadFile):
                raise Refused(400, "No file uploaded")
            if (file.content_type or "").lower() not in ICON_TYPES:
                raise Refused(400, "The icon must be a PNG, a JPEG or an SVG")
            content = await file.read(MAX_ICON_BYTES)
            fields = {k: v for k, v in form.items() if isinstance(v, str) and k in ("category", "name")}
    except HTTPException as error:  # what the framework makes of a body that it cannot take apart
        raise Refused(400, f"The multipart body cannot be read: {error.detail}") from None
    if len(content) >= MAX_ICON_BYTES:
        raise Refused(413, "The file must be smaller than 5 MiB")
    return {"category": "misc", "name": "icon", **fields, "content": base64.b64encode(content).decode()}
