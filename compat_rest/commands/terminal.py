"""What the commands share: the terminal, the common options, settings, and errors as a person reads them."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.table import Table

    from schema.server.settings import Settings
    from stores.contracts.document_store import DocumentStore

T = TypeVar("T")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class PlainConsole(Console):
    """A console for texts that others have written, such as names: no markup, no emoji codes, no escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with control characters escaped, which could change the terminal."""
        plain = CONTROL_CHARACTERS.sub(lambda match: ascii(match[0])[1:-1], text)
        return super().render_str(plain, **options)


out, err = PlainConsole(), PlainConsole(stderr=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The settings file.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The folder of the embedded stores.")]


def print_error(message: str) -> None:
    """Print a message in red on standard error, on one line, without markup."""
    err.print(message, style="red", highlight=False, soft_wrap=True)


def print_table(table: "Table") -> None:
    """Print a table as wide as it is. A narrower terminal wraps its lines; no column is cut."""
    from rich.measure import Measurement

    width = Measurement.get(out, out.options.update(max_width=100_000), table).maximum
    PlainConsole(width=max(width, out.width)).print(table)


@contextmanager
def print_errors_as_one_line() -> Iterator[None]:
    """Print failures that a person can do something about as one line, and exit with status 1."""
    from schema.server.yaml_file import SettingsError
    from stores.contracts.errors import GatewayError

    try:
        yield
    except (SettingsError, GatewayError) as error:
        print_error(str(error))
        raise typer.Exit(1) from None
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        print_error(f"{path}{error.strerror or error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("stopped")
        raise typer.Exit(130) from None


@contextmanager
def name_store_in_errors(store: str) -> Iterator[None]:
    """Put the name of a store in front of the errors that its server causes."""
    from stores.contracts.errors import NotFound, Unavailable

    try:
        yield
    except (NotFound, Unavailable) as error:
        raise type(error)(f"{store}: {error.message}", **error.extensions) from None


def load_settings(config: Path | None, data: Path | None = None, **server: Any) -> "Settings":
    """The settings of a file and the environment, overridden by the options that are not None.

    Raises `SettingsError`.
    """
    from schema.server import settings_loading

    settings = settings_loading.load_settings(config)
    overrides = {name: value for name, value in server.items() if value is not None}
    changes: dict[str, Any] = {"server": settings.server.model_copy(update=overrides)}
    if data is not None:
        changes["data"] = data
    return settings.model_copy(update=changes)


async def run_and_close(store: "DocumentStore", work: Callable[["DocumentStore"], Awaitable[T]]) -> T:
    """Return the result of `work(store)`; close the store in any case."""
    try:
        return await work(store)
    finally:
        await store.close()
