"""`sync-gateway demo`: the demo plant and what its machines report."""

import asyncio
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
    from schema.server.settings import Settings

DAYS = 30


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
    from rich.progress import track

    from schema.server.opening import open_cipher, open_documents, open_point_writer, open_series
    from schema.server.store_names import name_documents, name_series
    from stores.demo.plant import load, machines
    from stores.demo.reporting import ReportingPlant

    cipher = open_cipher(settings)
    with name_store_in_errors(name_documents(settings)):
        added = await run_and_close(open_documents(settings), lambda store: load(store, cipher))
    result = f"loaded: {added} documents added" if added else "already loaded"
    out.print(f"The demo plant is {result}.")
    series = open_series(settings)
    writer = open_point_writer(settings, series)
    steps = (days + 1) * len(list(machines()))
    bar = iter(track(range(steps), "writing points", console=err, disable=not err.is_terminal))
    try:
        with name_store_in_errors(name_series(settings)):
            plant = ReportingPlant(settings.series.database, settings.series.databases)
            history = await plant.write_history(series, writer, days, lambda: next(bar, None))
    finally:
        await series.close()
        await writer.close()
    points = f"{history.written} points written to {name_series(settings)}"
    out.print(f"The machines have reported for {days} days and today: {points}.", soft_wrap=True)
    return history.until


async def report_live(settings: "Settings", since: int) -> None:
    """Write what the demo machines report from a time on (nanoseconds since 1970), until cancelled."""
    from schema.server.opening import open_point_writer, open_series
    from stores.demo.reporting import ReportingPlant
    from stores.entities.machine_events import STATISTICS

    series = open_series(settings)
    writer = open_point_writer(settings, series)
    try:
        plant = ReportingPlant(settings.series.database, settings.series.databases)
        await plant.follow(writer, STATISTICS, since)
    finally:
        await series.close()
        await writer.close()
