"""Reading requests as the original did: JSON or forms, at most 100 KiB, whatever the method."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from qs_codec import DecodeOptions, Duplicates, decode
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from schema.server.bodies import (
    BadRequest,
    check_encoding,
    check_size,
    decompress,
    parse_content_type,
    read_body,
)

MAX_BODY_BYTES = 100 * 1024
MAX_FORM_PARAMETERS = 1000
MAX_FORM_DEPTH = 32
MAX_ICON_BYTES = 5 * 1024 * 1024  # exclusive
MAX_FIELD_BYTES = 64 * 1024
ICON_TYPES = ("image/png", "image/jpeg", "image/jpg", "image/svg+xml")
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"


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


async def read_object_or_list(request: Request) -> Any:
    """The object or list of a request; None if it has no body, or one of another type.

    Raises `BadRequest`.
    """
    media_type, charset = parse_content_type(request.headers.get("content-type", ""))
    if media_type not in (JSON_TYPE, FORM_TYPE):
        return None
    if not charset.startswith("utf-"):
        raise BadRequest(415, "The body must be in a UTF charset")
    encoding = check_encoding(request, "gzip", "deflate", "br")
    body = await read_body(request, MAX_BODY_BYTES)
    if not body:
        return {}
    try:
        text = decompress(body, encoding, MAX_BODY_BYTES).decode(charset)
    except UnicodeDecodeError:
        raise BadRequest(400, "The body is not in its charset") from None
    # A thread: a form of 100 KiB can be nested so that its parser needs half a second.
    value = parse_json(text) if media_type == JSON_TYPE else await asyncio.to_thread(parse_form, text)
    if not isinstance(value, dict | list):
        raise BadRequest(400, "The body must be a JSON object or list")
    _check_names(value)
    return value


def parse_json(text: str) -> Any:
    """The value of a JSON text, with or without a byte order mark. Raises `BadRequest`."""
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


def _check_names(value: dict[str, Any] | list[Any]) -> None:
    """Reject top-level names that a store would run as an operator or read as a path.

    Names at depth are data: old clients send back whole objects that have them.
    """
    for item in value if isinstance(value, list) else [value]:
        for name in item if isinstance(item, dict) else ():
            if name.startswith("$") or "." in name:
                raise BadRequest(400, f"The name {name!r} starts with $ or holds a dot")


class _InMemoryParser(MultiPartParser):
    spool_max_size = MAX_ICON_BYTES + MAX_FIELD_BYTES  # no temporary file, which a full disk would refuse


async def read_icon(request: Request) -> dict[str, str]:
    """The fields of an upload: `content` in Base64, and `category` and `name` with their defaults.

    Raises `BadRequest`.
    """
    if parse_content_type(request.headers.get("content-type", ""))[0] != "multipart/form-data":
        raise BadRequest(400, "No file uploaded")
    stream = _stream_once(await read_body(request, MAX_ICON_BYTES + MAX_FIELD_BYTES))
    parser = _InMemoryParser(
        request.headers, stream, max_files=1, max_fields=10, max_part_size=MAX_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(400, f"The multipart body cannot be read: {error.message}") from None
    try:
        return await _read_upload(form)
    finally:
        await form.close()


async def _read_upload(form: FormData) -> dict[str, str]:
    file = form.get("icon")
    if not isinstance(file, UploadFile):
        raise BadRequest(400, "No file uploaded")
    if (file.content_type or "").lower() not in ICON_TYPES:
        raise BadRequest(400, "The icon must be a PNG, a JPEG or an SVG")
    content = await file.read()
    check_size(len(content), MAX_ICON_BYTES - 1, limit="icon_bytes")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return {"category": "misc", "name": "icon", **fields, "content": base64.b64encode(content).decode()}


async def _stream_once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
