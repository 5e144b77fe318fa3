"""Time series beside the devices: of many machines at once, and of machines that nobody registered."""

from typing import Annotated, Any

import strawberry

from resolvers.series import queries as series
from resolvers.series import statuses
from schema.engine.fields import Info, argument, attribute, derived
from schema.types.devices import Device
from schema.types.machine_fields import MachineFields
from schema.types.series import (
    AggregateArgument,
    EveryArgument,
    FieldRef,
    Fill,
    FillArgument,
    FillValue,
    MachineRef,
    MaxGap,
    MaxPoints,
    Quantile,
    Range,
    Series,
    TimeZone,
    asked,
)


@strawberry.type(description="A machine as the time series know it, registered or not.")
class Machine(MachineFields):
    machine_id: str = attribute("The machine's id.")


@strawberry.type(description="One machine's series of one field.")
class MachineSeries:
    device: Device = attribute("The machine.")
    series: Series = attribute("Its series.")


@strawberry.type
class MachineQueries:
    @derived(
        "A machine in the database that organizations share, whether any has registered it or not.", Machine
    )
    def machine(self, machine_id: Annotated[str, argument("The machine's id.")]) -> Any:
        return statuses.Machine(machine_id)

    @derived(
        "The series of several fields of several machines, by machine in the order given.",
        list[MachineSeries] | None,
    )
    async def series(
        self,
        info: Info,
        machines: Annotated[list[MachineRef], argument("Which machines.")],
        fields: Annotated[list[FieldRef], argument("Which of their fields.")],
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
        return await series.series_of_machines(
            info.context,
            [(each.organization_id, each.application_id, each.machine_id) for each in machines],
            [(each.measurement, each.field) for each in fields],
            asked(range, every, time_zone, aggregate, quantile, fill, fill_value, max_gap, max_points),
        )
