"""Figures of an organization, or of all organizations: devices, events, and the load of the servers."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.organizations import count_devices as count_devices_of_organization
from resolvers.scopes import get_organization
from resolvers.series.events import list_events_of_machines, list_machine_ids
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.series import END_OF_TIME, SECOND, Source, SourceQuery
from stores.entities.machine_events import POWER_SOURCE, SOURCES, STATISTICS, MachineEvent
from stores.entities.organizations import Organization

TOTAL_CPU = "cpu-total"
GIGABYTES_PER_EVENT = 0.00001  # as the original system estimates it
MAX_HOST_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class AnalyticsScope:
    """The organization whose figures are requested; None for everything that the viewer may see."""

    organization: Organization | None


async def count_devices(context: Context, scope: AnalyticsScope) -> int:
    """Return how many devices are registered."""
    organizations = await _list_organizations(context, scope)
    return sum(await gather(*(count_devices_of_organization(context, owner) for owner in organizations)))


async def count_applications(context: Context, scope: AnalyticsScope) -> int:
    """Return how many applications are registered."""
    return sum(len(organization.settings) for organization in await _list_organizations(context, scope))


async def count_connected(context: Context, scope: AnalyticsScope, *, include_future: bool) -> int:
    """Return how many machines were seen with their power on in the last day.

    Points that lie further in the future than clocks may be ahead count with `include_future` only.
    """
    count = 0
    end = END_OF_TIME if include_future else context.viewer.series.find_end_of_present(context.now)
    for readings, machines in await _list_series(context, scope):
        if machines is None:
            query = SourceQuery((POWER_SOURCE,), start=context.now - DAY, stop=end)
            count += len(await readings.series.machines_with(query, True))
        else:
            loader = readings.machines_with(POWER_SOURCE, True, context.now - DAY, end)
            count += sum(await loader.load_many(machines))
    return count


async def count_events(context: Context, scope: AnalyticsScope, requested: RequestedRange | None) -> int:
    """Return how many events there were in a range or, without one, ever; the latter is up to 30 s old."""
    series = context.viewer.series
    start, stop = -END_OF_TIME, END_OF_TIME
    if requested is not None:
        start, stop = resolve_range(context, requested, open_ended=True)
    organization_id = scope.organization.organization_id if scope.organization else None
    # By all that the count depends on: viewers with other grants see other machines.
    key = (organization_id, context.viewer.grant.organizations, context.viewer.grant.applications)
    cached = series.counts.get(key) if requested is None else None
    if cached is not None:
        return cached
    count = 0
    for readings, machines in await _list_series(context, scope):
        if machines is None:
            by_machine = await readings.series.counts(SourceQuery(SOURCES, None, start, stop))
            count += sum(by_machine.values())
        else:
            count += sum(await readings.counts(SOURCES, start, stop).load_many(machines))
    if requested is None:
        series.counts[key] = count
    return count


async def estimate_storage(context: Context, scope: AnalyticsScope) -> float:
    """Return the gigabytes that the events take."""
    return await count_events(context, scope, None) * GIGABYTES_PER_EVENT


async def list_recent_events(
    context: Context, scope: AnalyticsScope, first: int, requested: RequestedRange | None
) -> list[MachineEvent]:
    """Return the last events of all machines together, newest first."""
    all_series = await _list_series(context, scope)
    lists = await gather(
        *(list_events_of_machines(context, *series, first, requested, None) for series in all_series)
    )
    events = [event for events in lists for event in events]
    if len(lists) > 1:
        events.sort(key=lambda event: -event.time)
    return events[:first]


async def _list_organizations(context: Context, scope: AnalyticsScope) -> list[Organization]:
    if scope.organization is not None:
        return [scope.organization]
    ids = await context.viewer.organization_ids()
    organizations = await gather(*(get_organization(context, id) for id in ids))
    return [organization for organization in organizations if organization is not None]


async def _list_series(
    context: Context, scope: AnalyticsScope
) -> list[tuple[Readings, Sequence[str] | None]]:
    """Return the loaders of each database of the scope, and the machines in it.

    None stands for all machines, whether they are registered or not, which only operators see.
    """
    viewer = context.viewer
    organizations = await _list_organizations(context, scope)
    if scope.organization is None and viewer.grant.is_operator:
        all_readings = viewer.all_readings(o.organization_id for o in organizations)
        return [(readings, None) for readings in all_readings]
    machines = await gather(
        *(list_machine_ids(context, o.organization_id, list(o.settings)) for o in organizations)
    )
    readings = [viewer.tenant(o.organization_id).readings for o in organizations]
    return list(zip(readings, machines, strict=True))


@dataclass(frozen=True, slots=True)
class HostLoad:
    """The load of a server at a time (nanoseconds since 1970), in percent."""

    time: int
    host: str | None
    free: float

    @property
    def usage(self) -> float:
        return 100.0 - self.free


async def list_host_loads(context: Context, measurement: str, field: str) -> list[HostLoad]:
    """Return the loads of the last minute, newest first; those of single cores only if there is no total."""
    source = Source(measurement, field, ("cpu", "host"))
    series = context.viewer.series.store.database(STATISTICS)
    query = SourceQuery((source,), start=context.now - 60 * SECOND)
    samples = await series.last(query, MAX_HOST_SAMPLES)
    totals = [sample for sample in samples if sample.tags[0] == TOTAL_CPU]
    return [
        HostLoad(sample.time, sample.tags[1], float(sample.value))
        for sample in totals or samples
        if isinstance(sample.value, int | float)
    ]
