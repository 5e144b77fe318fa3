"""Machines that write points of an organization, while none of its applications has registered them."""

from resolvers.context import Context
from resolvers.rules.cursors import Cursors
from resolvers.rules.paging import Page, page_size
from resolvers.scopes import require_all_applications
from resolvers.series.events import LAST_DAY
from resolvers.series.machines import UnregisteredMachine, list_machine_ids
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.entities.organizations import Organization


async def list_unregistered_machines(
    context: Context,
    organization: Organization,
    first: int | None,
    after: str | None,
    requested: RequestedRange | None,
) -> Page[UnregisteredMachine]:
    """Return a page of the machines with points in a range, by id.

    Where organizations share a database by machine id alone, there are none: points belong to whoever
    registers the machine. Raises `Forbidden` for a grant that is limited to some applications, to which such
    machines do not belong.
    """
    id_, viewer = organization.organization_id, context.viewer
    require_all_applications(context, id_)
    size, cursors = page_size(first), Cursors(context, ("unregistered", id_))
    position = cursors.decode(after)
    start, stop = resolve_range(context, requested or LAST_DAY, open_ended=True)
    machines: set[str] = set()
    if not viewer.series.layout.find_location(id_).is_shared:
        machines = await viewer.readings(id_).series.machines(start, stop)
    registered = await list_machine_ids(context, id_, list(organization.settings))
    unregistered = sorted(machines - set(registered))
    remaining = [machine for machine in unregistered if position is None or machine > position[0]]

    async def count() -> int:
        return len(unregistered)

    return Page(
        nodes=[UnregisteredMachine(machine, id_) for machine in remaining[:size]],
        encode_cursor=lambda machine: cursors.encode((machine.machine_id, None)),
        has_next=len(remaining) > size,
        has_previous=position is not None,
        count=count,
    )
