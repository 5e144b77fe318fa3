"""What the machines of an application do: which are connected, when they last reported, and their events."""

from asyncio import gather
from collections.abc import Sequence

from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.series.events import events_of_machines, machines_of
from resolvers.series.ranges import RequestedRange
from stores.contracts.series import END_OF_TIME
from stores.entities.applications import Application
from stores.entities.machine_events import POWER_SOURCE, STATE, STATUS, MachineEvent


async def connected_count(context: Context, application: Application) -> int:
    """How many devices were seen with their power on within the last day. One query for all applications."""
    readings = context.viewer.tenant(application.organization_id).readings
    machines = await machines_of(context, application.organization_id, [application.application_id])
    loader = readings.machines_with(POWER_SOURCE, True, context.now - DAY, END_OF_TIME)
    return sum(await loader.load_many(machines))


async def last_activity(context: Context, application: Application) -> int | None:
    """When a device last told its state or, within the last day, an event. In nanoseconds since 1970."""
    readings = context.viewer.tenant(application.organization_id).readings
    machines = await machines_of(context, application.organization_id, [application.application_id])
    states, last = await gather(
        readings.latest(STATE, STATUS).load_many(machines),
        events(context, application, 1, None, None),
    )
    times = [sample.time for samples in states for sample in samples.values()]
    return max([*times, *(event.time for event in last)], default=None)


async def events(
    context: Context,
    application: Application,
    first: int,
    asked: RequestedRange | None,
    classes: Sequence[str] | None,
) -> list[MachineEvent]:
    """The last events of all devices together, newest first."""
    organization_id = application.organization_id
    readings = context.viewer.tenant(organization_id).readings
    machines = await machines_of(context, organization_id, [application.application_id])
    return await events_of_machines(context, readings, machines, first, asked, classes)
