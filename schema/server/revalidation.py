"""Answers that clients keep: an entity tag, and 304 in place of an answer that the client has already."""

import asyncio
import hashlib

from starlette.requests import Request
from starlette.responses import Response

MAX_BYTES_AT_ONCE = 1024 * 1024  # what is hashed without a thread: a millisecond


async def revalidate(request: Request, response: Response) -> Response:
    """The response with an entity tag; 304 without a body if the request names that tag.

    The data may change at any time: a client may keep an answer, but has to ask each time whether it still
    is the current one. The tag is weak, because it is that of the answer in all content codings.
    https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
    """
    body = bytes(response.body)
    if len(body) <= MAX_BYTES_AT_ONCE:
        tag = _make_tag(body)
    else:
        tag = await asyncio.to_thread(_make_tag, body)
    response.headers.update({"ETag": tag, "Cache-Control": "private, no-cache"})
    known = {item.strip() for item in request.headers.get("if-none-match", "").split(",")}
    if not known.isdisjoint((tag, tag.removeprefix("W/"), "*")):
        headers = {name: response.headers[name] for name in ("ETag", "Cache-Control", "Vary")}
        return Response(status_code=304, headers=headers)
    return response


def _make_tag(body: bytes) -> str:
    return f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
