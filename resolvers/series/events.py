"""The events of machines: of one, of several together, and of all that a database holds."""

import heapq
from asyncio import gather
from collections.abc import Sequence

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.series.ranges import RequestedRange, bounds
from resolvers.series.statuses import HasMachineId, readings_of
from stores.contracts.documents import Query
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import Source, SourceQuery
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.machine_events import MachineEvent, event_of, sources_of

MAX_EVENTS = 1000
LAST_DAY = RequestedRange(last=DAY)


async def events_of_machine(
    context: Context,
    machine: HasMachineId,
    first: int,
    asked: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """The last events of one machine, newest first. One query for all machines that are asked for alike."""
    sources, start, stop = _asked(context, first, asked, classes)
    found = await readings_of(context, machine).last(sources, first, start, stop).load(machine.machine_id)
    return [event_of(each, sources) for each in found]


async def events_of_machines(
    context: Context,
    readings: Readings,
    machines: Sequence[str] | None,
    first: int,
    asked: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """The last events of several machines together or, with None, of all that a database holds."""
    sources, start, stop = _asked(context, first, asked, classes)
    if machines is not None and not machines:
        return []
    found = await readings.series.last(SourceQuery(sources, machines, start, stop), first)
    if machines is not None:
        found = heapq.nsmallest(first, found, key=lambda e: (-e.time, e.source, e.machine or ""))
    return [event_of(each, sources) for each in found]


async def machines_of(context: Context, organization_id: str, application_ids: Sequence[str]) -> list[str]:
    """The machine ids of some applications' devices."""
    loaders = context.viewer.tenant(organization_id).loaders
    query = Query(keys=frozenset({*MACHINE_ID_KEYS, "name"}))
    lists = await gather(*(loaders.pages(Device.collection_of(each)).load(query) for each in application_ids))
    return list(dict.fromkeys(Device(document).machine_id for found in lists for document in found))


def _asked(
    context: Context, first: int, asked: RequestedRange | None, classes: Sequence[str] | None
) -> tuple[tuple[Source, ...], int, int]:
    if first < 0:
        raise BadUserInput("`first` must not be negative", fields=["first"])
    if first > MAX_EVENTS:
        raise LimitExceeded(f"at most {MAX_EVENTS} events", fields=["first"], limit=MAX_EVENTS)
    limits = context.viewer.series.limits
    start, stop = bounds(asked or LAST_DAY, context.now, limits, open_ended=True)
    return sources_of(None if classes is None else tuple(classes)), start, stop
