"""The arguments of series: ranges of time, windows, aggregate functions, and how gaps are filled."""

import re
from datetime import time
from enum import Enum
from typing import Annotated, cast

import strawberry

from resolvers.series import integrals, machine_series, ranges, shaping, windows
from resolvers.series.ranges import UnitName
from resolvers.series.tag_sets import TagSelection
from schema.engine.fields import argument
from schema.engine.inputs import UNSET, optional, required, select_provided_values
from schema.engine.scalars import DateTime, Duration
from stores.contracts import areas
from stores.contracts.areas import AreaRule
from stores.contracts.errors import BadUserInput
from stores.contracts.samples import SECOND
from stores.contracts.series_queries import AggregateFunction, Aggregation

_DAY_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


@strawberry.enum(description="A unit of the local calendar; weeks start on Monday.")
class CalendarUnit(Enum):
    HOUR = strawberry.enum_value("hour", description="From one full hour of the local clock to the next.")
    DAY = strawberry.enum_value("day", description="From local midnight to the next: 23, 24 or 25 hours.")
    WEEK = strawberry.enum_value("week", description="From midnight on Monday to the next.")
    MONTH = strawberry.enum_value("month", description="From the first of a month to that of the next.")
    SHIFT = strawberry.enum_value(
        "shift",
        description="A shift of the application's plan (`setShiftPlan`), in the application's time zone."
        " A shift that ends on the next day belongs to the day on which it starts. The time between shifts is"
        " in no window.",
    )


@strawberry.input(
    description="A range of time: from `from` to `to`, the duration `last` up to now, the `current` unit of"
    " the calendar up to now, or the whole `previous` one."
)
class TimeRange:
    from_: DateTime | None = strawberry.field(
        name="from", default=None, description="The start of the range, included."
    )
    to: DateTime | None = optional("The end of the range, excluded; now if it is omitted.", None)
    from_ms: float | None = optional("`from` in milliseconds since 1970.", None)
    to_ms: float | None = optional("`to` in milliseconds since 1970.", None)
    last: Duration | None = optional("How long before now the range starts.", None)
    current: CalendarUnit | None = optional("The unit of the calendar that now is in, up to now.", None)
    previous: CalendarUnit | None = optional("The whole unit of the calendar before the current one.", None)
    offset: Duration | None = optional(
        "How far the range is moved, such as `-P7D`: by days of the local calendar as far as it is written in"
        " days or weeks.",
        None,
    )
    time_zone: str | None = optional(
        "The IANA time zone, such as Europe/Berlin, of times without an offset and of calendar units. If it"
        " is omitted, it is that of the application or, if that has none, of the setting `series.time_zone`.",
        None,
    )


@strawberry.input(
    description="How windows follow each other: exactly one of `duration`, `unit` and `dayTimes`."
)
class Every:
    duration: Duration | None = optional("A fixed width, such as PT5M, counted from 1970.")
    offset: Duration | None = optional("By how much windows of a fixed width begin later.")
    unit: CalendarUnit | None = optional("A unit of the calendar in the time zone in force.")
    day_times: list[str] | None = optional(
        "Local times at which the windows of each day begin, such as those of shifts:"
        ' `["06:00", "14:00", "22:00"]`.'
    )


@strawberry.enum(description="How the values of a window become one value; true counts as 1.")
class Aggregate(Enum):
    MEAN = strawberry.enum_value("mean", description="The arithmetic mean.")
    MIN = strawberry.enum_value("min", description="The lowest value.")
    MAX = strawberry.enum_value("max", description="The highest value.")
    SUM = strawberry.enum_value("sum", description="The sum.")
    COUNT = strawberry.enum_value("count", description="The number of values.")
    FIRST = strawberry.enum_value("first", description="The oldest value.")
    LAST = strawberry.enum_value("last", description="The newest value.")
    STDDEV = strawberry.enum_value(
        "stddev", description="The sample standard deviation; a window with one value has none."
    )
    QUANTILE = strawberry.enum_value("quantile", description="The nearest rank of `quantile`.")
    INTEGRAL = strawberry.enum_value(
        "integral",
        description="The integral over the time that the window covers, in values times `per`: that of kW is"
        " in kWh. See `signal` and `maxGap`.",
    )
    TIME_WEIGHTED_MEAN = strawberry.enum_value(
        "time_weighted_mean",
        description="The mean of the values, each weighted by the time for which it is in force. See `signal`"
        " and `maxGap`.",
    )


