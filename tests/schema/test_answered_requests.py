"""What a connection keeps of a request that is answered: nothing."""

import asyncio
import gc
import socket
import struct
import weakref
from contextvars import ContextVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from schema.server.client_connections import ClientConnections, ConnectionLimits
from schema.server.http_server import create_server
from tests.patience import BUSY_S
from tests.serving import running

EARLIER: ContextVar[str] = ContextVar("earlier", default="nothing")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def answer(request: Request) -> PlainTextResponse:
    """The answer tells what an earlier request has left in the context."""
    response = PlainTextResponse(f"{EARLIER.get()} of an earlier request")
    EARLIER.set("something")
    return response


APP = Starlette(routes=[Route("/", answer)])


async def test_a_pipelined_request_has_nothing_of_the_one_before_it() -> None:
    async with running(create_server(APP, ClientConnections(ConnectionLimits())).config) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + b"\r\n" + GET + b"Connection: close\r\n\r\n")
        assert (await reader.read()).count(b"nothing of an earlier request") == 2
        writer.close()


async def test_a_connection_that_is_reset_is_not_kept() -> None:
    """Its protocol would hold its last request until the time of an idle connection is over."""
    connections = ClientConnections(ConnectionLimits())
    async with running(create_server(APP, connections).config) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"request")
        [protocol] = [weakref.ref(connection) for connection in connections._open]
        no_lingering = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
        writer.transport.abort()
        async with asyncio.timeout(BUSY_S):
            while len(connections):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.005)
        gc.collect()
        assert protocol() is None
