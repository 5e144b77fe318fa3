"""`sync-gateway demo`: the demo plant and what its machines report."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    err,
    load_settings,
    name_store_in_errors,
    out,
    print_errors_as_one_line,
    run_and_close,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from schema.server.settings import Settings
    from stores.contracts.document_store import DocumentStore
    from stores.contracts.series import SeriesStore
    from stores.demo.reporting import ReportingPlant

DAYS = 30
LINE_EVERY_S = 5.0


def demo(
    config: ConfigOption = None,
    data: DataOption = None,
    days: Annotated[
        int, typer.Option(min=0, max=365, help="For how many days the machines have reported.")
    ] = DAYS,
    live: Annotated[bool, typer.Option("--live", help="Keep reporting until Ctrl+C is pressed.")] = False,
) -> None:
    """Load the demo plant into the configured stores. What they hold already stays as it is."""
    with print_errors_as_one_line():
        asyncio.run(_run(load_settings(config, data), days, live))


async def _run(settings: "Settings", days: int, live: bool) -> None:
    since = await load_demo(settings, days)
    if live:
        out.print("The demo machines keep reporting. Press Ctrl+C to stop.")
        await report_live(settings, since)


async def load_demo(settings: "Settings", days: int) -> int:
    """Load the documents of the demo plant and the history of its machines that the stores lack.

    Return the time up to which the machines have reported, in nanoseconds since 1970.
    """
    from schema.server.opening import open_cipher, open_documents, open_point_writer, open_series
    from schema.server.store_names import name_documents, name_series
    from stores.demo.plant import load, machines

    cipher = open_cipher(settings)
    with name_store_in_errors(name_documents(settings)):
        added = await run_and_close(open_documents(settings), lambda store: load(store, cipher))
    result = f"loaded: {added} documents added" if added else "already loaded"
    out.print(f"The demo plant is {result}.")
    series = open_series(settings)
    writer = open_point_writer(settings, series)
    advance = _show_progress((days + 1) * len(list(machines())))
    try:
        with name_store_in_errors(name_series(settings)):
            await run_and_close(open_documents(settings), lambda store: _migrate(settings, store, series))
            plant = _make_plant(settings, series)
            history = await plant.write_history(series, writer, days, advance)
    finally:
        await series.close()
        await writer.close()
    points = f"{history.written} points written to {name_series(settings)}"
    out.print(f"The machines have reported for {days} days and today: {points}.", soft_wrap=True)
    return history.until


def _show_progress(steps: int) -> "Callable[[], object]":
    """What is called after each step. It moves a bar on a terminal, and prints some lines elsewhere."""
    from rich.progress import track

    if err.is_terminal:
        bar = iter(track(range(steps), "writing points", console=err))
        return lambda: next(bar, None)
    done, next_at = 0, time.monotonic() + LINE_EVERY_S

    def advance() -> None:
        nonlocal done, next_at
        done += 1
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + LINE_EVERY_S
            err.print(f"writing points: {done} of {steps} days of machines")

    return advance


async def report_live(settings: "Settings", since: int) -> None:
    """Write what the demo machines report from a time on (nanoseconds since 1970), until cancelled."""
    from schema.server.opening import open_point_writer, open_series
    from stores.entities.machine_events import STATISTICS

    series = open_series(settings)
    writer = open_point_writer(settings, series)
    try:
        plant = _make_plant(settings, series)
        await plant.follow(writer, STATISTICS, since)
    finally:
        await series.close()
        await writer.close()


async def _migrate(settings: "Settings", documents: "DocumentStore", series: "SeriesStore") -> None:
    """Give the points of an earlier version to their organizations: what the demo plant has need not come."""
    from rich.progress import Progress

    from resolvers.machine_owners import MachineOwners
    from schema.server.opening import make_series_layout
    from schema.server.series_migration import migrate_series
    from stores.contracts.series import WritableSeriesStore

    if not isinstance(series, WritableSeriesStore):
        return
    with Progress(console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("series of earlier versions", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        layout = make_series_layout(settings.series, series)
        await migrate_series(series, layout, MachineOwners(documents), report)


def _make_plant(settings: "Settings", series: "SeriesStore") -> "ReportingPlant":
    from schema.server.opening import make_series_layout
    from stores.demo.reporting import ReportingPlant

    return ReportingPlant(make_series_layout(settings.series, series))
