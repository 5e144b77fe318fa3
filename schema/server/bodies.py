"""Request bodies: read up to a limit, decompressed up to a limit. Every endpoint reads its body here."""

import codecs
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import brotli
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from stores.contracts.errors import BadUserInput, LimitExceeded

MAX_HEADER_CHARACTERS = 500  # of a Content-Type, which is cached
_CHUNK_BYTES = 1024  # of compressed data: bounds what is copied where one gzip member follows another


class BadRequest(Exception):
    """A request that cannot be read, or has not the right to be. The message is safe to show.

    `status` is the HTTP status, `code` the error code of the graph, `headers` are further headers of the
    response.
    """

    code = BadUserInput.code

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers

    @property
    def extensions(self) -> dict[str, Any]:
        """What a GraphQL error shows beside the message."""
        return {"code": self.code}


def check_size(length: int, max_bytes: int, *, limit: str = "body_bytes") -> None:
    """Raise `LimitExceeded` if the length is over the limit of this name."""
    if length > max_bytes:
        raise LimitExceeded(limit, max_bytes, length, "Send less.")


async def read_body(
    request: Request, max_bytes: int, count: Callable[[int], None] = lambda length: None
) -> bytes:
    """The body as it was sent. Raises `LimitExceeded` as soon as it is longer than `max_bytes`.

    `count` is called with the length of each part that arrives, and may raise, too.
    """
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit():
        check_size(int(length), max_bytes)
    body, is_complete = bytearray(), False
    while not is_complete:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, is_complete = message.get("body", b""), not message.get("more_body", False)
        body += chunk
        count(len(chunk))
        check_size(len(body), max_bytes)
    return bytes(body)


def check_encoding(request: Request, *allowed: str) -> str:
    """The content encoding of a body: "identity" or one of `allowed`. Raises `BadRequest` (415)."""
    encoding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", *allowed):
        choices = " or ".join(("no Content-Encoding", *allowed))
        raise BadRequest(415, f"Send the body with {choices}.")
    return encoding


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The content of a body that is encoded as "identity", "gzip", "deflate" or "br".

    The time is linear in the sizes of the body and of its content. Raises `LimitExceeded` if the content is
    longer than `max_bytes`, and `BadRequest` if the body is not of its encoding or is truncated.
    """
    if encoding == "identity":
        return body
    content = bytearray()
    parts = (
        _decompress_brotli(body, max_bytes)
        if encoding == "br"
        else _decompress_zlib(body, encoding, max_bytes)
    )
    try:
        for part in parts:
            content += part
            check_size(len(content), max_bytes)
    except (zlib.error, brotli.error):
        raise BadRequest(400, f"The body is not valid {encoding}.") from None
    return bytes(content)


def _decompress_zlib(body: bytes, encoding: str, max_bytes: int) -> Iterator[bytes]:
    """The decompressed parts of a body. A gzip body may consist of several members, one after the other."""
    window_bits = zlib.MAX_WBITS | (16 if encoding == "gzip" else 0)
    view = memoryview(body)
    decompressor = zlib.decompressobj(window_bits)
    position = 0
    while position < len(view):
        if decompressor.eof:
            decompressor = zlib.decompressobj(window_bits)
        chunk = view[position : position + _CHUNK_BYTES]
        yield decompressor.decompress(chunk, max_bytes + 1)
        position += len(chunk) - len(decompressor.unused_data)
    if not decompressor.eof:
        raise BadRequest(400, f"The {encoding} body is truncated.")


def _decompress_brotli(body: bytes, max_bytes: int) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    yield decompressor.process(body, output_buffer_limit=max_bytes + 1)
    if not decompressor.is_finished():
        raise BadRequest(400, "The br body is truncated.")


@lru_cache(maxsize=256)
def parse_content_type(header: str) -> tuple[str, str]:
    """The media type and the name of the Python codec of a Content-Type header; UTF-8 if it names no charset.

    Raises `BadRequest` (415) for an unknown charset.
    """
    if len(header) > MAX_HEADER_CHARACTERS:
        raise BadRequest(415, "The header Content-Type is too long.")
    media_type, options = parse_options_header(header)
    charset = options.get(b"charset", b"utf-8").decode("latin-1").strip()
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        raise BadRequest(415, "The charset of the body is unknown. Send the body in UTF-8.") from None
    return media_type.decode("latin-1").lower(), codec
