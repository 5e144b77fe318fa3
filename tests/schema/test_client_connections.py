"""Connections of slow, greedy and too many clients, over sockets to a real server."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from schema.server.client_connections import ClientConnections, ConnectionLimits, peer_of
from schema.server.http_server import create_server
from tests.serving import running

SHORT = ConnectionLimits(head_seconds=0.2, body_seconds=0.2, idle_seconds=0.2, write_seconds=0.2)
WAIT_S = 20.0  # for what the server does on its own; every test ends much earlier
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LONG_ANSWER = 20_000_000


async def answer(request: Request) -> PlainTextResponse:
    body = await request.body()
    late = request.headers.get("x-late", "")  # read after the body, where a trailer could have arrived
    return PlainTextResponse(f"{len(body)} bytes{late}")


async def answer_long(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * LONG_ANSWER)


async def answer_host(request: Request) -> PlainTextResponse:
    return PlainTextResponse(",".join(request.headers.getlist("host")))


async def answer_early(request: Request) -> PlainTextResponse:
    return PlainTextResponse("too large", 413)


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[tuple[int, ClientConnections]]:
    """The port of a server with these limits, and its connections."""
    paths = {"/": answer, "/long": answer_long, "/early": answer_early, "/host": answer_host}
    app = Starlette(
        routes=[Route(path, endpoint, methods=["GET", "POST"]) for path, endpoint in paths.items()]
    )
    connections = ClientConnections(limits)
    async with running(create_server(app, connections).config) as port:
        yield port, connections


async def exchange(port: int, data: bytes, *, drip: bytes = b"") -> bytes:
    """What the server answers to `data` until it closes the connection. `drip` is sent now and then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        writer.write(data)
        while drip:
            await asyncio.sleep(0.02)
            writer.write(drip)

    sending = asyncio.create_task(send())
    answer = b""
    try:
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionError):  # the server has closed before the last drip
                while data := await reader.read(65536):
                    answer += data
        return answer
    finally:
        sending.cancel()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def status(answer: bytes) -> int | None:
    """The status of an answer; None if the connection was closed silently."""
    return int(answer.split()[1]) if answer else None


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the server offers no event for it
            await asyncio.sleep(0.01)


async def test_no_half_open_request_stays() -> None:
    kinds = {
        "nothing": (b"", b""),
        "empty lines": (b"", b"\r\n"),
        "half a request line": (b"GET /gra", b""),
        "half the headers": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: a", b""),
        "a header byte by byte": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ", b"a"),
        "headers without a body": (POST + b"Content-Length: 10\r\n\r\n", b""),
        "half a body": (POST + b"Content-Length: 10\r\n\r\nhalf", b""),
        "a body byte by byte": (POST + b"Content-Length: 100000\r\n\r\n", b"a"),
        "chunks without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        "half an upgrade": (UPGRADE, b""),
    }
    async with serving(SHORT) as (port, connections):
        replies = await asyncio.gather(*(exchange(port, data, drip=drip) for data, drip in kinds.values()))
        assert {kind: status(reply) for kind, reply in zip(kinds, replies, strict=True)} == {
            kind: None if kind in ("nothing", "empty lines") else 408 for kind in kinds
        }
        assert b'"code":"LIMIT_EXCEEDED","limit":"body_seconds"' in replies[5]
        await eventually(lambda: len(connections) == 0)


@pytest.mark.slow
async def test_an_idle_connection_is_closed_silently() -> None:
    async with serving(SHORT) as (port, _):
        for request in (GET, UPGRADE + b"\r\n", GET + b"\r\n"):
            answer = await exchange(port, request)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"\r\n\r\n0 bytes")


