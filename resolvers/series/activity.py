"""The activity of an application's devices: how many are connected, the last activity, and the events."""

from asyncio import gather
from dataclasses import replace

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.limits import DAY
from resolvers.rules.paging import Page
from resolvers.series.events import LAST_DAY, EventGroup, EventRequest, find_classes, list_events_of_groups
from resolvers.series.local_time import localize
from resolvers.series.machines import list_machine_ids
from stores.entities.applications import Application
from stores.entities.machine_events import POWER_ON, SOURCES, STATE, STATUS, MachineEvent


async def count_connected(context: Context, application: Application) -> int:
    """Return how many devices had their power on in the last day. All applications are one query."""
    readings, machines = await _find_devices(context, application)
    end = context.viewer.series.find_end_of_present(context.now)
    loader = readings.machines_with(POWER_ON, context.now - DAY, end)
    return sum(await loader.load_many(machines))


async def get_last_activity(context: Context, application: Application) -> int | None:
    """Return when a device last reported a state or, in the last day, an event (nanoseconds since 1970)."""
    readings, machines = await _find_devices(context, application)
    end = context.viewer.series.find_end_of_present(context.now)
    states, last_events = await gather(
        readings.latest(STATE, STATUS, end).load_many(machines),
        readings.last_by_machine(SOURCES, 1, context.now - DAY, end).load_many(machines),
    )
    times = [sample.time for samples in states for sample in samples.values()]
    return max([*times, *(event.time for events in last_events for event in events)], default=None)


async def list_events(
    context: Context, application: Application, request: EventRequest
) -> Page[MachineEvent] | Hinted:
    """Return a page of the events of all devices together, newest first."""
    request = replace(request, range=await localize(context, application, request.range or LAST_DAY))
    readings, machines = await _find_devices(context, application)
    group = EventGroup("", readings, tuple(machines))
    name = ("application", application.organization_id or "", application.application_id)
    page = await list_events_of_groups(context, [group], request, name)
    return await find_classes(page, request, readings, application.organization_id, machines)


async def _find_devices(context: Context, application: Application) -> tuple[Readings, list[str]]:
    """Return the loaders of an application's series, and the machine ids of its devices."""
    organization_id = application.organization_id
    machines = await list_machine_ids(context, organization_id, [application.application_id])
    return context.viewer.readings(organization_id), machines
