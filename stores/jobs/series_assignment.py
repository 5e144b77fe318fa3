"""Giving each organization the points that an earlier version stored in one database for all."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from stores.contracts.machine_moves import MachineMoves
from stores.entities.series_layout import SeriesLayout

log = logging.getLogger(__name__)
BATCH = 200  # machines in one transaction
FindOwners = Callable[[Collection[str]], Awaitable[Mapping[str, frozenset[str]]]]


@dataclass(slots=True)
class AssignmentReport:
    """How many machines were given to their organization, and how many belong to none or several."""

    assigned: int = 0
    unassigned: int = 0


async def assign_earlier_machines(
    store: MachineMoves,
    layout: SeriesLayout,
    find_owners: FindOwners,
    progress: Callable[[int, int], None],
) -> AssignmentReport:
    """Move the points of each machine that exactly one organization has registered to its database.

    This is settled once for each machine: a device that is created later gets no earlier points. A run that
    is interrupted goes on where it was. `progress` gets the number of machines that are done, and of all.
    Raises `Unavailable`.
    """
    report = AssignmentReport()
    while True:
        machines, remaining = await store.list_earlier_machines(BATCH)
        if not machines:
            return report
        shared = [machine for database, machine in machines if database == layout.common]
        owners = await find_owners(shared)
        targets = {
            machine: layout.find_location(*owners[machine]).database
            for machine in shared
            if len(owners[machine]) == 1
        }
        conflicts = (await store.move_machines(layout.common, targets)).conflicts
        for machine, conflict in conflicts.items():
            log.warning("the points of the machine %s stay unassigned: %s", machine, conflict)
        await store.settle_earlier_machines(machines)
        report.assigned += len(targets) - len(conflicts)
        report.unassigned += len(shared) - len(targets) + len(conflicts)
        done = report.assigned + report.unassigned
        progress(done, done + remaining - len(shared))
