"""`sync-gateway backup`, `restore` and `check`: the files of the embedded stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    err,
    load_settings,
    out,
    print_error,
    print_errors_as_one_line,
)

if TYPE_CHECKING:
    from schema.server.settings import Settings
    from stores.embedded import Progress

MAX_MACHINES_SHOWN = 20
Folder = Annotated[Path, typer.Argument(help="The folder of the backup.")]


def backup(folder: Folder, config: ConfigOption = None, data: DataOption = None) -> None:
    """Copy the embedded stores, their keys and the icons to a new folder. The server may keep running."""
    from schema.server.opening import store_urls
    from stores.embedded import make_backup

    with print_errors_as_one_line():
        settings = load_settings(config, data)
        with _show_progress_bar() as report:
            copied = make_backup(settings.data, *store_urls(settings), folder, report)
    out.print(f"{', '.join(copied)} copied to {folder}.", soft_wrap=True, highlight=False)
    if settings.documents.url is not None and "documents.db" not in copied:
        out.print("Back up the documents with the tools of their server.")
    if settings.secrets.key_file is not None:
        out.print(f"Back up {settings.secrets.key_file} as well, in another place.", soft_wrap=True)


def restore(folder: Folder, config: ConfigOption = None, data: DataOption = None) -> None:
    """Replace the present files with a backup. The old files are renamed. Stop the server first."""
    from schema.server.opening import store_urls
    from stores.embedded import restore as put_back

    with print_errors_as_one_line():
        settings = load_settings(config, data)
        with _show_progress_bar() as report:
            replaced = put_back(settings.data, *store_urls(settings), folder, report)
    for path in replaced:
        out.print(f"The previous file is now {path}.", soft_wrap=True, highlight=False)
    out.print(f"{folder} is restored to {settings.data}.", soft_wrap=True, highlight=False)


def check(config: ConfigOption = None, data: DataOption = None) -> None:
    """Look for damage in the files of the embedded stores, and name what is damaged."""
    from schema.server.opening import store_urls
    from stores.embedded import check as find_faults

    with print_errors_as_one_line():
        settings = load_settings(config, data)
        with _show_progress_bar() as report:
            faults = list(find_faults(settings.data, *store_urls(settings), report))
    for fault in faults:
        print_error(fault)
    if faults:
        print_error(f"{len(faults)} faults found. Restore a backup, or replace what is named.")
        raise typer.Exit(1)
    out.print("No damage found.")
    _report_unassigned(settings)


def _report_unassigned(settings: "Settings") -> None:
    """Print which machines have points that belong to no organization."""
    from schema.server.opening import store_urls
    from stores.embedded import find_unassigned

    with print_errors_as_one_line():
        machines, earlier = find_unassigned(settings.data, store_urls(settings)[1], settings.series.database)
    if earlier:
        out.print(f"{earlier} machines have points of an earlier version: the next start assigns them.")
    elif machines:
        shown = ", ".join(machines[:MAX_MACHINES_SHOWN])
        if remaining := machines[MAX_MACHINES_SHOWN:]:
            shown += f" and {len(remaining)} more"
        out.print(
            f"{len(machines)} machines have points that belong to no organization: {shown}. An operator"
            " assigns them with the mutation assignMachine.",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


@contextmanager
def _show_progress_bar() -> Iterator["Progress"]:
    """A bar on the terminal, and what reports to it."""
    from rich.progress import Progress

    with Progress(console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(description: str, done: int, total: int) -> None:
            bar.update(task, description=description, completed=done, total=total)

        yield report
