"""An application behind a real server, on a port of 127.0.0.1, for as long as its context lasts."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

# Reading the certificates of the system takes longer than most tests.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class PromptServer(uvicorn.Server):
    """uvicorn's server without the pauses of a tenth of a second in which it looks whether it should end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready, self.ended = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # makes the headers of all responses
        self.ready.set()
        await self.ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - as uvicorn does
            await asyncio.sleep(0.001)
        await self.lifespan.shutdown()


@asynccontextmanager
async def served(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """The URL of the application."""
    async with running(uvicorn.Config(app, log_level="critical"), port) as free_port:
        yield f"http://127.0.0.1:{free_port}"


@asynccontextmanager
async def running(config: uvicorn.Config, port: int = 0) -> AsyncIterator[int]:
    """The port of a server with this configuration."""
    listening = socket.create_server(("127.0.0.1", port))
    server = PromptServer(config)
    serving = asyncio.create_task(server.serve([listening]))
    serving.add_done_callback(lambda _: server.ready.set())  # a start that fails is over, too
    await server.ready.wait()
    try:
        yield listening.getsockname()[1]
    finally:
        server.ended.set()
        await serving


def open_client(url: str, **options: Any) -> httpx.AsyncClient:
    """A client of a server on this machine."""
    return httpx.AsyncClient(base_url=url, trust_env=False, verify=TRUSTS_NOBODY, **options)
