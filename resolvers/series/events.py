"""The events of machines: of one, of several together, and of all in a database."""

import heapq
from collections.abc import Sequence
from itertools import chain

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.documents import Query
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.occurrences import make_occurrence_order
from stores.contracts.series import (
    Source,
    SourceQuery,
)
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.machine_events import MachineEvent, list_sources_of, make_event_of

MAX_EVENTS = 1000
LAST_DAY = RequestedRange(last=DAY)
MACHINE_IDS = Query(keys=frozenset({*MACHINE_ID_KEYS, "name"}))


async def list_events_of_machine(
    context: Context,
    machine: HasMachineId,
    first: int,
    requested: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """Return the last events of a machine, newest first. Machines with the same arguments are one query."""
    requested = await localize(context, machine, requested or LAST_DAY)
    sources, start, stop = _check_arguments(context, first, requested, classes)
    loader = get_readings(context, machine).last(sources, first, start, stop)
    return [make_event_of(occurrence, sources) for occurrence in await loader.load(machine.machine_id)]


async def list_events_of_machines(
    context: Context,
    readings: Readings,
    machines: Sequence[str] | None,
    first: int,
    requested: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """Return the last events of several machines together or, with None, of all in a database.

    All machines of a database that a request asks for with the same arguments are one query.
    """
    sources, start, stop = _check_arguments(context, first, requested, classes)
    if machines is not None and not machines:
        return []
    if machines is None:
        occurrences = await readings.series.last(SourceQuery(sources, None, start, stop), first)
    else:
        by_machine = await readings.last(sources, first, start, stop).load_many(machines)
        occurrences = heapq.nsmallest(first, chain.from_iterable(by_machine), key=make_occurrence_order)
    return [make_event_of(occurrence, sources) for occurrence in occurrences]


async def list_machine_ids(
    context: Context, organization_id: str, application_ids: Sequence[str]
) -> list[str]:
    """Return the machine ids of the devices of some applications, without repetitions."""
    devices = await list_devices_of(context, organization_id, application_ids)
    return list(dict.fromkeys(Device.machine_id.of(devices)))


async def list_devices_of(
    context: Context, organization_id: str, application_ids: Sequence[str]
) -> list[Device]:
    """Return the devices of some applications, of which only the machine ids are read.

    All applications and organizations that a request asks for together are one call.
    """
    database = context.viewer.tenant(organization_id).documents.database
    collections = [(database, Device.collection_of(application_id)) for application_id in application_ids]
    pages = await context.viewer.across.documents(MACHINE_IDS).load_many(collections)
    devices: list[Device] = []
    for application_id, page in zip(application_ids, pages, strict=True):
        if isinstance(page, Exception):
            raise page
        devices += [Device(document, organization_id, application_id) for document in page]
    return devices


def _check_arguments(
    context: Context, first: int, requested: RequestedRange | None, classes: Sequence[str] | None
) -> tuple[tuple[Source, ...], int, int]:
    """Return the sources, start and stop of a request for events."""
    if first < 0:
        raise BadUserInput("`first` must not be negative.", fields=["first"])
    if first > MAX_EVENTS:
        raise LimitExceeded("events", MAX_EVENTS, first, "Request fewer events.", fields=["first"])
    start, stop = resolve_range(context, requested or LAST_DAY, open_ended=True)
    return list_sources_of(None if classes is None else tuple(classes)), start, stop
