"""Time series beside the devices: of many machines at once, and of machines that are not registered."""

from typing import Annotated, Any

import strawberry

from resolvers.series.machine_series import DeviceSeries, get_series_of_machines
from resolvers.series.machines import find_machine
from schema.engine.fields import Info, argument, attribute, derived
from schema.engine.hints import show_hints
from schema.engine.inputs import UNSET
from schema.types.devices import Device
from schema.types.machine_fields import MachineFields
from schema.types.series import Series
from schema.types.series_arguments import (
    AggregateArgument,
    ByArgument,
    Compare,
    EveryArgument,
    FieldRef,
    Fill,
    FillArgument,
    FillValue,
    MachineRef,
    MaxGap,
    MaxPoints,
    Per,
    Quantile,
    Range,
    SignalArgument,
    TimeZone,
    WhereArgument,
    to_series_request,
)


@strawberry.type(description="A machine as the time series know it, registered or not.")
class Machine(MachineFields):
    machine_id: str = attribute("The machine's id.")


@strawberry.type(description="One machine's series of one field.")
class MachineSeries:
    device: Device = attribute("The machine.")

    @derived("Its series, or null if the machine has never written the field.", Series | None)
    def series(root: strawberry.Parent[DeviceSeries], info: Info) -> Any:
        return show_hints(info, root.series)


@strawberry.type
class MachineQueries:
    @derived(
        "A machine, registered or not. Without an organization, its points are those of the only organization"
        " that has registered it; if none or several have, those that belong to no organization.",
        Machine | None,
    )
    async def machine(
        self,
        info: Info,
        machine_id: Annotated[str, argument("The machine's id.")],
        organization_id: Annotated[str | None, argument("The id of the machine's organization.")] = None,
    ) -> Any:
        return await find_machine(info.context, machine_id, organization_id)

    @derived(
        "The series of several fields of several machines, by machine in the order given. An entry whose"
        " machine does not exist, or whose series cannot be read, is null and has an error of its own.",
        list[MachineSeries | None] | None,
    )
    async def series(  # Long because it has many arguments.
        self,
        info: Info,
        machines: Annotated[list[MachineRef], argument("The machines.")],
        fields: Annotated[list[FieldRef], argument("The fields of each machine.")],
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
        return await get_series_of_machines(
            info.context,
            [(ref.organization_id, ref.application_id, ref.machine_id) for ref in machines],
            [(ref.measurement, ref.field) for ref in fields],
            to_series_request(
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
            ),
        )
