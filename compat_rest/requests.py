"""Reading requests as the original did: JSON or forms, at most 100 KiB, whatever the method."""

import asyncio
import base64
import re
import zlib
from typing import Any
from urllib.parse import unquote_to_bytes

import brotli
import orjson
from qs_codec import DecodeOptions, Duplicates, decode
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

MAX_BODY_BYTES = 100 * 1024
MAX_FORM_PARAMETERS = 1000
MAX_FORM_DEPTH = 32
MAX_ICON_BYTES = 5 * 1024 * 1024  # exclusive
MAX_FIELD_BYTES = 64 * 1024
ICON_TYPES = ("image/png", "image/jpeg", "image/jpg", "image/svg+xml")
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"


class BadRequest(Exception):
    """A request that cannot be read: the status and the message of the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def split_path(raw_path: bytes) -> list[str]:
    """The segments of a path, each decoded on its own, so that an encoded slash stays inside its segment."""
    path = raw_path.partition(b"?")[0]
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise BadRequest(400, "The path holds a malformed escape")
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in path.split(b"/")[1:]]
    except UnicodeDecodeError:
        raise BadRequest(400, "The path is not UTF-8") from None
    return segments[:-1] if len(segments) > 1 and segments[-1] == "" else segments


async def read_body(request: Request) -> Any:
    """The object or list of a request; None if it has no body, or one of another type."""
    media_type, _, options = request.headers.get("content-type", "").lower().partition(";")
    media_type = media_type.strip()
    if media_type not in (JSON_TYPE, FORM_TYPE):
        return None
    charset = re.search(r"charset=\"?([\w-]+)", options)
    if charset and not charset[1].startswith("utf-"):
        raise BadRequest(415, "The body must be in a UTF charset")
    try:
        text = _decompress(await _read_bytes(request), request).decode(charset[1] if charset else "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise BadRequest(400, "The body is not in its charset") from None
    if not text:
        return {}
    # A thread: a form of 100 KiB can be nested so that its parser needs half a second.
    value = parse_json(text) if media_type == JSON_TYPE else await asyncio.to_thread(parse_form, text)
    if not isinstance(value, dict | list):
        raise BadRequest(400, "The body must be a JSON object or list")
    _check_names(value)
    return value


def parse_json(text: str) -> Any:
    try:
        return orjson.loads(text.removeprefix("\ufeff"))
    except orjson.JSONDecodeError:
        raise BadRequest(400, "The body is not valid JSON") from None


def parse_form(text: str) -> Any:
    """A form with nested names: `properties[ip]=x` is an object, `connectors[]=a` a list."""
    if text.count("&") >= MAX_FORM_PARAMETERS:
        raise BadRequest(400, f"The form has more than {MAX_FORM_PARAMETERS} parameters")
    options = DecodeOptions(
        depth=MAX_FORM_DEPTH,
        strict_depth=True,
        parameter_limit=MAX_FORM_PARAMETERS,
        list_limit=MAX_FORM_PARAMETERS,
        duplicates=Duplicates.LAST,
    )
    try:
        return decode(text, options)
    except IndexError:  # what the library raises beyond `depth`
        raise BadRequest(400, "The form is nested too deep") from None


def _check_names(value: Any) -> None:
    """Reject names that a store would run as an operator or read as a path. The depth is checked later."""
    values = [value]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            for name in value:
                if name.startswith("$") or "." in name:
                    raise BadRequest(400, f"The name {name!r} starts with $ or holds a dot")
            values += value.values()
        elif isinstance(value, list):
            values += value


async def _read_bytes(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest(413, "The body is larger than 100 KiB")
    return bytes(body)


def _decompress(body: bytes, request: Request) -> bytes:
    """The body without its content encoding. Nothing is decompressed beyond the limit."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    window_bits = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
    if encoding not in (*window_bits, "br"):
        raise BadRequest(415, "The Content-Encoding must be gzip, deflate or br")
    try:
        if encoding == "br":
            content: bytes = brotli.Decompressor().process(body, output_buffer_limit=MAX_BODY_BYTES + 1)
        else:
            content = zlib.decompressobj(window_bits[encoding]).decompress(body, MAX_BODY_BYTES + 1)
    except (zlib.error, brotli.error):
        raise BadRequest(400, "The body is not in its Content-Encoding") from None
    if len(content) > MAX_BODY_BYTES:
        raise BadRequest(413, "The body is larger than 100 KiB")
    return content


def _limit_body(request: Request, max_bytes: int) -> Request:
    """The request, rejected as soon as more than `max_bytes` of its body have arrived."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise BadRequest(413, "The file must be smaller than 5 MiB")
        return message

    return Request(request.scope, receive)


async def read_icon(request: Request) -> dict[str, str]:
    """The fields of an upload: `content` in Base64, and `category` and `name` with their defaults."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise BadRequest(400, "No file uploaded")
    try:
        async with _limit_body(request, MAX_ICON_BYTES + MAX_FIELD_BYTES).form(
            max_files=1, max_fields=10, max_part_size=MAX_FIELD_BYTES
        ) as form:
            file = form.get("icon")
            if not isinstance(file, UploadFile):
                raise BadRequest(400, "No file uploaded")
            if (file.content_type or "").lower() not in ICON_TYPES:
                raise BadRequest(400, "The icon must be a PNG, a JPEG or an SVG")
            content = await file.read(MAX_ICON_BYTES)
            fields = {k: v for k, v in form.items() if isinstance(v, str) and k in ("category", "name")}
    except HTTPException as error:  # what Starlette raises for a body that it cannot parse
        raise BadRequest(400, f"The multipart body cannot be read: {error.detail}") from None
    if len(content) >= MAX_ICON_BYTES:
        raise BadRequest(413, "The file must be smaller than 5 MiB")
    return {"category": "misc", "name": "icon", **fields, "content": base64.b64encode(content).decode()}
