"""Request bodies: limits before and after decompression, encodings and charsets."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest

from schema.server.bodies import BadRequest, decompress, parse_content_type
from stores.contracts.errors import LimitExceeded

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_the_content_of_every_encoding_is_restored(encoding: str) -> None:
    content = b"state f=1\n" * 5000
    assert decompress(ENCODERS[encoding](content), encoding, len(content)) == content


def test_the_members_of_a_gzip_body_are_joined() -> None:
    body = b"".join(gzip.compress(b"%d\n" % number) for number in range(500))
    assert decompress(body, "gzip", 10_000) == b"".join(b"%d\n" % number for number in range(500))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize(
    ("change", "max_bytes", "status"),
    [
        (lambda body: body, 49_999, 413),
        (lambda body: body[:-5], 50_000, 400),
        (lambda body: body + b"trailing garbage", 50_000, 400),
        (lambda body: b"no such thing", 50_000, 400),
    ],
    ids=["too large", "truncated", "trailing garbage", "not encoded"],
)
def test_a_body_that_is_too_large_or_damaged_is_rejected(
    encoding: str, change: Callable[[bytes], bytes], max_bytes: int, status: int
) -> None:
    error: Any = LimitExceeded if status == 413 else BadRequest
    with pytest.raises(error) as raised:
        decompress(change(ENCODERS[encoding](b"x" * 50_000)), encoding, max_bytes)
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", ("application/json", "utf-8")),
        ("Application/JSON; charset=UTF8", ("application/json", "utf-8")),
        ('application/json;charset="utf-8"; profile=x', ("application/json", "utf-8")),
        ("text/plain; charset=latin1", ("text/plain", "iso8859-1")),
        ("", ("", "utf-8")),
    ],
)
def test_a_content_type_names_a_media_type_and_a_codec(header: str, expected: tuple[str, str]) -> None:
    assert parse_content_type(header) == expected


@pytest.mark.parametrize("charset", ["nonsense", "\0", "utf-8x"])
def test_an_unknown_charset_is_rejected(charset: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_content_type(f"application/json; charset={charset}")
    assert raised.value.status == 415
