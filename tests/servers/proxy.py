"""A server between a client and a test server, which changes, counts or cuts what passes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CHUNK = 1 << 20
# Given what arrives and whether the client sent it, returns what is passed on. `Cut` cuts the connection.
Rewrite = Callable[[bytes, bool], bytes]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cut(Exception):
    """The connection ends here, for both sides."""


@asynccontextmanager
async def proxy(url: str, accept: Callable[[], Rewrite]) -> AsyncIterator[str]:
    """The URL of a proxy for the MongoDB server at `url`.

    `accept` returns the function that changes what passes one connection, new for each: a client has several,
    whose commands and replies pass in any order.
    """
    host, _, port = url.removeprefix("mongodb://").partition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _connect((reader, writer), await asyncio.open_connection(host, int(port)), accept())
        except asyncio.CancelledError:
            pass  # the proxy is closed
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _connect(client: Streams, server: Streams, change: Rewrite) -> None:
    """Pass what both sides send until one of them ends."""
    both = (
        _forward(client[0], server[1], lambda data: change(data, True)),
        _forward(server[0], client[1], lambda data: change(data, False)),
    )
    directions = [asyncio.ensure_future(direction) for direction in both]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for _, writer in (client, server):
            writer.close()
        for direction in directions:
            direction.cancel()
    await asyncio.gather(*directions, return_exceptions=True)


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]
) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(change(data))
            await writer.drain()
    except (Cut, ConnectionError):
        pass
