"""Machines whose points belong to no organization: for operators, who may give them to one."""

from dataclasses import dataclass

from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.rules.paging import page_size
from resolvers.scopes import require_organization
from stores.contracts.errors import BadUserInput, Conflict, NotFound
from stores.contracts.samples import END_OF_TIME
from stores.contracts.series import WritableSeriesStore


@dataclass(frozen=True, slots=True)
class UnassignedMachine:
    """A machine id, and the organizations that have registered it: none, or several, or one since later."""

    machine_id: str
    organization_ids: list[str]


async def list_unassigned_machines(
    context: Context, first: int | None, after: str | None
) -> list[UnassignedMachine]:
    """The machines with points that belong to no organization, by id.

    On a server they are those of the last day, if organizations share a database by machine id alone: points
    of machines that no organization has registered, or several.
    """
    limit, series = page_size(first), context.viewer.series
    if isinstance(series.store, WritableSeriesStore):
        ids = await series.store.list_machines(series.layout.common, after=after or "", limit=limit)
        return await _find_owners(context, ids)
    if not series.layout.shares_by_machine:
        return []
    machines = await context.viewer.readings(None).series.machines(context.now - DAY, END_OF_TIME)
    owned = await _find_owners(context, sorted(id_ for id_ in machines if id_ > (after or "")))
    return [machine for machine in owned if len(machine.organization_ids) != 1][:limit]


async def _find_owners(context: Context, ids: list[str]) -> list[UnassignedMachine]:
    owners = await context.viewer.list_owners(ids)
    return [UnassignedMachine(id_, sorted(of_id)) for id_, of_id in zip(ids, owners, strict=True)]


async def assign_machine(context: Context, machine_id: str, organization_id: str) -> UnassignedMachine:
    """Give the points of a machine that belong to no organization to one, which need not have registered it.

    Raises `NotFound` if there are no such points, and `Conflict` if the organization has values of another
    kind in one of their fields. Nothing is changed then.
    """
    series = context.viewer.series
    await require_organization(context, organization_id)
    if not isinstance(series.store, WritableSeriesStore):
        raise BadUserInput("The points are stored by a server: move them with its tools.")
    target = series.layout.find_location(organization_id).database
    report = await series.store.move_machines(series.layout.common, {machine_id: target})
    if report.conflicts:
        raise Conflict(f"The points do not fit: {report.conflicts[machine_id]}.", fields=["machineId"])
    if not report.moved:
        raise NotFound("This machine has no unassigned points.", fields=["machineId"])
    [owners] = await context.viewer.list_owners([machine_id])
    return UnassignedMachine(machine_id, sorted(owners))
