"""Figures of an organization, or of all that the viewer may see, in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers.series import analytics
from schema.engine.fields import Info, argument, attribute, derived
from schema.engine.scalars import DateTime
from schema.types.machine_fields import First, Within
from schema.types.series import MachineEvent, TimeRange, within


@strawberry.type(description="How busy a server was.")
class HostSample:
    time: DateTime = attribute("When.")
    host: str | None = attribute("The server.")
    free: float = attribute("What was free, in percent.")
    usage: float = attribute("What was in use, in percent.")


@strawberry.type(description="Figures for a dashboard.")
class Analytics:
    @derived("How many devices there are.")
    async def registered_devices(root: strawberry.Parent[analytics.Analytics], info: Info) -> int:
        return await analytics.registered_devices(info.context, root)

    @derived("How many machines were seen with their power on within the last day.")
    async def connected_devices(root: strawberry.Parent[analytics.Analytics], info: Info) -> int | None:
        return await analytics.connected_devices(info.context, root)

    @derived("How many applications there are.")
    async def registered_applications(root: strawberry.Parent[analytics.Analytics], info: Info) -> int:
        return await analytics.registered_applications(info.context, root)

    @derived("How many events there were; of all time it may be half a minute old.")
    async def events_processed(
        root: strawberry.Parent[analytics.Analytics],
        info: Info,
        range: Annotated[TimeRange | None, argument("Of which time; of all time unless it is given.")] = None,
    ) -> float | None:
        found = await analytics.events_processed(info.context, root, within(range))
        return float(found)

    @derived("What the events take to keep, as the old system reckons it: 10 kB each.")
    async def storage_gigabytes(root: strawberry.Parent[analytics.Analytics], info: Info) -> float | None:
        return await analytics.storage_gigabytes(info.context, root)

    @derived("The last events of all machines together, newest first.")
    async def events(
        root: strawberry.Parent[analytics.Analytics],
        info: Info,
        first: First = 20,
        range: Within = None,
    ) -> list[MachineEvent] | None:
        found = await analytics.recent_events(info.context, root, first, within(range))
        return found  # type: ignore[return-value]  # records

    @derived("The processors of the servers in the last minute, newest first.", list[HostSample] | None)
    async def cpu(root: strawberry.Parent[analytics.Analytics], info: Info) -> Any:
        return await analytics.host_samples(info.context, "cpu", "usage_idle")

    @derived("The memory of the servers in the last minute, newest first.", list[HostSample] | None)
    async def memory(root: strawberry.Parent[analytics.Analytics], info: Info) -> Any:
        return await analytics.host_samples(info.context, "mem", "available_percent")


@strawberry.type
class AnalyticsQueries:
    @derived("Figures of all that the viewer may see.", Analytics)
    def analytics(self, info: Info) -> Any:
        return analytics.Analytics(None)
