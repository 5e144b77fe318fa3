"""Time series in the graph: ranges and windows, series of points, states over time, counters, events."""

from enum import Enum
from typing import Annotated, Any, cast

import strawberry

from resolvers.series import queries as series
from resolvers.series import ranges, shaping, timelines
from schema.engine.fields import argument, attribute, derived
from schema.engine.inputs import optional, required
from schema.engine.scalars import JSON, DateTime, Duration
from stores.contracts.errors import BadUserInput
from stores.contracts.series import AggregateFunction, Aggregation


@strawberry.input(
    description="A range of time: the `last` duration up to now, or `from` a time `to` another."
)
class TimeRange:
    from_: DateTime | None = strawberry.field(
        name="from", default=None, description="The first moment of it."
    )
    to: DateTime | None = optional("The moment it ends before; now when it is not given.", None)
    last: Duration | None = optional("How long before now it begins.", None)


@strawberry.enum(description="A unit of the calendar; weeks start on Monday.")
class CalendarUnit(Enum):
    HOUR = strawberry.enum_value("hour", description="From one full hour of the local clock to the next.")
    DAY = strawberry.enum_value("day", description="From local midnight to the next: 23, 24 or 25 hours.")
    WEEK = strawberry.enum_value("week", description="From Monday's local midnight to the next.")
    MONTH = strawberry.enum_value("month", description="From the first of a month to that of the next.")


@strawberry.input(description="How wide windows are: one of the two.", one_of=True)
class Every:
    duration: Duration | None = strawberry.field(
        default=strawberry.UNSET, description="So long, counted from 1970: PT5M."
    )
    unit: CalendarUnit | None = strawberry.field(
        default=strawberry.UNSET, description="A unit of the calendar in `timeZone`."
    )


@strawberry.enum(description="What becomes of the values of a window; true counts as 1.")
class Aggregate(Enum):
    MEAN = strawberry.enum_value("mean", description="The arithmetic mean.")
    MIN = strawberry.enum_value("min", description="The lowest.")
    MAX = strawberry.enum_value("max", description="The highest.")
    SUM = strawberry.enum_value("sum", description="The sum.")
    COUNT = strawberry.enum_value("count", description="How many there are.")
    FIRST = strawberry.enum_value("first", description="The oldest.")
    LAST = strawberry.enum_value("last", description="The newest.")
    STDDEV = strawberry.enum_value("stddev", description="The sample standard deviation; of one value none.")
    QUANTILE = strawberry.enum_value("quantile", description="The nearest rank of `quantile`.")


@strawberry.enum(description="What stands for windows without samples.")
class Fill(Enum):
    NONE = strawberry.enum_value("none", description="Nothing: they are left out.")
    NULL = strawberry.enum_value("null", description="Null.")
    PREVIOUS = strawberry.enum_value(
        "previous", description="The value before, in holes of at most `maxGap`."
    )
    LINEAR = strawberry.enum_value(
        "linear", description="The line between both neighbours, in holes of at most `maxGap`."
    )
    VALUE = strawberry.enum_value("value", description="`fillValue`, in holes of at most `maxGap`.")


Range = Annotated[TimeRange, argument("Which time.")]
EveryArgument = Annotated[Every | None, argument("Windows; without them the samples themselves.")]
TimeZone = Annotated[str, argument("The IANA time zone of calendar units, such as Europe/Berlin.")]
AggregateArgument = Annotated[Aggregate | None, argument("Of each window, or of the whole range.")]
Quantile = Annotated[float | None, argument("For QUANTILE: from 0 to 1.")]
FillArgument = Annotated[Fill, argument("What stands for windows without samples.")]
FillValue = Annotated[float | None, argument("For `fill: VALUE`.")]
MaxGap = Annotated[Duration | None, argument("Nothing is invented across a longer hole.")]
MaxPoints = Annotated[
    int | None, argument("Leave points out so that at most so many remain; every peak and trough stays.")
]


def range_of(given: TimeRange) -> ranges.RequestedRange:
    return ranges.RequestedRange(given.from_, given.to, given.last)


def within(given: TimeRange | None) -> ranges.RequestedRange | None:
    return None if given is None else range_of(given)


def every_of(every: Every | None) -> int | ranges.CalendarUnitName | None:
    if every is None:
        return None
    return cast(ranges.CalendarUnitName, every.unit.value) if every.unit else every.duration


def asked(
    range: TimeRange,
    every: Every | None,
    time_zone: str,
    aggregate: Aggregate | None,
    quantile: float | None,
    fill: Fill,
    fill_value: float | None,
    max_gap: int | None,
    max_points: int | None,
) -> series.SeriesRequest:
    """The arguments of a series as the resolvers take them. Raises `BadUserInput` where they contradict."""
    if (aggregate is Aggregate.QUANTILE) != (quantile is not None):
        raise BadUserInput(
            "`quantile` goes with `aggregate: QUANTILE`, and only with it", fields=["quantile"]
        )
    if quantile is not None and not 0 <= quantile <= 1:
        raise BadUserInput("`quantile` must be from 0 to 1", fields=["quantile"])
    return series.SeriesRequest(
        range_of(range),
        every_of(every),
        time_zone,
        None if aggregate is None else Aggregation(cast(AggregateFunction, aggregate.value), quantile),
        shaping.FillRule(cast(shaping.FillMode, fill.value), fill_value, max_gap),
        max_points,
    )


