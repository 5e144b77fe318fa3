"""Compression: answers to queries only, as the client accepts, and at most one long one at a time."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import brotli
import httpx
import pytest
from starlette.responses import Response

from schema.server.app import create_app
from schema.server.compression import MAX_BYTES_AT_ONCE, MIN_BYTES, Compressor, choose_coding
from schema.server.settings import GraphQLSettings, Settings
from stores.contracts.document_store import DocumentStore
from tests.schema.client import Client

LONG = "{ __schema { types { name description } } }"


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("br;q=0.1, gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=x", None),
        ("", None),
    ],
)
def test_the_coding_is_one_that_the_client_accepts(accept_encoding: str, coding: str | None) -> None:
    assert choose_coding(accept_encoding) == coding


async def post(client: Client, query: str, accept_encoding: str) -> httpx.Response:
    headers = {"Accept-Encoding": accept_encoding}
    return await client.http.post("/graphql", json={"query": query}, headers=headers)


@pytest.mark.parametrize(("coding", "decompress"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
async def test_a_long_answer_is_compressed(
    client: Client, coding: str, decompress: Callable[[bytes], bytes]
) -> None:
    plain = await post(client, LONG, "identity")
    assert "content-encoding" not in plain.headers
    response = await post(client, LONG, coding)
    assert response.headers["content-encoding"] == coding
    assert "Accept-Encoding" in response.headers["vary"]
    assert int(response.headers["content-length"]) < len(plain.content) / 3
    assert response.content == plain.content  # as the client library decodes it
    async with client.http.stream(
        "POST", "/graphql", json={"query": LONG}, headers={"Accept-Encoding": coding}
    ) as raw:
        sent = b"".join([chunk async for chunk in raw.aiter_raw()])
    assert decompress(sent) == plain.content


async def test_what_is_short_or_might_hold_a_secret_is_not_compressed(client: Client) -> None:
    assert "content-encoding" not in (await post(client, "{ __typename }", "br")).headers
    selection = " ".join(f"a{number}: __typename" for number in range(28))
    creations = [
        f'b{number}: createOrganization(input: {{ organizationId: "o{number}", name: "O" }}) '
        f"{{ {selection} }}"
        for number in range(10)
    ]
    response = await post(client, f"mutation {{ {' '.join(creations)} }}", "br")
    assert len(response.content) > MIN_BYTES
    assert "errors" not in response.json()
    assert "content-encoding" not in response.headers


async def test_an_operator_can_turn_compression_off(documents: DocumentStore, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, graphql=GraphQLSettings(compression=False))
    client = Client(create_app(settings, documents=documents), documents)
    assert "content-encoding" not in (await post(client, LONG, "br")).headers


async def test_only_one_long_answer_is_compressed_at_a_time_with_those_that_are_equal() -> None:
    compressor = Compressor()
    bodies = [b"[%b%d]" % (b"1," * MAX_BYTES_AT_ONCE * 50, number) for number in (0, 1, 0)]
    long = [Response(body) for body in bodies]
    short = Response(b" " * MIN_BYTES)
    lengths = [len(response.body) for response in long]
    await asyncio.gather(*(compressor.compress(response, "gzip") for response in [*long, short]))
    assert [len(response.body) < length for response, length in zip(long, lengths, strict=True)] == [
        True,
        False,
        True,
    ]
    assert long[0].body is long[2].body
    assert short.headers["content-encoding"] == "gzip"
    await compressor.compress(long[1], "br")
    assert long[1].headers["content-encoding"] == "br"
    assert int(long[1].headers["content-length"]) == len(long[1].body) < lengths[1]
