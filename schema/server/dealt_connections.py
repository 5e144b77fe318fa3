"""The connections that a worker process gets from the process that accepts them."""

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn

from schema.server.worker_processes import CLOSED, READY

log = logging.getLogger(__name__)
RECEIVED_AT_ONCE = 64


class DealtConnections:
    """Serves the connections that arrive on `channel`. `on_end` is called when no more come."""

    def __init__(self, server: uvicorn.Server, channel: socket.socket, on_end: Callable[[], None]) -> None:
        self._server, self._channel, self._on_end = server, channel, on_end
        self._making: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to serve; the server has started."""
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._receive)
        self._channel.send(READY)

    def close(self) -> None:
        """Serve no more new connections, and tell the first process."""
        asyncio.get_running_loop().remove_reader(self._channel)
        try:
            self._channel.send(CLOSED)
        except OSError:
            log.debug("the first process has gone")

    def _receive(self) -> None:
        for _ in range(RECEIVED_AT_ONCE):
            try:
                message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                asyncio.get_running_loop().remove_reader(self._channel)
                self._on_end()
                return
            for descriptor in descriptors:
                task = asyncio.ensure_future(self._serve(socket.socket(fileno=descriptor)))
                self._making.add(task)
                task.add_done_callback(self._making.discard)

    async def _serve(self, connection: socket.socket) -> None:
        config, loop = self._server.config, asyncio.get_running_loop()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                lambda: config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn makes it
                    config=config,
                    server_state=self._server.server_state,
                    app_state=self._server.lifespan.state,
                    _loop=loop,
                ),
                connection,
                ssl=config.ssl,
            )
        except OSError as error:  # the client has gone, or does not speak TLS
            log.debug("a connection was not made: %s", error)
            connection.close()
