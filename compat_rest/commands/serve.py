"""`sync-gateway serve`: the HTTP server."""

import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.terminal import ConfigOption, DataOption, errors_as_one_line, load_settings, out

if TYPE_CHECKING:
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
    new_data: Annotated[
        bool,
        typer.Option(
            "--new-data", help="Start with empty files in the place of lost or damaged ones, which are kept."
        ),
    ] = False,
) -> None:
    """Serve the graph at /graphql."""
    import uvicorn

    from compat_rest.app import create_app
    from schema.server.gc_tuning import freeze_startup_objects
    from schema.server.logs import configure_logging
    from schema.server.settings_loading import list_warnings

    with errors_as_one_line():
        settings = load_settings(config, data, host=host, port=port, open=open)
        _check_exposure(settings.server)
        settings.data.mkdir(parents=True, exist_ok=True)
        unlock = _lock_folder(settings, new_data)
        application = create_app(settings)
        listener = _listen(settings.server)
    configure_logging(settings.log)
    for warning in list_warnings():
        log.warning(warning)
    _print_banner(settings, listener)
    server_config = uvicorn.Config(
        application,
        log_config=None,
        access_log=settings.log.level == "debug",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    freeze_startup_objects()
    with errors_as_one_line():
        uvicorn.Server(server_config).run([listener])
    unlock()


def _lock_folder(settings: "Settings", new_data: bool) -> Callable[[], None]:
    """Lock the data folder if an embedded store is in it. Returns what unlocks it.

    With `new_data`, files that are not usable are put aside first.
    """
    from stores.opening import lock_folder, start_anew

    if settings.documents.url is not None and settings.series.url is not None:
        return lambda: None
    unlock = lock_folder(settings.data)
    for path in start_anew(settings.data) if new_data else ():
        out.print(f"A file that cannot be used was put aside as {path}.", soft_wrap=True)
    return unlock


def _check_exposure(server: "ServerSettings") -> None:
    from stores.contracts.errors import BadUserInput

    if not _is_loopback(server.host) and not server.open:
        raise BadUserInput(
            f"{server.host} can be reached from other machines, and the gateway asks for no credentials yet."
            " Serve on 127.0.0.1, or pass --open to let everybody who reaches the port do everything."
        )


def _listen(server: "ServerSettings") -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    return socket.create_server((server.host, server.port), family=family, reuse_port=False)


def _print_banner(settings: "Settings", listener: socket.socket) -> None:
    host = settings.server.host
    name = f"[{host}]" if ":" in host else host
    store = settings.documents.driver if settings.documents.url else "embedded store"
    out.print(
        f"Sync Gateway on http://{name}:{listener.getsockname()[1]}/graphql ({store});"
        " open: whoever reaches it may do everything",
        soft_wrap=True,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
