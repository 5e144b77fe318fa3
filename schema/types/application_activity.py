"""What the devices of an application report together, in the graph."""

from typing import Any

import strawberry

from resolvers.series import activity, catalogues, fleet
from schema.engine.fields import Info, attribute, derived
from schema.engine.hints import show_hints
from schema.engine.scalars import DateTime
from schema.types.alarms import AlarmsOfDevices
from schema.types.catalogue import Catalogue, CatalogueRange
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
    to_optional_range,
)
from schema.types.shared import After, First
from stores.entities.applications import Application

Parent = strawberry.Parent[Application]


@strawberry.type(description="The number of devices in a state.")
class StatusCount:
    execution: str | None = attribute(
        "The latest reported execution, or null for devices that have never reported one."
    )
    count: int = attribute("The number of devices.")


@strawberry.type
class ApplicationActivity(AlarmsOfDevices):
    @derived("The number of its devices that have reported power on within the last 24 hours.", int | None)
    async def connected_device_count(root: Parent, info: Info) -> Any:
        return await activity.count_connected(info.context, root)

    @derived(
        "The latest time at which one of its devices has reported a state or, within the last 24 "
        "hours, an event.",
        DateTime | None,
    )
    async def last_activity(root: Parent, info: Info) -> Any:
        return await activity.get_last_activity(info.context, root)

    @derived(
        "How many of its devices have last reported each execution, the most first. Together they are all of"
        " its devices.",
        list[StatusCount] | None,
    )
    async def status_counts(root: Parent, info: Info) -> Any:
        return await fleet.count_statuses(info.context, root)

    @derived("The events of all its devices. The newest comes first.", Connection[MachineEvent] | None)
    async def events(
        root: Parent,
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
        return show_hints(info, await activity.list_events(info.context, root, request))

    @derived("What its devices write: measurements, fields, tags and classes of events.", Catalogue | None)
    async def catalogue(root: Parent, info: Info, range: CatalogueRange = None) -> Any:
        return await catalogues.get_catalogue_of_application(info.context, root, to_optional_range(range))