async def test_requests_follow_each_other_on_one_connection() -> None:
    post = POST + b"Content-Length: 5\r\n\r\n01234"
    async with serving(replace(SHORT, head_seconds=WAIT_S, body_seconds=WAIT_S)) as (port, _):
        answer = await exchange(port, GET + post + GET)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.index(b"0 bytes") < answer.index(b"5 bytes")
        assert status(await exchange(port, GET * 1000)) in (None, 200)  # that many wait for nobody


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, id="request line"),
        pytest.param(b"GET /" + b"a" * 20_000, 414, id="endless request line"),
        pytest.param(GET[:-2] + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431, id="header"),
        pytest.param(GET[:-2] + b"X: " + b"a" * 20_000_000, 431, id="endless header"),
        pytest.param(CHUNKED + b"0\r\n" + b"X: y\r\n" * 20_000, 431, id="endless trailers"),
        pytest.param(CHUNKED + b"0\r\nX: " + b"a" * 20_000_000, 431, id="endless trailer"),
        pytest.param(CHUNKED + b"5;" + b"a" * 20_000_000, 431, id="endless chunk extension"),
        pytest.param(GET[:-2] + b"a:b\r\n" * 2000 + b"\r\n", 431, id="many headers"),
        pytest.param(b"hello\r\n\r\n", 400, id="no HTTP"),
    ],
)
async def test_the_head_of_a_request_has_a_size(request_: bytes, expected: int) -> None:
    async with serving(replace(SHORT, head_seconds=WAIT_S)) as (port, _):
        assert status(await exchange(port, request_)) == expected


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
BODY = b"Content-Length: 5\r\n\r\n01234"
CHUNKS = b"5\r\n01234\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # A request that cannot be read is answered after those before it.
        pytest.param(POST + BODY + b"trailing", [200, 400], id="trailing bytes"),
        pytest.param(GET * 3 + b"GARBAGE\r\n\r\n", [200, 200, 200, 400], id="garbage after requests"),
        pytest.param(GET + CHUNKED + b"zz", [200, 400], id="a chunk without a size after a request"),
        pytest.param(GET * 2 + GET[:-2] + b"X: " + b"a" * 40_000 + b"\r\n\r\n", [200, 200, 431], id="header"),
        pytest.param(GET * 40, [200] * 33 + [503], id="too many requests at once"),
        # The server ignores an Upgrade, and reads the body.
        pytest.param(POST + H2C + BODY + GET, [200, 200], id="h2c"),
        pytest.param(POST + H2C + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, [200], id="chunked h2c"),
        pytest.param(POST + H2C + b"Transfer-Encoding: chunked\r\n\r\nzz", [400], id="h2c without a size"),
        pytest.param(UPGRADE + b"X: " + b"a" * 40_000 + b"\r\n\r\n", [431], id="long upgrade"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", [405], id="proxy"),
        pytest.param(b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", [405], id="proxy of a path"),
        # What cannot be understood is not guessed.
        pytest.param(GET.replace(b"/1.1", b"/2.0"), [505], id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", [400], id="TLS"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, [501], id="gzip, chunked"),
        pytest.param(POST + b"Transfer-Encoding: identity\r\n" + BODY, [501], id="identity"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n" + BODY, [400], id="length and chunks"),
        pytest.param(POST + b"Content-Length: 5\r\n" + BODY, [400], id="two lengths"),
        pytest.param(POST + b"Content-Length: +5\r\n\r\n01234", [400], id="signed length"),
        pytest.param(POST + b"Content-Length: 99999999999999999999\r\n\r\n", [400], id="huge length"),
        pytest.param(CHUNKED + b"-1\r\n", [400], id="negative chunk"),
        pytest.param(CHUNKED + b"5\r\n01234XX", [400], id="chunk without an end"),
        pytest.param(GET[:-2] + b"X: a\r\n b\r\n\r\n", [400], id="folded header"),
        pytest.param(GET[:-2] + b"X : a\r\n\r\n", [400], id="space before the colon"),
        pytest.param(GET[:-2] + b"X: a\0b\r\n\r\n", [400], id="NUL"),
        pytest.param(GET.replace(b"\r\n", b"\n"), [400], id="line feeds only"),
    ],
)
async def test_each_request_on_a_connection_is_answered(data: bytes, expected: list[int]) -> None:
    async with serving(replace(SHORT, head_seconds=WAIT_S, body_seconds=WAIT_S)) as (port, _):
        answer = await exchange(port, data)
        statuses = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
        assert statuses == expected
        assert answer.count(b"5 bytes") == (b"01234" in data and expected[0] == 200)


async def test_the_host_of_a_target_precedes_that_of_the_header() -> None:
    async with serving(SHORT) as (port, _):
        for host, target in (
            (b"b:1", b"http://b:1/host"),
            (b"b", b"HTTPS://b/host?a=/"),
            (b"[::1]:2", b"http://[::1]:2/host"),
        ):
            answer = await exchange(port, GET.replace(b" / ", b" " + target + b" "))
            assert answer.endswith(b"\r\n\r\n" + host)


async def test_trailers_are_no_headers() -> None:
    async with serving(SHORT) as (port, _):
        answer = await exchange(port, CHUNKED + b"5\r\n01234\r\n0\r\nX-Late: too late\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n5 bytes")


@pytest.mark.slow
async def test_the_rest_of_a_rejected_body_is_discarded_for_a_moment_only() -> None:
    async with serving(replace(SHORT, idle_seconds=WAIT_S)) as (port, _):
        request = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
        assert status(await exchange(port, request, drip=b"a" * 1024)) == 413


async def test_connections_have_a_number() -> None:
    limits = replace(SHORT, head_seconds=WAIT_S, connections=5, connections_per_address=3)
    async with serving(limits) as (port, connections):
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await eventually(lambda: len(connections) == 3)
        answer = await exchange(port, b"")
        assert status(answer) == 503
        assert b"retry-after: " in answer
        assert b'"limit":"connections_per_address"' in answer
        clients[0][1].close()
        await eventually(lambda: len(connections) == 2)
        assert status(await exchange(port, GET)) == 200
        for _, writer in clients:
            writer.close()
        await eventually(lambda: len(connections) == 0)


async def read_nothing(port: int) -> Callable[[], Awaitable[int]]:
    """Request a long answer and do not read it. Returns what reads the rest and returns its length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    async def read() -> int:
        length = 0
        with suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                length += len(data)
        writer.close()
        return length

    return read


async def test_a_reader_that_does_not_read_is_closed() -> None:
    async with serving(replace(SHORT, idle_seconds=WAIT_S)) as (port, connections):
        read = await read_nothing(port)
        await eventually(lambda: connections.policy.hits["write_seconds"] == 1)
        assert await read() < LONG_ANSWER


async def test_what_all_readers_leave_unread_is_bounded() -> None:
    limits = replace(SHORT, write_seconds=WAIT_S, unsent_bytes=2 * LONG_ANSWER)
    async with serving(limits) as (port, connections):
        readers = [await read_nothing(port)]
        await eventually(lambda: connections.unsent_bytes() > 0)
        readers += [await read_nothing(port) for _ in range(3)]
        await eventually(lambda: connections.policy.hits["unsent_bytes"] >= 1)
        assert connections.unsent_bytes() <= 2 * LONG_ANSWER
        lengths = [await read() for read in readers]
        assert lengths[0] < LONG_ANSWER < lengths[-1]  # who waits longest is closed first


def test_ipv6_clients_are_counted_by_their_network() -> None:
    assert peer_of("192.0.2.1") == "192.0.2.1"
    assert peer_of("2001:db8:1:2:3:4:5:6") == peer_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert peer_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_a_trusted_proxy_has_no_limit_of_its_own() -> None:
    connections = ClientConnections(SHORT, trusted=["10.0.0.0/8", "fd00::/8"])
    assert [connections.trusts(peer) for peer in ("10.1.2.3", "11.1.2.3", "fd00:1:2:3::/64")] == [
        True,
        False,
        True,
    ]
