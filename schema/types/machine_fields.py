"""What the time series tell of a machine: fields that devices and unregistered machines share."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from resolvers.series import events, statuses
from resolvers.series import queries as series
from schema.engine.fields import Info, argument, batched, derived
from schema.types.series import (
    AggregateArgument,
    Counter,
    DeviceStatus,
    EveryArgument,
    Fill,
    FillArgument,
    FillValue,
    MachineEvent,
    MaxGap,
    MaxPoints,
    Point,
    Quantile,
    Range,
    Series,
    StateTimeline,
    TimeRange,
    TimeZone,
    asked,
    every_of,
    range_of,
    within,
)
from stores.entities.devices import Device

Parents = strawberry.Parent[Sequence[statuses.HasMachineId]]
NEEDS = Device.machine_id.keys
First = Annotated[int, argument("How many, at most 1000.")]
Within = Annotated[TimeRange | None, argument("Of which time; the last day unless it is given.")]
Classes = Annotated[list[str] | None, argument("Only events of these classes.")]
Measurement = Annotated[str, argument("The measurement, such as `production`.")]
Field = Annotated[str, argument("The field, such as `pieces_produced`.")]


@strawberry.type
class MachineFields:
    @batched("What it last reported of its state; null if it never did.", DeviceStatus | None, needs=NEEDS)
    async def status(parents: Parents, info: Info) -> Sequence[Any]:
        return await statuses.statuses(info.context, parents)

    @batched("Whether it was seen with its power on within the last day.", bool | None, needs=NEEDS)
    async def connected(parents: Parents, info: Info) -> Sequence[Any]:
        return await statuses.connected(info.context, parents)

    @derived("The newest value of a field of a measurement, and its time.", Point | None, needs=NEEDS)
    async def latest(
        root: strawberry.Parent[statuses.HasMachineId], info: Info, measurement: Measurement, field: Field
    ) -> Any:
        return await statuses.latest_of(info.context, root, measurement, field)

    @derived("Its last events, newest first.", list[MachineEvent] | None, needs=NEEDS)
    async def events(
        root: strawberry.Parent[statuses.HasMachineId],
        info: Info,
        first: First = 20,
        range: Within = None,
        classes: Classes = None,
    ) -> Any:
        return await events.events_of_machine(info.context, root, first, within(range), classes)

    @derived("The series of one of its fields.", Series | None, needs=NEEDS)
    async def series(
        root: strawberry.Parent[statuses.HasMachineId],
        info: Info,
        measurement: Measurement,
        field: Field,
        range: Range,
        every: EveryArgument = None,
        time_zone: TimeZone = "UTC",
        aggregate: AggregateArgument = None,
        quantile: Quantile = None,
        fill: FillArgument = Fill.NONE,
        fill_value: FillValue = None,
        max_gap: MaxGap = None,
        max_points: MaxPoints = None,
    ) -> Any:
        what = asked(range, every, time_zone, aggregate, quantile, fill, fill_value, max_gap, max_points)
        return await series.series_of(info.context, root, measurement, field, what)

    @derived("The states it was in.", StateTimeline | None, needs=NEEDS)
    async def states(root: strawberry.Parent[statuses.HasMachineId], info: Info, range: Range) -> Any:
        return await series.states_of(info.context, root, range_of(range))

    @derived("What one of its counters counted.", Counter | None, needs=NEEDS)
    async def counter(
        root: strawberry.Parent[statuses.HasMachineId],
        info: Info,
        measurement: Measurement,
        field: Field,
        range: Range,
        every: EveryArgument = None,
        time_zone: TimeZone = "UTC",
    ) -> Any:
        what = series.SeriesRequest(range_of(range), every_of(every), time_zone)
        return await series.counter_of(info.context, root, measurement, field, what)
