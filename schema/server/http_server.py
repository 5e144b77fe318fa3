"""The HTTP server of the application: uvicorn with the limits of connections, and what signals do."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from schema.server.client_connections import ClientConnections
from schema.server.dealt_connections import DealtConnections
from schema.server.http_protocol import LimitedHttpProtocol
from schema.server.readiness import Readiness
from schema.server.tls import TlsSettings

log = logging.getLogger(__name__)
RESERVED_DESCRIPTORS = 128  # for the stores, the listener and the log
MIN_CONNECTIONS = 16
ENDING = (signal.SIGTERM, signal.SIGINT)
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a server ends.

    `readiness` says no for at most `drain` seconds, then requests may go on for `grace` seconds.
    """

    readiness: Readiness
    drain: float = 0.0
    grace: float = 20.0


class GatewayServer(uvicorn.Server):
    """uvicorn's server with signals of its own.

    SIGTERM and SIGINT end it with status 0: first it is not ready, then it accepts no more connections, what
    runs finishes within its time and is cancelled after it. The second one ends it at once. SIGHUP calls
    `reload`. With a `channel`, it serves the connections that another process accepts.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ending: Ending,
        reload: Work | None = None,
        channel: socket.socket | None = None,
    ) -> None:
        super().__init__(config)
        self._ending, self._reload = ending, reload
        self._dealt = DealtConnections(self, channel, self._end_alone) if channel is not None else None
        self._tasks: set[asyncio.Future[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([] if self._dealt else sockets)
        if self._dealt:
            self._dealt.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._dealt:
            self._dealt.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if sys.platform == "win32":
            with super().capture_signals():
                yield
            return
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self.end)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGHUP, self._start, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # of what starts the server
        try:
            yield
        finally:
            for number in (*ENDING, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def end(self) -> None:
        """Begin to end; if it has begun already, end at once."""
        if self._ending.readiness.is_draining:
            self.should_exit = self.force_exit = True
        else:
            self._start(self._drain)

    def _end_alone(self) -> None:
        """End because no more connections come."""
        if not self._ending.readiness.is_draining:
            self.end()

    async def _drain(self) -> None:
        await self._ending.readiness.drain(self._ending.drain)
        self.should_exit = True

    def _start(self, work: Work) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def create_server(
    app: ASGIApp,
    connections: ClientConnections,
    tls: TlsSettings | None = None,
    *,
    ending: Ending | None = None,
    reload: Work | None = None,
    channel: socket.socket | None = None,
    access_log: bool = False,
) -> GatewayServer:
    """The server of an application, whose lifespan opens and closes it. With `tls` it speaks HTTPS."""
    ending = ending or Ending(Readiness())
    config = uvicorn.Config(
        app,
        loop="schema.server.priority_loop:PriorityLoop",
        http=partial(LimitedHttpProtocol, connections=connections),  # type: ignore[arg-type]  # makes protocols
        ws="none",
        reset_contextvars=True,  # else a pipelined request would begin in the context of the one before it
        log_config=None,
        access_log=access_log,
        server_header=False,
        proxy_headers=False,  # the application knows the trusted proxies
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        timeout_keep_alive=connections.limits.idle_seconds,  # type: ignore[arg-type]  # fractions are fine
        timeout_graceful_shutdown=ending.grace,  # type: ignore[arg-type]  # fractions are fine
    )
    return GatewayServer(config, ending, reload, channel)


def limit_connections(configured: int) -> int:
    """How many connections may be open: as configured, or fewer if there are not enough file descriptors.

    The limit of the process is raised to what it may be at most.
    """
    if sys.platform == "win32":
        return configured
    import resource  # noqa: PLC0415 - Windows has no such module

    _, available = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (available, available))
    if available in (resource.RLIM_INFINITY, -1) or available - RESERVED_DESCRIPTORS >= configured:
        return configured
    connections = max(available - RESERVED_DESCRIPTORS, MIN_CONNECTIONS)
    log.warning(
        "the process may open %d files, so that it accepts %d connections instead of %d (limits.connections)",
        available,
        connections,
        configured,
    )
    return connections
