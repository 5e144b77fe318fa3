"""The time-series fields that devices and unregistered machines share."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from resolvers.series import catalogues, counters, events, machine_series, states, statuses
from resolvers.series.machines import HasMachineId
from resolvers.series.performance import PerformanceRequest, get_performance
from schema.engine.fields import Info, argument, batched, derived
from schema.engine.hints import show_hints
from schema.engine.inputs import UNSET
from schema.engine.scalars import Duration
from schema.types.alarms import AlarmsOfMachine
from schema.types.catalogue import Catalogue, CatalogueRange
from schema.types.event_arguments import (
    Classes,
    EventIds,
    EventRange,
    EventValues,
    IncludeHeartbeats,
    to_event_request,
)
from schema.types.paging import Connection
from schema.types.series import (
    Counter,
    DeviceStatus,
    MachineEvent,
    Performance,
    Series,
    SeriesPoint,
    StateTimeline,
)
from schema.types.series_arguments import (
    AggregateArgument,
    ByArgument,
    Compare,
    EveryArgument,
    EveryOfWindows,
    Field,
    FieldRef,
    Fill,
    FillArgument,
    FillValue,
    IncludeFuture,
    MaxGap,
    MaxPoints,
    Measurement,
    Per,
    Quantile,
    Range,
    SignalArgument,
    TimeZone,
    WhereArgument,
    to_optional_range,
    to_range,
    to_series_request,
    to_tag_selection,
    to_windows,
)
from schema.types.shared import After, First
from stores.entities.devices import Device

Parent = strawberry.Parent[HasMachineId]
Parents = strawberry.Parent[Sequence[HasMachineId]]
NEEDS = Device.machine_id.keys


@strawberry.type
class MachineFields(AlarmsOfMachine):
    @batched(
        "The machine's latest reported state, or null if it has never reported one.",
        DeviceStatus | None,
        needs=NEEDS,
    )
    async def status(parents: Parents, info: Info) -> Sequence[Any]:
        return await statuses.get_statuses(info.context, parents)

    @batched("Whether the machine was seen with its power on in the last day.", bool | None, needs=NEEDS)
    async def connected(parents: Parents, info: Info) -> Sequence[Any]:
        return await statuses.get_connected(info.context, parents)

    @derived("The newest value of a field of a measurement, and its time.", SeriesPoint | None, needs=NEEDS)
    async def latest(
        root: Parent,
        info: Info,
        measurement: Measurement,
        field: Field,
        include_future: IncludeFuture = False,
        where: WhereArgument = None,
    ) -> Any:
        tags = to_tag_selection(where, None)
        latest = await statuses.get_latest(
            info.context, root, measurement, field, tags, include_future=include_future
        )
        return show_hints(info, latest)

    @derived(
        "What the machine writes: measurements, fields, tags and classes of events.",
        Catalogue | None,
        needs=NEEDS,
    )
    async def catalogue(root: Parent, info: Info, range: CatalogueRange = None) -> Any:
        return await catalogues.get_catalogue(info.context, root, to_optional_range(range))

    @derived(
        "The events of the machine. The newest comes first.", Connection[MachineEvent] | None, needs=NEEDS
    )
    async def events(
        root: Parent,
        info: Info,
        first: First = None,
        after: After = None,
        range: EventRange = None,
        classes: Classes = None,
        event_ids: EventIds = None,
        values: EventValues = None,
        include_heartbeats: IncludeHeartbeats = False,
        include_future: IncludeFuture = False,
    ) -> Any:
        request = to_event_request(
            first, after, range, classes, event_ids, values, include_heartbeats, include_future
        )
        return show_hints(info, await events.list_events_of_machine(info.context, root, request))

    @derived("The series of one field of the machine.", Series | None, needs=NEEDS)
    async def series(
        root: Parent,
        info: Info,
        measurement: Measurement,
        field: Field,
        range: Range,
        every: EveryArgument = None,
        time_zone: TimeZone = UNSET,
        aggregate: AggregateArgument = None,
        quantile: Quantile = None,
        fill: FillArgument = Fill.NONE,
        fill_value: FillValue = None,
        max_gap: MaxGap = None,
        max_points: MaxPoints = None,
        compare: Compare = None,
        where: WhereArgument = None,
        by: ByArgument = None,
        signal: SignalArgument = None,
        per: Per = None,
    ) -> Any:
        request = to_series_request(
            range,
            every,
            time_zone,
            aggregate,
            quantile,
            fill,
            fill_value,
            max_gap,
            max_points,
            compare,
            where,
            by,
            signal,
            per,
        )
        return show_hints(
            info, await machine_series.get_series(info.context, root, measurement, field, request)
        )

    @derived("The states that the machine was in.", StateTimeline | None, needs=NEEDS)
    async def states(
        root: Parent,
        info: Info,
        range: Range,
        every: EveryOfWindows = None,
        time_zone: TimeZone = UNSET,
        where: WhereArgument = None,
        by: ByArgument = None,
    ) -> Any:
        selection = to_tag_selection(where, by)
        requested = to_range(range, time_zone)
        history = await states.get_states(info.context, root, requested, to_windows(every), selection)
        return show_hints(info, history)

    @derived("The increase of one of the machine's counters.", Counter | None, needs=NEEDS)
    async def counter(
        root: Parent,
        info: Info,
        measurement: Measurement,
        field: Field,
        range: Range,
        every: EveryOfWindows = None,
        time_zone: TimeZone = UNSET,
        max_gap: Annotated[
            Duration | None,
            argument("The longest time between two samples that are compared; any time if it is omitted."),
        ] = None,
        where: WhereArgument = None,
        by: ByArgument = None,
    ) -> Any:
        selection = to_tag_selection(where, by)
        requested = to_range(range, time_zone)
        request = counters.CounterRequest(requested, to_windows(every), max_gap, selection)
        return show_hints(info, await counters.get_counter(info.context, root, measurement, field, request))

    @derived(
        "How well the machine performed in its planned time, which is that of the shift plan of its"
        " application or, without one, the whole range.",
        Performance | None,
        needs=NEEDS,
    )
    async def performance(
        root: Parent,
        info: Info,
        pieces: Annotated[FieldRef, argument("The counter of all pieces, scrap included.")],
        range: Range,
        scrap: Annotated[FieldRef | None, argument("The counter of the pieces that are scrap.")] = None,
        ideal_cycle_time: Annotated[
            Duration | None, argument("The time that a piece takes at best, such as PT4M30S.")
        ] = None,
        every: EveryOfWindows = None,
        time_zone: TimeZone = UNSET,
        running: Annotated[
            list[str] | None,
            argument(
                "The values of `execution` of a machine that runs; those of the setting"
                " `series.running_states` if it is omitted."
            ),
        ] = None,
    ) -> Any:
        request = PerformanceRequest(
            to_range(range, time_zone),
            (pieces.measurement, pieces.field),
            None if scrap is None else (scrap.measurement, scrap.field),
            ideal_cycle_time,
            to_windows(every),
            None if running is None else tuple(running),
        )
        return show_hints(info, await get_performance(info.context, root, request))