@strawberry.enum(description="What a series is between two samples.")
class Signal(Enum):
    STEP = strawberry.enum_value("step", description="The value of the earlier one, until the next one.")
    LINEAR = strawberry.enum_value("linear", description="On the line between both.")


@strawberry.enum(description="The unit of time of an integral.")
class IntegralUnit(Enum):
    HOUR = strawberry.enum_value(3600 * SECOND, description="Values times hours: of kW, kWh.")
    SECOND = strawberry.enum_value(SECOND, description="Values times seconds: of kW, kJ.")


@strawberry.enum(description="What windows without samples become.")
class Fill(Enum):
    NONE = strawberry.enum_value("none", description="Nothing: they are left out.")
    NULL = strawberry.enum_value("null", description="Null.")
    PREVIOUS = strawberry.enum_value("previous", description="The previous value, in gaps up to `maxGap`.")
    LINEAR = strawberry.enum_value(
        "linear", description="The line between the two neighbours, in gaps up to `maxGap`."
    )
    VALUE = strawberry.enum_value("value", description="`fillValue`, in gaps up to `maxGap`.")


@strawberry.input(description="A field of a measurement.")
class FieldRef:
    measurement: str = required("The measurement, such as `production`.")
    field: str = required("The field, such as `pieces_produced`.")


@strawberry.input(description="A machine of an application.")
class MachineRef:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    machine_id: str = required("The machine's id.")


@strawberry.input(description="A tag, and its values that are selected.")
class TagFilter:
    tag: str = required("The name of the tag, such as `spindle`.")
    in_: list[str] = strawberry.field(name="in", description="Its values.")


Range = Annotated[TimeRange, argument("The range of time.")]
EveryArgument = Annotated[
    Every | None, argument("The width of the windows; without it, the samples themselves are returned.")
]
EveryOfWindows = Annotated[Every | None, argument("The width of the windows in `windows`.")]
TimeZone = Annotated[
    str | None,
    argument("The time zone of this field, such as Europe/Berlin; that of its `range` if it is omitted."),
]
AggregateArgument = Annotated[
    Aggregate | None, argument("The aggregate function of each window, or of the whole range.")
]
Quantile = Annotated[float | None, argument("From 0 to 1; only with QUANTILE.")]
FillArgument = Annotated[Fill, argument("What windows without samples become.")]
FillValue = Annotated[float | None, argument("The value for `fill: VALUE`.")]
MaxGap = Annotated[
    Duration | None,
    argument(
        "The longest gap that is filled and, with INTEGRAL and TIME_WEIGHTED_MEAN, the longest time between"
        " two samples: a longer hole contributes nothing. Gaps of any length if omitted."
    ),
]
SignalArgument = Annotated[
    Signal | None,
    argument("What the series is between two samples, for INTEGRAL and TIME_WEIGHTED_MEAN; STEP if omitted."),
]
Per = Annotated[IntegralUnit | None, argument("The unit of time of INTEGRAL; HOUR if omitted.")]
MaxPoints = Annotated[
    int | None,
    argument("The maximum number of points: others are left out, but every peak and trough remains."),
]
WhereArgument = Annotated[
    list[TagFilter] | None, argument("Only the series that have one of the values of each of these tags.")
]
ByArgument = Annotated[
    list[str] | None, argument("Tags by whose values `groups` answers the series of the machine apart.")
]
IncludeFuture = Annotated[
    bool, argument("Whether points count that lie further in the future than `series.future_tolerance`.")
]
Compare = Annotated[
    Duration | None,
    argument("How much earlier the range of `compared` is, such as P7D for the week before."),
]
Measurement = Annotated[str, argument("The measurement, such as `production`.")]
Field = Annotated[str, argument("The field, such as `pieces_produced`.")]


