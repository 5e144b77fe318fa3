"""The activity of an application's devices: how many are connected, the last activity, and the events."""

from asyncio import gather
from collections.abc import Sequence

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.series.events import LAST_DAY, list_events_of_machines, list_machine_ids
from resolvers.series.local_time import localize
from resolvers.series.ranges import RequestedRange
from stores.entities.applications import Application
from stores.entities.machine_events import POWER_SOURCE, STATE, STATUS, MachineEvent


async def count_connected(context: Context, application: Application) -> int:
    """Return how many devices had their power on in the last day. All applications are one query."""
    readings, machines = await _find_devices(context, application)
    end = context.viewer.series.find_end_of_present(context.now)
    loader = readings.machines_with(POWER_SOURCE, True, context.now - DAY, end)
    return sum(await loader.load_many(machines))


async def get_last_activity(context: Context, application: Application) -> int | None:
    """Return when a device last reported a state or, in the last day, an event (nanoseconds since 1970)."""
    readings, machines = await _find_devices(context, application)
    states, last_events = await gather(
        readings.latest(STATE, STATUS, context.viewer.series.find_end_of_present(context.now)).load_many(
            machines
        ),
        list_events_of_machines(context, readings, machines, 1, None, None),
    )
    times = [sample.time for samples in states for sample in samples.values()]
    return max([*times, *(event.time for event in last_events)], default=None)


async def list_events(
    context: Context,
    application: Application,
    first: int,
    requested: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """Return the last events of all devices together, newest first."""
    requested = await localize(context, application, requested or LAST_DAY)
    readings, machines = await _find_devices(context, application)
    return await list_events_of_machines(context, readings, machines, first, requested, classes)


async def _find_devices(context: Context, application: Application) -> tuple[Readings, list[str]]:
    """Return the loaders of an application's series, and the machine ids of its devices."""
    organization_id = application.organization_id
    machines = await list_machine_ids(context, organization_id, [application.application_id])
    return context.viewer.tenant(organization_id).readings, machines
