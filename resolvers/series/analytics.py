"""Figures of an organization or of all that the viewer sees: machines, events, the servers' own load."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.organizations import count_devices as count_of_organization
from resolvers.scopes import get_organization
from resolvers.series.events import events_of_machines, machines_of
from resolvers.series.ranges import RequestedRange, bounds
from stores.contracts.series import END_OF_TIME, SECOND, Source, SourceQuery
from stores.entities.machine_events import POWER_SOURCE, SOURCES, STATISTICS, MachineEvent
from stores.entities.organizations import Organization

TOTAL = "cpu-total"
GIGABYTES_PER_EVENT = 0.00001  # what the original reckons
MAX_HOST_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Analytics:
    """Of which organization; None for all that the viewer may see."""

    organization: Organization | None


async def organizations_of(context: Context, asked: Analytics) -> list[Organization]:
    if asked.organization is not None:
        return [asked.organization]
    ids = await context.viewer.organization_ids()
    found = await gather(*(get_organization(context, each) for each in ids))
    return [organization for organization in found if organization is not None]


async def registered_devices(context: Context, asked: Analytics) -> int:
    owners = await organizations_of(context, asked)
    return sum(await gather(*(count_of_organization(context, each) for each in owners)))


async def registered_applications(context: Context, asked: Analytics) -> int:
    return sum(len(each.settings) for each in await organizations_of(context, asked))


async def connected_devices(context: Context, asked: Analytics) -> int:
    """How many machines were seen with their power on within the last day."""
    found = 0
    for readings, machines in await _scopes(context, asked):
        query = SourceQuery((POWER_SOURCE,), start=context.now - DAY)
        on = await readings.series.machines_with(query, True)
        found += len(on if machines is None else on.intersection(machines))
    return found


async def events_processed(context: Context, asked: Analytics, within: RequestedRange | None) -> int:
    """How many events there were, in a range or ever: of all time it may be half a minute old."""
    series = context.viewer.series
    start, stop = -END_OF_TIME, END_OF_TIME
    if within is not None:
        start, stop = bounds(within, context.now, series.limits, open_ended=True)
    owner = asked.organization.organization_id if asked.organization else None
    if within is None and owner in series.counts:
        return series.counts[owner]
    found = 0
    for readings, machines in await _scopes(context, asked):
        found += sum((await readings.series.counts(SourceQuery(SOURCES, machines, start, stop))).values())
    if within is None:
        series.counts[owner] = found
    return found


async def storage_gigabytes(context: Context, asked: Analytics) -> float:
    return await events_processed(context, asked, None) * GIGABYTES_PER_EVENT


async def recent_events(
    context: Context, asked: Analytics, first: int, within: RequestedRange | None
) -> list[MachineEvent]:
    """The last events of all machines together, newest first."""
    scopes = await _scopes(context, asked)
    lists = await gather(*(events_of_machines(context, *each, first, within, None) for each in scopes))
    found = [event for events in lists for event in events]
    if len(lists) > 1:
        found.sort(key=lambda event: -event.time)
    return found[:first]


async def _scopes(context: Context, asked: Analytics) -> list[tuple[Readings, Sequence[str] | None]]:
    """The series to look at, and which machines of them; None for all that are in them."""
    viewer = context.viewer
    organization = asked.organization
    if organization is None:
        return [(viewer.readings(each), None) for each in viewer.series.every_database()]
    machines = await machines_of(context, organization.organization_id, list(organization.settings))
    return [(viewer.tenant(organization.organization_id).readings, machines)]


@dataclass(frozen=True, slots=True)
class HostSample:
    """How busy a server was at a time (nanoseconds since 1970), in percent."""

    time: int
    host: str | None
    free: float

    @property
    def usage(self) -> float:
        return 100.0 - self.free


async def host_samples(context: Context, measurement: str, field: str) -> list[HostSample]:
    """The samples of the last minute, newest first; of a processor's cores the total, where it is told."""
    source = Source(measurement, field, ("cpu", "host"))
    series = context.viewer.series.store.database(STATISTICS)
    start = context.now - 60 * SECOND
    found = await series.last(SourceQuery((source,), start=start), MAX_HOST_SAMPLES)
    totals = [each for each in found if each.tags[0] == TOTAL]
    return [
        HostSample(each.time, each.tags[1], float(each.value))
        for each in totals or found
        if isinstance(each.value, int | float)
    ]