def to_range(range: TimeRange, time_zone: str | None = UNSET) -> ranges.RequestedRange:
    """Return a range, in a time zone of the field if it has one. Raises `BadUserInput` for null."""
    if time_zone is None:
        raise BadUserInput("`timeZone` must not be null: omit it instead.", fields=["timeZone"])
    zone = range.time_zone if time_zone is UNSET else time_zone
    current, previous = (unit and _to_unit(unit) for unit in (range.current, range.previous))
    offsets = () if range.offset is None else (range.offset,)
    start = ranges.merge_time(range.from_, range.from_ms, "from")
    stop = ranges.merge_time(range.to, range.to_ms, "to")
    return ranges.RequestedRange(start, stop, range.last, current, previous, offsets, zone)


def to_optional_range(range: TimeRange | None) -> ranges.RequestedRange | None:
    return None if range is None else to_range(range)


def to_windows(every: Every | None) -> windows.WindowRule | None:
    """Return how windows follow each other. Raises `BadUserInput`."""
    if every is None:
        return None
    provided = select_provided_values(every, "duration", "offset", "unit", "day_times")
    if None in provided.values():
        raise BadUserInput("The keys of `every` must not be null: omit them instead.", fields=["every"])
    if "unit" in provided:
        provided["unit"] = _to_unit(provided["unit"])
    if "day_times" in provided:
        provided["day_times"] = tuple(_to_time(text) for text in provided["day_times"])
    return windows.WindowRule(**provided)


def _to_unit(unit: CalendarUnit) -> UnitName:
    return cast(UnitName, unit.value)


def _to_time(text: str) -> time:
    if not _DAY_TIME.fullmatch(text):
        raise BadUserInput("`dayTimes` are local times such as 06:00.", fields=["every.dayTimes"])
    return time.fromisoformat(text)


def to_tag_selection(where: list[TagFilter] | None, by: list[str] | None = None) -> TagSelection:
    """Return which series are requested, and how they are grouped. Raises `BadUserInput`."""
    return TagSelection(
        tuple((selected.tag, tuple(selected.in_)) for selected in where or ()), tuple(by or ())
    )


def to_series_request(
    range: TimeRange,
    every: Every | None,
    time_zone: str | None,
    aggregate: Aggregate | None,
    quantile: float | None,
    fill: Fill,
    fill_value: float | None,
    max_gap: int | None,
    max_points: int | None,
    compare: Duration | None,
    where: list[TagFilter] | None,
    by: list[str] | None,
    signal: Signal | None,
    per: IntegralUnit | None,
) -> machine_series.SeriesRequest:
    """Return the arguments of a series as one value. Raises `BadUserInput` if they contradict each other."""
    return machine_series.SeriesRequest(
        to_range(range, time_zone),
        to_windows(every),
        _to_aggregation(aggregate, quantile, signal, per, max_gap),
        shaping.FillRule(cast(shaping.FillMode, fill.value), fill_value, max_gap),
        max_points,
        to_tag_selection(where, by),
        compare,
    )


def _to_aggregation(
    aggregate: Aggregate | None,
    quantile: float | None,
    signal: Signal | None,
    per: IntegralUnit | None,
    max_gap: int | None,
) -> Aggregation | integrals.TimeWeighting | None:
    if (aggregate is Aggregate.QUANTILE) != (quantile is not None):
        raise BadUserInput("`quantile` requires `aggregate: QUANTILE`, and the reverse.", fields=["quantile"])
    if quantile is not None and not 0 <= quantile <= 1:
        raise BadUserInput("`quantile` must be from 0 to 1.", fields=["quantile"])
    if per is not None and aggregate is not Aggregate.INTEGRAL:
        raise BadUserInput("`per` requires `aggregate: INTEGRAL`.", fields=["per"])
    if aggregate in (Aggregate.INTEGRAL, Aggregate.TIME_WEIGHTED_MEAN):
        rule = AreaRule(cast(areas.Signal, (signal or Signal.STEP).value), max_gap)
        unit = cast(int, (per or IntegralUnit.HOUR).value)
        return integrals.TimeWeighting(cast(integrals.TimeFunction, aggregate.value), rule, unit)
    if signal is not None:
        raise BadUserInput(
            "`signal` requires `aggregate: INTEGRAL` or `TIME_WEIGHTED_MEAN`.", fields=["signal"]
        )
    return None if aggregate is None else Aggregation(cast(AggregateFunction, aggregate.value), quantile)
