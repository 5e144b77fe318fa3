"""`sync-gateway serve`: the HTTP server."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.access import describe_access, list_access_warnings
from compat_rest.commands.demo import DAYS, load_demo
from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    load_settings,
    out,
    print_errors_as_one_line,
)

if TYPE_CHECKING:
    from schema.server.settings import ServerSettings, Settings

log = logging.getLogger(__name__)


# Long because typer makes the options of its parameters.
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on.")] = None,
    data: DataOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="The number of processes, over MongoDB and InfluxDB.")
    ] = None,
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

    read = partial(load_settings, config, data, host=host, port=port, open=open, workers=workers)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits until the server handles it
    with print_errors_as_one_line():
        settings = read()
        # Before anything else: a port that is taken must not cost the time that loading the demo plant takes.
        listener = _listen(settings.server)
        check_certificate(settings.server.tls)
        settings.data.mkdir(parents=True, exist_ok=True)
        unlock = _lock_folder(settings, new_data)
        access = describe_access(settings)
        since = asyncio.run(load_demo(settings, DAYS)) if demo else None
        _announce(settings, listener, access)
        status = _serve(settings, read, listener, since)
    unlock()
    raise typer.Exit(status)


def _lock_folder(settings: "Settings", new_data: bool) -> Callable[[], None]:
    """Lock the data folder if an embedded store is in it. Returns what unlocks it.

    With `new_data`, files that are not usable are put aside first.
    """
    from schema.server.opening import store_urls
    from schema.server.yaml_file import SettingsError
    from stores.embedded import lock_folder, start_anew

    urls = store_urls(settings)
    if not any(url is None or url.startswith("sqlite:///") for url in urls):
        return lambda: None
    if settings.server.workers > 1:
        raise SettingsError(
            "server.workers: the embedded stores serve one process; several need MongoDB and InfluxDB"
            " (documents.url and series.url)"
        )
    unlock = lock_folder(settings.data)
    for path in start_anew(settings.data, *urls) if new_data else ():
        out.print(f"A file that cannot be used was put aside as {path}.", soft_wrap=True)
    return unlock


def _announce(settings: "Settings", listener: socket.socket, access: str) -> None:
    from schema.server.logs import configure_logging
    from schema.server.settings_loading import list_warnings

    configure_logging(settings.log)
    for warning in [*list_warnings(), *list_access_warnings(settings, access)]:
        log.warning(warning)
    _print_banner(settings, listener, access)


def _serve(
    settings: "Settings", read: "Callable[[], Settings]", listener: socket.socket, since: int | None
) -> int:
    """Serve the listener until a signal ends it. Returns the exit status."""
    from compat_rest.commands.serving import Serving
    from schema.server.metrics_exchange import WorkerPlace
    from schema.server.process_tuning import freeze_startup_objects, tune_interpreter
    from schema.server.worker_processes import WorkerPool
    from schema.server.yaml_file import SettingsError

    def serve_process(place: WorkerPlace | None, channel: socket.socket | None) -> None:
        serving = Serving(settings, read, since, place)
        server = serving.make_server(channel)
        tune_interpreter()
        server.run([listener])

    def reread() -> None:
        nonlocal settings
        with suppress(SettingsError, OSError):  # a worker logs it
            settings = read()

    number = settings.server.workers
    if number == 1:
        serve_process(None, None)
        return 0
    freeze_startup_objects()
    with TemporaryDirectory(prefix="sync-gateway-") as folder:

        def serve_worker(index: int, channel: socket.socket) -> None:
            with _exit_process():
                serve_process(WorkerPlace.take(index, number, Path(folder)), channel)

        return WorkerPool(number, listener, serve_worker, reread).run()


@contextmanager
def _exit_process() -> Iterator[None]:
    """Print what a person can do something about as one line, and exit."""
    try:
        with print_errors_as_one_line():
            yield
    except typer.Exit as error:  # which only the command line itself understands
        raise SystemExit(error.exit_code) from None


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