@strawberry.type(description="A value and its time.")
class Point:
    time: DateTime = attribute("The sample's time, or the start of its window.")
    value: JSON | None = attribute("The value; null in a window that holds none.")


@strawberry.type(description="The points of one field of one machine, oldest first.")
class Series:
    measurement: str = attribute("The measurement.")
    field: str = attribute("The field.")
    start: DateTime = attribute("The range's first moment.")
    stop: DateTime = attribute("The moment the range ends before.")
    coverage: float | None = attribute("The share of windows that hold samples; null without windows.")
    truncated: bool = attribute("Whether points were left out to keep to `maxPoints`.")

    @derived("How many points there are.")
    def count(root: strawberry.Parent[series.SeriesResult]) -> int:
        return len(root.times)

    @derived("The points one by one; of many, `times` and `values` cost far less.")
    def points(root: strawberry.Parent[series.SeriesResult]) -> list[Point]:
        return [Point(time=t, value=v) for t, v in zip(root.times, root.values, strict=True)]  # type: ignore[arg-type]  # nanoseconds

    @derived("The times as one list, in milliseconds since 1970.", JSON)
    def times(root: strawberry.Parent[series.SeriesResult]) -> Any:
        return [time // 1_000_000 if time % 1_000_000 == 0 else time / 1e6 for time in root.times]

    @derived("The values as one list, in the order of `times`.", JSON)
    def values(root: strawberry.Parent[series.SeriesResult]) -> Any:
        return root.values


@strawberry.enum(description="A field of a machine's state.")
class StateField(Enum):
    POWER = strawberry.enum_value("power", description="Whether it is switched on.")
    EXECUTION = strawberry.enum_value("execution", description="What it is doing.")
    MODE = strawberry.enum_value("mode", description="How it is controlled.")


@strawberry.type(description="A state, from when to when.")
class StateInterval:
    value: JSON = attribute("The state.")
    start: DateTime = attribute("When it began, or the range's start where it began before.")
    end: DateTime = attribute("When the next one began, or the range's end.")
    duration: Duration = attribute("How long it lasted.")
    carried_in: bool = attribute("Whether it began before the range.")


@strawberry.type(description="How long a state lasted, all its intervals together.")
class StateDuration:
    value: JSON = attribute("The state.")
    duration: Duration = attribute("How long it lasted.")
    share: float = attribute("Its share of the time whose state is known.")


@strawberry.type(description="The states of a machine over time.")
class StateTimeline:
    start: DateTime = attribute("The range's first moment.")
    stop: DateTime = attribute("The moment the range ends before; now at the latest.")
    power: list[StateInterval] = attribute("Whether it was switched on.")
    execution: list[StateInterval] = attribute("What it was doing.")
    mode: list[StateInterval] = attribute("How it was controlled.")

    @derived("The time in each state, the longest first.", list[StateDuration])
    def durations(
        root: strawberry.Parent[series.StateTimeline],
        of: Annotated[StateField, argument("Which field's states.")] = StateField.EXECUTION,
    ) -> Any:
        return timelines.durations(getattr(root, str(of.value)))


@strawberry.type(description="What a counter counted in a window.")
class CounterWindow:
    start: DateTime = attribute("The window's first moment.")
    end: DateTime = attribute("The moment the window ends before.")
    increase: float = attribute("By how much it rose; after a reset it began at 0 again.")
    rate: float = attribute("The increase in a second.")
    resets: int = attribute("How often it fell.")


@strawberry.type(description="What a counter counted in a range.")
class Counter:
    increase: float = attribute("By how much it rose; after a reset it began at 0 again.")
    rate: float = attribute("The increase in a second.")
    resets: int = attribute("How often it fell.")
    windows: list[CounterWindow] = attribute("The same by window, where `every` was given.")


@strawberry.type(description="What a machine last reported of its state.")
class DeviceStatus:
    power: bool | None = attribute("Whether it is switched on.")
    execution: str | None = attribute("What it is doing, such as ACTIVE.")
    mode: str | None = attribute("How it is controlled, such as AUTOMATIC.")
    at: DateTime = attribute("When it last reported any of these.")
    age: Duration = attribute("How long ago that was.")
    stale: bool = attribute("Whether that is longer ago than the gateway is told to take for current.")


@strawberry.type(description="Something that a machine reported.")
class MachineEvent:
    time: DateTime = attribute("When.")
    machine_id: str | None = attribute("The machine; null where none was named.")
    source: str = attribute("The measurement it is in.")
    event_id: str | None = attribute("Which event; for the machine's own fields their name.")
    event_class: str | None = attribute("Its class; for the machine's own fields their name.")
    value: str = attribute("The value, as a text.")


@strawberry.input(description="A field of a measurement.")
class FieldRef:
    measurement: str = required("The measurement, such as `production`.")
    field: str = required("The field, such as `pieces_produced`.")


@strawberry.input(description="A machine of an application.")
class MachineRef:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    machine_id: str = required("The machine's id.")
