"""The entry point: `sync-gateway --help` lists the commands."""

import gc
from importlib.metadata import version
from typing import Annotated

import typer

from compat_rest.commands.api_keys import keys
from compat_rest.commands.check_config import check_config
from compat_rest.commands.compare import compare
from compat_rest.commands.copy import copy
from compat_rest.commands.data import backup, check, restore
from compat_rest.commands.demo import demo
from compat_rest.commands.keys import new_key, rotate_secrets
from compat_rest.commands.roles import roles
from compat_rest.commands.schema import schema
from compat_rest.commands.serve import serve

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"sync-gateway {version('sync-gateway')}")
        raise typer.Exit


@app.callback()
def main_options(
    print_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """A GraphQL gateway over the data of an industrial back office."""


for command in (
    serve,
    demo,
    copy,
    compare,
    new_key,
    rotate_secrets,
    backup,
    restore,
    check,
    schema,
    roles,
    check_config,
):
    app.command()(command)
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command that the arguments name."""
    gc.set_threshold(100_000)  # imports create many objects and no garbage
    app()


if __name__ == "__main__":
    main()
