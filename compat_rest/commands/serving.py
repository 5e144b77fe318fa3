"""What one process of `sync-gateway serve` serves, and how it takes over changed settings."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.applications import Starlette

from compat_rest.app import create_app
from compat_rest.commands.demo import report_live
from schema.server.client_connections import ClientConnections, ConnectionLimits
from schema.server.http_server import Ending, GatewayServer, create_server, limit_connections
from schema.server.logs import configure_logging
from schema.server.metrics_exchange import WorkerPlace
from schema.server.reloading import ReloadableApp
from schema.server.resources import open_resources
from schema.server.settings import Settings
from schema.server.tls import check_certificate
from schema.server.yaml_file import SettingsError
from stores.contracts.errors import GatewayError

log = logging.getLogger(__name__)
# What is used only when the process starts: by section, or by name in a section.
NOT_RELOADED = {
    "server": ("host", "port", "workers", "drain", "grace"),
    "series": ("url", "token", "org", "deadline"),
    "limits": ("store",),
}
NOT_RELOADED_AT_ALL = ("data", "documents", "tracing")


class Serving:
    """The application of the latest settings, and its connections. `read` reads the settings again.

    With `since`, in nanoseconds since 1970, the machines of the demo plant go on reporting from then on.
    `place` is that of this process among several workers.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        since: int | None,
        place: WorkerPlace | None,
    ) -> None:
        self._settings, self._read, self._since, self._place = settings, read, since, place
        self._server: GatewayServer | None = None
        self._reloading = asyncio.Lock()
        self._app = ReloadableApp(self._make_app)
        self._connections = ClientConnections(
            self._limit_connections(),
            self._app.current.state.app_state.limits,
            trusted=settings.server.trusted_proxies,
        )
        instruments = self._app.current.state.app_state.resources.instruments
        instruments.count_connections(self._connections.__len__)

    def make_server(self, channel: socket.socket | None = None) -> GatewayServer:
        """The server; with a channel, of the connections that arrive there."""
        server = self._settings.server
        readiness = self._app.current.state.app_state.resources.readiness
        self._server = create_server(
            self._app,
            self._connections,
            server.tls,
            ending=Ending(readiness, server.drain, server.grace),
            reload=self.reload,
            channel=channel,
            access_log=self._settings.log.level == "debug",
        )
        return self._server

    async def reload(self) -> None:
        """Take over the settings as they are now, one time after another. If not valid, the old ones stay."""
        async with self._reloading:
            await self._reload()

    async def _reload(self) -> None:
        previous = self._settings
        try:
            self._settings = self._read()
            check_certificate(self._settings.server.tls)
            await self._app.reload()
        except (SettingsError, GatewayError, OSError) as error:
            self._settings = previous
            log.error("the settings are not reloaded, the old ones stay: %s", error)
            return
        configure_logging(self._settings.log)
        self._connections.limits = self._limit_connections()
        self._connections.policy = self._app.current.state.app_state.limits
        self._reload_certificate()
        for name in list_not_reloaded(previous, self._settings):
            log.warning("%s has changed: it takes effect when the gateway is restarted", name)
        log.info("the settings are reloaded")

    def _reload_certificate(self) -> None:
        """Use the certificate as it is now for new connections."""
        tls = self._settings.server.tls
        context = self._server.config.ssl if self._server is not None else None
        if context is not None and tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key, password="")
        elif (context is None) != (tls.certificate is None):
            log.warning("server.tls has changed: it takes effect when the gateway is restarted")

    def _make_app(self, previous: Starlette | None) -> Starlette:
        tasks = (
            {}
            if self._since is None
            else {"demo machines": partial(report_live, self._settings, self._since)}
        )
        self._since = self._since and time.time_ns()  # those of another application go on from there
        if previous is None:
            resources = open_resources(self._settings, place=self._place)
        else:
            resources = previous.state.app_state.resources
        return create_app(self._settings, tasks=tasks, resources=resources)

    def _limit_connections(self) -> ConnectionLimits:
        """The limits of this process, which is one of several that share the connections."""
        limits = self._settings.limits.of_connections()
        number = -(-limits.connections // self._settings.server.workers)
        return replace(limits, connections=limit_connections(number))


def list_not_reloaded(old: Settings, new: Settings) -> list[str]:
    """The names of settings that differ and are used only when the process starts."""
    names = [name for name in NOT_RELOADED_AT_ALL if getattr(old, name) != getattr(new, name)]
    for section, members in NOT_RELOADED.items():
        of_old, of_new = getattr(old, section), getattr(new, section)
        names += [f"{section}.{name}" for name in members if getattr(of_old, name) != getattr(of_new, name)]
    return names
