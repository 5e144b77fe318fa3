"""`sync-gateway serve`: the HTTP server."""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.access import describe_access, list_access_warnings
from compat_rest.commands.demo import DAYS, load_demo, report_live
from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    load_settings,
    out,
    print_errors_as_one_line,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from schema.server.settings import ServerSettings, Settings

log = logging.getLogger(__name__)


# Long because typer makes the options of its parameters.
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on.")] = None,
    data: DataOption = None,
    open: Annotated[
        bool | None, typer.Option("--open", help="Serve beyond loopback, to everybody who reaches the port.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load the demo plant first, and let its machines keep reporting.")
    ] = False,
    new_data: Annotated[
        bool,
        typer.Option(
            "--new-data", help="Start with empty files in place of lost or damaged ones, which are renamed."
        ),
    ] = False,
) -> None:
    """Serve the graph at /graphql."""
    from schema.server.tls import check_certificate

    with print_errors_as_one_line():
        settings = load_settings(config, data, host=host, port=port, open=open)
        # Before anything else: a port that is taken must not cost the time that loading the demo plant takes.
        listener = _listen(settings.server)
        check_certificate(settings.server.tls)
        settings.data.mkdir(parents=True, exist_ok=True)
        unlock = _lock_folder(settings, new_data)
        access = describe_access(settings)
        application = _create_demo_app(settings) if demo else _create_app(settings)
    _run(application, settings, listener, access)
    unlock()


def _lock_folder(settings: "Settings", new_data: bool) -> Callable[[], None]:
    """Lock the data folder if an embedded store is in it. Returns what unlocks it.

    With `new_data`, files that are not usable are put aside first.
    """
    from schema.server.opening import store_urls
    from stores.embedded import lock_folder, start_anew

    urls = store_urls(settings)
    if not any(url is None or url.startswith("sqlite:///") for url in urls):
        return lambda: None
    unlock = lock_folder(settings.data)
    for path in start_anew(settings.data, *urls) if new_data else ():
        out.print(f"A file that cannot be used was put aside as {path}.", soft_wrap=True)
    return unlock


def _create_app(settings: "Settings") -> "Starlette":
    from compat_rest.app import create_app

    return create_app(settings)


def _create_demo_app(settings: "Settings") -> "Starlette":
    from compat_rest.app import create_app

    since = asyncio.run(load_demo(settings, DAYS))
    return create_app(settings, tasks={"demo machines": partial(report_live, settings, since)})


def _run(application: "Starlette", settings: "Settings", listener: socket.socket, access: str) -> None:
    from schema.server.client_connections import ClientConnections
    from schema.server.gc_tuning import freeze_startup_objects
    from schema.server.http_server import create_server, limit_connections
    from schema.server.logs import configure_logging
    from schema.server.settings_loading import list_warnings

    configure_logging(settings.log)
    for warning in [*list_warnings(), *list_access_warnings(settings, access)]:
        log.warning(warning)
    _print_banner(settings, listener, access)
    limits = settings.limits.of_connections()
    limits = replace(limits, connections=limit_connections(limits.connections))
    connections = ClientConnections(
        limits, application.state.app_state.limits, trusted=settings.server.trusted_proxies
    )
    server = create_server(
        application, connections, settings.server.tls, access_log=settings.log.level == "debug"
    )
    freeze_startup_objects()
    with print_errors_as_one_line():
        server.run([listener])


def _listen(server: "ServerSettings") -> socket.socket:
    """A socket on the host and port. Raises `OSError` with both."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family, reuse_port=False)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{server.host} port {server.port}") from None


def _print_banner(settings: "Settings", listener: socket.socket, access: str) -> None:
    from schema.server.store_names import name_documents, name_series

    host, scheme = settings.server.host, "https" if settings.server.tls.certificate else "http"
    name = f"[{host}]" if ":" in host else host
    out.print(
        f"Sync Gateway on {scheme}://{name}:{listener.getsockname()[1]}/graphql"
        f" (documents: {name_documents(settings)}; time series: {name_series(settings)}); {access}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
