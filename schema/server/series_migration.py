"""The points of earlier versions, which stored them in one database, are given to their organizations."""

import asyncio
import logging
from collections.abc import Callable

from resolvers.machine_owners import MachineOwners
from stores.contracts.errors import Unavailable
from stores.contracts.machine_moves import MachineMoves
from stores.entities.series_layout import SeriesLayout
from stores.jobs.series_assignment import assign_earlier_machines

log = logging.getLogger(__name__)
RETRY_S = 5.0


async def migrate_series(
    store: MachineMoves,
    layout: SeriesLayout,
    owners: MachineOwners,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Do what is left of the migration, and log how far it is. Raises `Unavailable`."""

    def log_progress(done: int, total: int) -> None:
        log.info("series of earlier versions: %d of %d machines are done", done, total)

    report = await assign_earlier_machines(store, layout, owners.find, progress or log_progress)
    if report.assigned or report.unassigned:
        log.info(
            "the series of %d machines were given to their organizations; those of %d machines, which no"
            " organization or several have registered, are unassigned",
            report.assigned,
            report.unassigned,
        )


async def try_to_migrate(store: MachineMoves, layout: SeriesLayout, owners: MachineOwners) -> bool:
    """Whether the migration is finished. A store that fails is logged."""
    try:
        await migrate_series(store, layout, owners)
    except Unavailable as error:
        log.warning("series of earlier versions are not given to organizations yet: %s", error.message)
        return False
    return True


async def migrate_later(store: MachineMoves, layout: SeriesLayout, owners: MachineOwners) -> None:
    """Finish the migration once the stores answer."""
    while True:
        await asyncio.sleep(RETRY_S)
        if await try_to_migrate(store, layout, owners):
            return
