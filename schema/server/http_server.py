"""The HTTP server of the application: uvicorn with the limits of connections."""

import logging
import sys
from functools import partial

import uvicorn
from starlette.applications import Starlette

from schema.server.client_connections import ClientConnections
from schema.server.http_protocol import LimitedHttpProtocol
from schema.server.tls import TlsSettings

log = logging.getLogger(__name__)
SHUTDOWN_S = 10
RESERVED_DESCRIPTORS = 128  # for the stores, the listener and the log
MIN_CONNECTIONS = 16


def create_server(
    app: Starlette,
    connections: ClientConnections,
    tls: TlsSettings | None = None,
    *,
    access_log: bool = False,
) -> uvicorn.Server:
    """The server of an application, whose lifespan opens and closes it. With `tls` it speaks HTTPS."""
    config = uvicorn.Config(
        app,
        http=partial(LimitedHttpProtocol, connections=connections),  # type: ignore[arg-type]  # makes protocols
        ws="none",
        log_config=None,
        access_log=access_log,
        server_header=False,
        proxy_headers=False,  # the application knows the trusted proxies
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        timeout_keep_alive=connections.limits.idle_seconds,  # type: ignore[arg-type]  # fractions are fine
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return uvicorn.Server(config)


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
