"""Figures of an organization, or of all organizations: devices, events, and the load of the servers."""

from asyncio import gather
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.limits import DAY
from resolvers.organizations import count_devices as count_devices_of_organization
from resolvers.rules.paging import Page
from resolvers.scopes import get_organization
from resolvers.series.events import EventGroup, EventRequest, count_occurrences, list_events_of_groups
from resolvers.series.machines import list_machine_ids
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.samples import END_OF_TIME, SECOND
from stores.contracts.series_queries import Source, SourceQuery
from stores.entities.machine_events import POWER_ON, SOURCES, STATISTICS, MachineEvent
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


async def count_connected(
    context: Context, scope: AnalyticsScope, *, include_future: bool, include_unregistered: bool
) -> int:
    """Return how many devices were seen with their power on in the last day.

    Points that lie further in the future than clocks may be ahead count with `include_future` only, and
    machines that no application has registered, which operators see, with `include_unregistered`.
    """
    count = 0
    end = END_OF_TIME if include_future else context.viewer.series.find_end_of_present(context.now)
    if scope.organization is None and context.viewer.grant.is_operator and not include_unregistered:
        return await _count_connected_of_all(context, scope, end)
    for _, readings, machines in await _list_groups(context, scope):
        if machines is None:
            query = SourceQuery((POWER_ON,), start=context.now - DAY, stop=end)
            count += len(await readings.series.machines_with(query))
        else:
            loader = readings.machines_with(POWER_ON, context.now - DAY, end)
            count += sum(await loader.load_many(machines))
    return count


async def _count_connected_of_all(context: Context, scope: AnalyticsScope, end: int) -> int:
    """Return how many devices of all organizations were seen with their power on, by one query of a database.

    Organizations that share a database have a machine in common if they have registered the same id.
    """
    viewer, layout = context.viewer, context.viewer.series.layout
    organizations = await _list_organizations(context, scope)
    machines = await gather(
        *(list_machine_ids(context, o.organization_id, list(o.settings)) for o in organizations)
    )
    ids = [organization.organization_id for organization in organizations]
    query = SourceQuery((POWER_ON,), start=context.now - DAY, stop=end)
    names, all_readings = layout.list_databases(ids), viewer.all_readings(ids)
    results = await gather(*(readings.series.machines_with(query) for readings in all_readings))
    # Several databases that are read as one return their names before the ids.
    prefixes = [""] if len(names) > len(all_readings) else [f"{name} " for name in names]
    connected = {
        f"{prefix}{machine}" for prefix, result in zip(prefixes, results, strict=True) for machine in result
    }
    return sum(
        f"{layout.find_location(id_).database} {machine}" in connected
        for id_, of_organization in zip(ids, machines, strict=True)
        for machine in of_organization
    )


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
    for group in await _list_groups(context, scope):
        count += await count_occurrences(group, SOURCES, start, stop)
    if requested is None:
        series.counts[key] = count
    return count


async def estimate_storage(context: Context, scope: AnalyticsScope) -> float:
    """Return the gigabytes that the events take."""
    return await count_events(context, scope, None) * GIGABYTES_PER_EVENT


async def list_events(context: Context, scope: AnalyticsScope, request: EventRequest) -> Page[MachineEvent]:
    """Return a page of the events of all machines together, newest first."""
    name = ("organization", scope.organization.organization_id) if scope.organization else ("all",)
    return await list_events_of_groups(context, await _list_groups(context, scope), request, name)


async def _list_organizations(context: Context, scope: AnalyticsScope) -> list[Organization]:
    if scope.organization is not None:
        return [scope.organization]
    ids = await context.viewer.organization_ids()
    organizations = await gather(*(get_organization(context, id) for id in ids))
    return [organization for organization in organizations if organization is not None]


async def _list_groups(context: Context, scope: AnalyticsScope) -> list[EventGroup]:
    """Return the machines of the scope: those of each organization or, for operators, all points.

    Only operators see machines that no application has registered.
    """
    viewer = context.viewer
    organizations = await _list_organizations(context, scope)
    if scope.organization is None and viewer.grant.is_operator:
        all_readings = viewer.all_readings(o.organization_id for o in organizations)
        names = [readings.series.database for readings in all_readings] if len(all_readings) > 1 else [""]
        return [EventGroup(name, readings, None) for name, readings in zip(names, all_readings, strict=True)]
    machines = await gather(
        *(list_machine_ids(context, o.organization_id, list(o.settings)) for o in organizations)
    )
    return [
        EventGroup(o.organization_id, viewer.readings(o.organization_id), tuple(of_organization))
        for o, of_organization in zip(organizations, machines, strict=True)
    ]


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
    [samples] = await series.last([query], MAX_HOST_SAMPLES)
    totals = [sample for sample in samples if sample.tags[0] == TOTAL_CPU]
    return [
        HostLoad(sample.time, sample.tags[1], float(sample.value))
        for sample in totals or samples
        if isinstance(sample.value, int | float)
    ]
