"""`sync-gateway demo`: the demo plant and what its machines report."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    err,
    errors_as_one_line,
    load_settings,
    out,
    run_and_close,
)

if TYPE_CHECKING:
    from stores.contracts.series import WritableSeriesStore


def demo(
    config: ConfigOption = None,
    data: DataOption = None,
    days: Annotated[
        int, typer.Option(min=0, max=365, help="For how many days the machines have reported.")
    ] = 30,
    live: Annotated[bool, typer.Option("--live", help="Keep reporting until Ctrl+C is pressed.")] = False,
) -> None:
    """Load the demo plant. Existing documents stay. Points are written to the embedded store only."""
    from schema.server.opening import open_cipher, open_documents, open_series
    from stores.contracts.series import WritableSeriesStore
    from stores.demo.plant import load

    with errors_as_one_line():
        settings = load_settings(config, data)
        cipher = open_cipher(settings)
        added = asyncio.run(run_and_close(open_documents(settings), lambda store: load(store, cipher)))
        out.print(
            f"The demo plant is loaded: {added} documents added."
            if added
            else "The demo plant is already loaded."
        )
        series = open_series(settings)
        if isinstance(series, WritableSeriesStore):
            asyncio.run(_report(series, settings.series.database, days, live))
        else:
            out.print("No points are written: the gateway writes time series to the embedded store only.")


async def _report(series: "WritableSeriesStore", database: str, days: int, live: bool) -> None:
    """Write what the demo machines report, with a progress bar."""
    from rich.progress import track

    from stores.demo import plant, reports
    from stores.entities.machine_events import STATISTICS

    steps = (days + 1) * len(list(plant.machines()))
    bar = iter(track(range(steps), "writing points", console=err, disable=not err.is_terminal))
    try:
        written = await reports.load(series, database, days, lambda: next(bar, None))
        out.print(f"{written} points of the last {days} days and of today are stored.")
        if live:
            out.print("The demo machines keep reporting. Press Ctrl+C to stop.")
            await reports.follow(series, database, STATISTICS)
    finally:
        await series.close()
