"""The command line: `sync-gateway --help` lists what there is."""

import asyncio
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:  # imported where they are used: --help has to be quick
    from schema.server.settings import Settings
    from stores.contracts.documents import DocumentStore
    from stores.contracts.series import WritableSeriesStore

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A GraphQL gateway over the data of an industrial back office.",
)
out, err = Console(), Console(stderr=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The settings file.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The folder of the embedded store.")]


@contextmanager
def _told() -> Iterator[None]:
    """Failures that a person can do something about, in a line each, instead of a traceback."""
    from schema.server.settings import SettingsError
    from stores.contracts.errors import GatewayError

    try:
        yield
    except (SettingsError, GatewayError) as error:
        err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        err.print(f"{place}{error.strerror or error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("stopped")
        raise typer.Exit(130) from None


def _settings(config: Path | None, data: Path | None = None, **server: Any) -> "Settings":
    from schema.server.settings import load

    settings = load(config)
    given = {name: value for name, value in server.items() if value is not None}
    changed = {"server": settings.server.model_copy(update=given)}
    return settings.model_copy(update=changed | ({"data": data} if data else {}))


@app.command()
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on.")] = None,
    data: DataOption = None,
    open: Annotated[
        bool | None, typer.Option("--open", help="Serve beyond loopback, to everybody who reaches the port.")
    ] = None,
) -> None:
    """Serve the graph at /graphql."""
    import uvicorn

    from compat_rest.app import create_app
    from schema.server import gc_tuning as collector
    from stores.contracts.errors import BadUserInput

    with _told():
        settings = _settings(config, data, host=host, port=port, open=open)
        server = settings.server
        if not _is_loopback(server.host) and not server.open:
            raise BadUserInput(
                f"{server.host} is reached from elsewhere, and the gateway asks for no credentials yet:"
                " serve on 127.0.0.1, or give --open to let everybody who reaches it do everything"
            )
        settings.data.mkdir(parents=True, exist_ok=True)
        application = create_app(settings)
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        listening = socket.create_server((server.host, server.port), family=family, reuse_port=False)
    _log_to(settings)
    name = f"[{server.host}]" if ":" in server.host else server.host
    store = settings.documents.driver if settings.documents.url else "embedded store"
    out.print(
        f"Sync Gateway on http://{name}:{listening.getsockname()[1]}/graphql ({store});"
        " open: whoever reaches it may do everything",
        soft_wrap=True,
    )
    configured = uvicorn.Config(
        application,
        log_config=None,
        access_log=settings.log.level == "debug",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    collector.relieve()
    with _told():
        uvicorn.Server(configured).run([listening])


@app.command()
def demo(
    config: ConfigOption = None,
    data: DataOption = None,
    days: Annotated[int, typer.Option(min=0, max=365, help="How many days its machines have reported.")] = 30,
    live: Annotated[bool, typer.Option("--live", help="Then go on reporting, until it is stopped.")] = False,
) -> None:
    """Load the demo plant: what is there already stays as it is. Its machines report to an embedded store."""
    from schema.server.opening import open_cipher, open_documents, open_series
    from stores.contracts.series import WritableSeriesStore
    from stores.demo.plant import load

    with _told():
        settings = _settings(config, data)
        cipher = open_cipher(settings)
        added = asyncio.run(_closing(open_documents(settings), lambda store: load(store, cipher)))
        out.print(
            f"the demo plant is loaded: {added} documents added"
            if added
            else "the demo plant is there already"
        )
        series = open_series(settings)
        if isinstance(series, WritableSeriesStore):
            asyncio.run(_report(series, settings.series.database, days, live))
        else:
            out.print("time series are not written to this store")


async def _report(series: "WritableSeriesStore", database: str, days: int, live: bool) -> None:
    """What the machines of the demo plant report, with a progress bar."""
    from rich.progress import track

    from stores.demo import plant, reports
    from stores.entities.machine_events import STATISTICS

    steps = (days + 1) * len(list(plant.machines()))
    bar = iter(track(range(steps), "machines report", console=err, disable=not err.is_terminal))
    try:
        written = await reports.load(series, database, days, lambda: next(bar, None))
        out.print(f"{written} points of {days} days and today are there")
        if live:
            out.print("the machines go on reporting; stop with Ctrl+C")
            await reports.follow(series, database, STATISTICS)
    finally:
        await series.close()


@app.command()
def copy(
    source_url: Annotated[str, typer.Argument(help="sqlite:///FILE, mongodb:// or mongodb+srv://")],
    target_url: Annotated[str, typer.Argument(help="The same, of the store that is written to.")],
) -> None:
    """Copy every organization from one document store to another, then compare them document by document."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from stores.contracts.errors import BadUserInput
    from stores.jobs.copying import copy_stores
    from stores.opening import open_documents

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())

    async def run() -> Any:
        source = open_documents(source_url, data=Path(), deadline=60)
        target = open_documents(target_url, data=Path(), deadline=60)
        try:
            with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
                task = progress.add_task("copying", total=None)

                def report(what: str, done: int, total: int) -> None:
                    progress.update(task, description=what, completed=done, total=total)

                return await copy_stores(source, target, report)
        finally:
            await source.close()
            await target.close()

    with _told():
        if source_url == target_url:
            raise BadUserInput("source and target are the same store")
        for url in (source_url,):
            if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
                raise BadUserInput("the source does not exist")
        report = asyncio.run(run())
    counts = f"{report.written} documents written, {report.equal} there already"
    out.print(f"{counts}, {report.verified} compared")
    for line in report.differences[:20]:
        err.print(line, style="red", markup=False, soft_wrap=True)
    if report.differences:
        err.print(f"the stores differ in {len(report.differences)} places", style="red")
        raise typer.Exit(1)


@app.command()
def compare(
    old_url: Annotated[
        str, typer.Argument(help="The server that is to be replaced, such as http://old:3000")
    ],
    new_url: Annotated[str, typer.Argument(help="The gateway in its place.")],
    file: Annotated[Path, typer.Argument(help="Recorded requests, a JSON object on each line.")],
) -> None:
    """Send recorded requests to two servers and print where status or body differ. Both are written to."""
    import httpx
    from rich.progress import Progress

    from compat_rest import replay
    from stores.contracts.errors import BadUserInput, Unavailable

    async def run() -> list[str]:
        options: dict[str, Any] = {"trust_env": False, "timeout": 60}
        async with (
            httpx.AsyncClient(base_url=old_url, **options) as old,
            httpx.AsyncClient(base_url=new_url, **options) as new,
        ):
            with Progress(console=err, disable=not err.is_terminal) as progress:
                task = progress.add_task("comparing", total=len(exchanges))

                def report(done: int) -> None:
                    progress.update(task, completed=done)

                found: list[str] = await replay.compare(old, new, exchanges, report)
                return found

    with _told():
        try:
            exchanges = replay.read(file)
            differences = asyncio.run(run())
        except replay.NotRecorded as error:
            raise BadUserInput(str(error)) from None
        except (httpx.TransportError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Unavailable(f"a server cannot be reached: {error}") from None
    for line in differences:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    out.print(f"{len(exchanges)} requests compared, {len(differences)} differences")
    if differences:
        raise typer.Exit(1)


@app.command()
def new_key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Put a fresh key in front of the key file: restart the gateway with it, then run rotate-secrets."""
    from stores.entities.cipher import add_key

    with _told():
        settings = _settings(config, data)
        path = settings.secrets.key_file or settings.data / "secrets.key"
        keys = add_key(path)
    out.print(f"{path} holds {len(keys)} keys, the newest first", soft_wrap=True)
    if settings.secrets.key_file is None and settings.documents.url is not None:
        out.print("name it as secrets.key_file, so that the gateway uses it")


@app.command()
def rotate_secrets(config: ConfigOption = None, data: DataOption = None) -> None:
    """Encrypt every stored secret with the newest key; older keys may be taken out of the key file then."""
    from rich.progress import Progress

    from schema.server.opening import open_cipher, open_documents
    from stores.contracts.errors import BadUserInput
    from stores.jobs.rotation import rotate_stored_secrets

    with _told():
        settings = _settings(config, data)
        cipher = open_cipher(settings)
        if not cipher.has_keys:
            raise BadUserInput("there is no key: run new-key, and name the file as secrets.key_file")
        with Progress(console=err, disable=not err.is_terminal) as progress:
            task = progress.add_task("encrypting", total=None)

            def report(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            rotated = asyncio.run(
                _closing(open_documents(settings), lambda store: rotate_stored_secrets(store, cipher, report))
            )
    out.print(f"{rotated.changed} documents encrypted with the newest key")
    if rotated.undecryptable:
        err.print(f"{rotated.undecryptable} documents hold secrets that no key opens", style="red")
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the schema in GraphQL's schema definition language."""
    from schema.types.root import schema as executable

    sys.stdout.write(executable.as_str() + "\n")


@app.command()
def check_config(config: ConfigOption = None) -> None:
    """Check the settings of a file and of the environment."""
    with _told():
        settings = _settings(config)
    out.print_json(settings.model_dump_json())


async def _closing(store: "DocumentStore", work: Callable[["DocumentStore"], Any]) -> Any:
    try:
        return await work(store)
    finally:
        await store.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _log_to(settings: "Settings") -> None:
    import structlog

    as_text = settings.log.format == "console" or (settings.log.format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    level = settings.log.level.upper()
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The server's own start and stop are of interest to its developers only.
    logging.getLogger("uvicorn.error").setLevel("WARNING" if level == "INFO" else level)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
