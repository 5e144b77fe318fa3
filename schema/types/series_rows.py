"""Series as rows in the graph, for tables and for JSON data sources, which read a list of flat objects."""

from typing import Annotated, Any

import strawberry

from resolvers.series.rows import list_rows
from schema.engine.fields import Info, argument, attribute, derived
from schema.engine.hints import show_hints
from schema.engine.inputs import UNSET
from schema.engine.scalars import JSON, DateTime
from schema.types.series import Tag
from schema.types.series_arguments import (
    AggregateArgument,
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
    WhereArgument,
    to_series_request,
)


@strawberry.type(description="A point of a series, with the machine and the field that it is of.")
class SeriesRow:
    machine_id: str = attribute("The machine's id.")
    measurement: str = attribute("The measurement.")
    field: str = attribute("The field.")
    time: DateTime = attribute("The time of the sample, or the start of its window.")
    time_ms: float = attribute("The same in milliseconds since 1970.")
    value: JSON | None = attribute("The value; null in a window without samples.")
    tags: list[Tag] = attribute("The values of the tags of `by`; empty without it.")
    number: float | None = attribute(
        "The value as a number; null for others, and for integers that a double cannot represent exactly."
    )


@strawberry.type
class SeriesRowQueries:
    @derived(
        "The points of several fields of several machines as rows, oldest first. For many points, the columns"
        " of `series` are much cheaper. A series that cannot be read, or whose machine does not exist, is one"
        " null at the beginning, with an error of its own.",
        list[SeriesRow | None] | None,
    )
    async def series_rows(
        self,
        info: Info,
        machines: Annotated[list[MachineRef], argument("The machines.")],
        fields: Annotated[list[FieldRef], argument("The fields of each machine.")],
        range: Range,
        every: EveryArgument = None,
        aggregate: AggregateArgument = None,
        quantile: Quantile = None,
        fill: FillArgument = Fill.NONE,
        fill_value: FillValue = None,
        max_gap: MaxGap = None,
        max_points: MaxPoints = None,
        where: WhereArgument = None,
        by: Annotated[
            list[str] | None, argument("Tags by whose values the series of a machine have rows of their own.")
        ] = None,
        signal: SignalArgument = None,
        per: Per = None,
    ) -> Any:
        shape = aggregate, quantile, fill, fill_value, max_gap, max_points
        rows = await list_rows(
            info.context,
            [(ref.organization_id, ref.application_id, ref.machine_id) for ref in machines],
            [(ref.measurement, ref.field) for ref in fields],
            to_series_request(range, every, UNSET, *shape, None, where, by, signal, per),
        )
        return show_hints(info, rows)
