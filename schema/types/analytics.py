"""Figures of an organization, or of all that the viewer may see, in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers.series import analytics
from resolvers.series.analytics import AnalyticsScope
from schema.engine.fields import Info, argument, attribute, derived
from schema.engine.scalars import DateTime
from schema.types.event_arguments import (
    Classes,
    EventIds,
    EventMachines,
    EventRange,
    EventValues,
    IncludeHeartbeats,
    to_event_request,
)
from schema.types.paging import Connection
from schema.types.series import MachineEvent
from schema.types.series_arguments import (
    IncludeFuture,
    TimeRange,
    to_optional_range,
)
from schema.types.shared import After, First


@strawberry.type(description="The load of a server.")
class HostSample:
    time: DateTime = attribute("The time of the sample.")
    host: str | None = attribute("The server's name.")
    free: float = attribute("The free share, in percent.")
    usage: float = attribute("The used share, in percent.")


@strawberry.type(description="Figures for a dashboard.")
class Analytics:
    @derived("The number of registered devices.")
    async def registered_devices(root: strawberry.Parent[AnalyticsScope], info: Info) -> int:
        return await analytics.count_devices(info.context, root)

    @derived("How many registered devices were seen with their power on in the last day.")
    async def connected_devices(
        root: strawberry.Parent[AnalyticsScope],
        info: Info,
        include_future: IncludeFuture = False,
        include_unregistered: Annotated[
            bool,
            argument("Whether machines count that no application has registered, which only operators see."),
        ] = False,
    ) -> int | None:
        return await analytics.count_connected(
            info.context, root, include_future=include_future, include_unregistered=include_unregistered
        )

    @derived("The number of registered applications.")
    async def registered_applications(root: strawberry.Parent[AnalyticsScope], info: Info) -> int:
        return await analytics.count_applications(info.context, root)

    @derived("The number of events. Without a range it may be 30 seconds old.")
    async def events_processed(
        root: strawberry.Parent[AnalyticsScope],
        info: Info,
        range: Annotated[TimeRange | None, argument("The range of time; all time if it is omitted.")] = None,
    ) -> float | None:
        return float(await analytics.count_events(info.context, root, to_optional_range(range)))

    @derived("The storage for all events, estimated as the old system does: 10 kB for each.")
    async def storage_gigabytes(root: strawberry.Parent[AnalyticsScope], info: Info) -> float | None:
        return await analytics.estimate_storage(info.context, root)

    @derived("The events of all machines together. The newest comes first.", Connection[MachineEvent] | None)
    async def events(
        root: strawberry.Parent[AnalyticsScope],
        info: Info,
        first: First = None,
        after: After = None,
        range: EventRange = None,
        classes: Classes = None,
        event_ids: EventIds = None,
        values: EventValues = None,
        machines: EventMachines = None,
        include_heartbeats: IncludeHeartbeats = False,
        include_future: IncludeFuture = False,
    ) -> Any:
        request = to_event_request(
            first, after, range, classes, event_ids, values, include_heartbeats, include_future, machines
        )
        return await analytics.list_events(info.context, root, request)

    @derived("The CPU load of the servers in the last minute, newest first.", list[HostSample] | None)
    async def cpu(root: strawberry.Parent[AnalyticsScope], info: Info) -> Any:
        return await analytics.list_host_loads(info.context, "cpu", "usage_idle")

    @derived("The memory load of the servers in the last minute, newest first.", list[HostSample] | None)
    async def memory(root: strawberry.Parent[AnalyticsScope], info: Info) -> Any:
        return await analytics.list_host_loads(info.context, "mem", "available_percent")


@strawberry.type
class AnalyticsQueries:
    @derived("The figures of everything that the viewer may see.", Analytics)
    def analytics(self, info: Info) -> Any:
        return AnalyticsScope(None)
