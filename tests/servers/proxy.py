"""A server between a client and a test server, which changes, counts or cuts what passes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CHUNK = 1 << 20
# Given what arrives and whether the client sent it, returns what is passed on. `Cut` cuts the connection.
Rewrite = Callable[[bytes, bool], bytes]


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

    async def forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Rewrite, is_client: bool
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                writer.write(change(data, is_client))
                await writer.drain()
        except (Cut, ConnectionError):
            pass

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        change = accept()
        both = [forward(reader, server_writer, change, True), forward(server_reader, writer, change, False)]
        directions = [asyncio.ensure_future(direction) for direction in both]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, server_writer):
                end.close()
            for direction in directions:
                direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await connect(reader, writer)
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
