"""Time series in the graph: series of points, states over time, counters, statuses and events."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers.series import columns, states
from resolvers.series.machine_series import SeriesResult
from schema.engine.fields import argument, attribute, derived
from schema.engine.plans.completion import CompletedList
from schema.engine.scalars import JSON, BigInt, DateTime, Duration
from stores.contracts.lazy_lists import ObjectColumns
from stores.contracts.samples import Sample

SHIFT = "The name of the shift that the window is; null without `every: {unit: SHIFT}`."
COMPLETE = "Whether the range includes the whole window, and the window is over."


@strawberry.type(name="Point", description="A value and its time.")
class SeriesPoint:
    time: DateTime = attribute("The time of the sample, or the start of its window.")
    value: JSON | None = attribute("The value; null in a window without samples.")


@strawberry.type(description="A tag of some series.")
class Tag:
    name: str = attribute("The name of the tag.")
    value: str | None = attribute("Its value; null if the series do not have the tag.")


TAGS = "The values of the tags of `by` that this group has; empty outside of `groups`."


@strawberry.type(description="The points of one field of one machine, oldest first.")
class Series:
    measurement: str = attribute("The measurement.")
    field: str = attribute("The field.")
    start: DateTime = attribute("The start of the range, included.")
    stop: DateTime = attribute("The end of the range, excluded.")
    coverage: float | None = attribute("The share of the windows that have samples; null without windows.")
    complete: list[bool] | None = attribute(
        "For each point, whether the range includes its whole window, and the window is over; null without"
        " windows."
    )
    shifts: list[str] | None = attribute(
        "For each point, the name of the shift that its window is; null without `every: {unit: SHIFT}`."
    )
    truncated: bool = attribute("Whether points were left out because of `maxPoints`.")
    compared: "Series | None" = attribute(
        "The series of the earlier range, whose times are those of that range; null without `compare`."
    )
    tags: list[Tag] = attribute(TAGS)
    groups: list["Series"] = attribute("The same for each combination of values of the tags of `by`.")

    @derived("The number of points.")
    def count(root: strawberry.Parent[SeriesResult]) -> int:
        return len(root.times)

    @derived(
        "The points as objects. For many points, columns (`timesMs`, `numbers`) are much cheaper.",
        list[SeriesPoint],
    )
    def points(root: strawberry.Parent[SeriesResult]) -> Any:
        return ObjectColumns(Sample, root.times, root.values)

    @derived("The times of all points.", list[DateTime])
    def times(root: strawberry.Parent[SeriesResult]) -> Any:
        return root.times

    @derived("The times of all points in milliseconds since 1970.", list[float])
    def times_ms(root: strawberry.Parent[SeriesResult]) -> Any:
        # Divided as integers, whose quotient is the nearest float.
        return CompletedList([time / 1_000_000 for time in root.times])

    @derived(
        "The values in the order of `times`, of any type. Integers have all their digits, also beyond 2^53,"
        " where JavaScript's own parser rounds them.",
        JSON,
    )
    def values(root: strawberry.Parent[SeriesResult]) -> Any:
        return root.values

    @derived(
        "The numbers in the order of `times`; null for other values, and for integers that a double cannot"
        " represent exactly.",
        list[float | None],
    )
    def numbers(root: strawberry.Parent[SeriesResult]) -> Any:
        return CompletedList(columns.select_numbers(root.values))

    @derived("The integers in the order of `times`; null for other values.", list[BigInt | None])
    def integers(root: strawberry.Parent[SeriesResult]) -> Any:
        return columns.select_integers(root.values)

    @derived("The strings in the order of `times`; null for other values.", list[str | None])
    def strings(root: strawberry.Parent[SeriesResult]) -> Any:
        return CompletedList(columns.select_strings(root.values))

    @derived("The booleans in the order of `times`; null for other values.", list[bool | None])
    def booleans(root: strawberry.Parent[SeriesResult]) -> Any:
        return CompletedList(columns.select_booleans(root.values))


@strawberry.enum(description="A field of a machine's state.")
class StateField(Enum):
    POWER = strawberry.enum_value("power", description="Whether the machine is switched on.")
    EXECUTION = strawberry.enum_value("execution", description="What the machine is doing.")
    MODE = strawberry.enum_value("mode", description="How the machine is controlled.")


@strawberry.type(description="A state with its start and end.")
class StateInterval:
    value: JSON = attribute("The state.")
    start: DateTime = attribute("When the state began, or the start of the range if it began before.")
    end: DateTime = attribute("When the next state began, or the end of the range.")
    duration: Duration = attribute("How long the state lasted.")
    seconds: float = attribute("The same in seconds.")
    carried_in: bool = attribute("Whether the state began before the range.")


@strawberry.type(description="The total duration of a state.")
class StateDuration:
    value: JSON = attribute("The state.")
    duration: Duration = attribute("The duration of all its intervals together.")
    seconds: float = attribute("The same in seconds.")
    share: float = attribute("Its share of the time for which the state is known.")
    entries: int = attribute("How often the state began, apart from one that began before.")


@strawberry.type(description="The total duration of each state in a window.")
class StateWindow:
    start: DateTime = attribute("The start of the window, included.")
    end: DateTime = attribute("The end of the window, excluded.")
    complete: bool = attribute(COMPLETE)
    shift: str | None = attribute(SHIFT)
    states: list[StateDuration] = attribute("The states, the longest first.")


@strawberry.type(description="The states of a machine over time.")
class StateTimeline:
    start: DateTime = attribute("The start of the range, included.")
    stop: DateTime = attribute("The end of the range, excluded; now at the latest.")
    power: list[StateInterval] = attribute("Whether the machine was switched on.")
    execution: list[StateInterval] = attribute("What the machine was doing.")
    mode: list[StateInterval] = attribute("How the machine was controlled.")
    tags: list[Tag] = attribute(TAGS)
    groups: list["StateTimeline"] = attribute("The same for each combination of values of the tags of `by`.")

    @derived("The total duration of each state, the longest first.", list[StateDuration])
    def durations(
        root: strawberry.Parent[states.StateHistory],
        of: Annotated[StateField, argument("The field whose states are totalled.")] = StateField.EXECUTION,
    ) -> Any:
        return root.sum(str(of.value))

    @derived("The total duration of each state in each window; empty without `every`.", list[StateWindow])
    def windows(
        root: strawberry.Parent[states.StateHistory],
        of: Annotated[StateField, argument("The field whose states are totalled.")] = StateField.EXECUTION,
    ) -> Any:
        return root.split(str(of.value))


INCREASE = "The increase; after a reset the counter starts again at 0. Null if it is too large for a Float."
RATE = (
    "The increase per second of the lines between the samples, over the time that they cover; null if they"
    " cover none."
)


@strawberry.type(description="The increase of a counter in a window.")
class CounterWindow:
    start: DateTime = attribute("The start of the window, included.")
    end: DateTime = attribute("The end of the window, excluded.")
    increase: float | None = attribute(INCREASE)
    rate: float | None = attribute(RATE)
    resets: int = attribute("How often the counter was reset.")
    complete: bool = attribute(COMPLETE)
    shift: str | None = attribute(SHIFT)


@strawberry.type(description="The increase of a counter in a range.")
class Counter:
    increase: float | None = attribute(INCREASE)
    rate: float | None = attribute(RATE)
    resets: int = attribute("How often the counter was reset.")
    windows: list[CounterWindow] = attribute("The increase of each window; empty without `every`.")
    tags: list[Tag] = attribute(TAGS)
    groups: list["Counter"] = attribute("The same for each combination of values of the tags of `by`.")


@strawberry.enum(description="What is missing for a figure of a performance.")
class PerformanceInput(Enum):
    PLANNED_TIME = strawberry.enum_value(
        "planned_time", description="No time of the window is planned: there is no availability."
    )
    EXECUTION = strawberry.enum_value(
        "execution", description="No `execution` is known: there is no running time."
    )
    RUNNING_TIME = strawberry.enum_value(
        "running_time", description="The machine did not run: there is no performance."
    )
    IDEAL_CYCLE_TIME = strawberry.enum_value(
        "ideal_cycle_time", description="The argument `idealCycleTime` is omitted: there is no performance."
    )
    PIECES = strawberry.enum_value(
        "pieces",
        description="No pieces were made, or the machine never wrote the field: there is no quality.",
    )
    SCRAP = strawberry.enum_value(
        "scrap",
        description="The argument `scrap` is omitted, or the machine never wrote the field: there is no"
        " quality.",
    )


@strawberry.type
class PerformanceFigures:
    """The figures of a window or of a whole range."""

    start: DateTime = attribute("The start, included.")
    end: DateTime = attribute("The end, excluded; of a whole range now at the latest.")
    planned_seconds: float = attribute(
        "The planned time: the shifts without their breaks or, without a shift plan, all of it; up to now."
    )
    running_seconds: float | None = attribute("How much of the planned time the machine ran.")
    pieces: float | None = attribute("The pieces that were made in the planned time.")
    scrap: float | None = attribute("The scrap that was made in the planned time.")
    availability: float | None = attribute("The running time divided by the planned time.")
    performance: float | None = attribute(
        "The pieces multiplied by the ideal cycle time, divided by the running time."
    )
    quality: float | None = attribute("The share of the pieces that are not scrap.")
    oee: float | None = attribute(
        "The overall equipment effectiveness: availability, performance and quality multiplied. It is 0 if no"
        " pieces were made, although nothing else is missing."
    )
    missing: list[PerformanceInput] = attribute("What is missing for the figures that are null.")


@strawberry.type(description="How well a machine performed in a window.")
class PerformanceWindow(PerformanceFigures):
    complete: bool = attribute(COMPLETE)
    shift: str | None = attribute(SHIFT)


@strawberry.type(description="How well a machine performed in a range.")
class Performance(PerformanceFigures):
    windows: list[PerformanceWindow] = attribute("The figures of each window; empty without `every`.")


@strawberry.type(description="The latest reported state of a machine.")
class DeviceStatus:
    power: bool | None = attribute("Whether the machine is switched on.")
    execution: str | None = attribute("What the machine is doing, such as ACTIVE.")
    mode: str | None = attribute("How the machine is controlled, such as AUTOMATIC.")
    power_at: DateTime | None = attribute("When `power` was reported.")
    execution_at: DateTime | None = attribute("When `execution` was reported.")
    mode_at: DateTime | None = attribute("When `mode` was reported.")
    at: DateTime = attribute("When the machine last reported any of these: the newest of the three times.")
    age: Duration = attribute("How long ago that was.")
    stale: bool = attribute("Whether the status is older than `series.stale_after`.")


@strawberry.type(description="An event that a machine reported.")
class MachineEvent:
    time: DateTime = attribute("The time of the event.")
    machine_id: str | None = attribute("The machine's id, or null if the event does not name one.")
    source: str = attribute("The measurement that the event is in.")
    event_id: str | None = attribute("The event's id; for a field of the machine, the name of the field.")
    event_class: str | None = attribute(
        "The event's class; for a field of the machine, the name of the field."
    )
    value: str = attribute("The value as a string.")
