"""The events of machines: of one, of several together, and of all in a database."""

import heapq
from asyncio import gather
from collections.abc import Sequence

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.documents import Query
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import Source, SourceQuery, occurrence_order
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.machine_events import MachineEvent, event_of, sources_of

MAX_EVENTS = 1000
LAST_DAY = RequestedRange(last=DAY)


async def list_events_of_machine(
    context: Context,
    machine: HasMachineId,
    first: int,
    requested: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """Return the last events of a machine, newest first. Machines with the same arguments are one query."""
    sources, start, stop = _check_arguments(context, first, requested, classes)
    loader = get_readings(context, machine).last(sources, first, start, stop)
    return [event_of(occurrence, sources) for occurrence in await loader.load(machine.machine_id)]


async def list_events_of_machines(
    context: Context,
    readings: Readings,
    machines: Sequence[str] | None,
    first: int,
    requested: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """Return the last events of several machines together or, with None, of all in a database."""
    sources, start, stop = _check_arguments(context, first, requested, classes)
    if machines is not None and not machines:
        return []
    occurrences = await readings.series.last(SourceQuery(sources, machines, start, stop), first)
    if machines is not None:
        occurrences = heapq.nsmallest(first, occurrences, key=occurrence_order)
    return [event_of(occurrence, sources) for occurrence in occurrences]


async def list_machine_ids(
    context: Context, organization_id: str, application_ids: Sequence[str]
) -> list[str]:
    """Return the machine ids of the devices of some applications, without repetitions."""
    loaders = context.viewer.tenant(organization_id).loaders
    query = Query(keys=frozenset({*MACHINE_ID_KEYS, "name"}))
    pages = await gather(*(loaders.pages(Device.collection_of(id)).load(query) for id in application_ids))
    return list(dict.fromkeys(Device(document).machine_id for page in pages for document in page))


def _check_arguments(
    context: Context, first: int, requested: RequestedRange | None, classes: Sequence[str] | None
) -> tuple[tuple[Source, ...], int, int]:
    """Return the sources, start and stop of a request for events."""
    if first < 0:
        raise BadUserInput("`first` must not be negative", fields=["first"])
    if first > MAX_EVENTS:
        raise LimitExceeded(f"at most {MAX_EVENTS} events", fields=["first"], limit=MAX_EVENTS)
    limits = context.viewer.series.limits
    start, stop = resolve_range(requested or LAST_DAY, context.now, limits, open_ended=True)
    return sources_of(None if classes is None else tuple(classes)), start, stop
