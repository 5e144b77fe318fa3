"""The states that a machine was in over time."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.series.budget import spend_points
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.series import Sample, Value
from stores.entities.machine_events import STATE, STATUS


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A state from `start` to `end`, in nanoseconds; `carried_in` if it began before the range."""

    value: Value
    start: int
    end: int
    carried_in: bool

    @property
    def duration(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class StateTotal:
    """How long a state lasted altogether, in nanoseconds, and its share of the time whose state is known."""

    value: Value
    duration: int
    share: float


@dataclass(frozen=True, slots=True)
class StateHistory:
    """The states of a machine from `start` to `stop`, in nanoseconds since 1970."""

    start: int
    stop: int
    power: list[StateSpan]
    execution: list[StateSpan]
    mode: list[StateSpan]


async def get_states(context: Context, machine: HasMachineId, requested: RequestedRange) -> StateHistory:
    """Return a machine's states. All machines are two queries: the samples of the range, and those before."""
    start, stop = resolve_range(context, requested)
    stop = max(min(stop, context.now), start + 1)  # future states are not known
    readings = get_readings(context, machine)
    points = readings.points(STATE, start, stop)
    carried, samples = await gather(
        readings.latest(STATE, STATUS, start).load(machine.machine_id),
        points.load_many([(machine.machine_id, field) for field in STATUS]),
    )
    spend_points(context, sum(map(len, samples)))
    spans = (
        find_spans(carried.get(field), of_field, start, stop)
        for field, of_field in zip(STATUS, samples, strict=True)
    )
    return StateHistory(start, stop, *spans)


def find_spans(carried: Sample | None, samples: Sequence[Sample], start: int, stop: int) -> list[StateSpan]:
    """Return the states of a range. A sample that repeats a state extends it; the last one lasts to `stop`.

    `carried` is the last sample before the range. If several samples have the same time, the last one wins.
    """
    changes: list[tuple[int, Value, bool]] = [] if carried is None else [(start, carried.value, True)]
    for sample in samples:
        if changes and changes[-1][0] == sample.time and not changes[-1][2]:
            changes.pop()
        if not changes or changes[-1][1] != sample.value:
            changes.append((sample.time, sample.value, False))
    ends = [time for time, _, _ in changes[1:]] + [stop] * bool(changes)
    return [
        StateSpan(value, time, end, carried_in)
        for (time, value, carried_in), end in zip(changes, ends, strict=True)
        if end > time
    ]


def sum_states(spans: Sequence[StateSpan]) -> list[StateTotal]:
    """Return the total duration and the share of each state, the longest first."""
    durations: dict[Value, int] = {}
    for span in spans:
        durations[span.value] = durations.get(span.value, 0) + span.duration
    known = sum(durations.values())
    ordered = sorted(durations.items(), key=lambda item: (-item[1], str(item[0])))
    return [StateTotal(value, duration, duration / known) for value, duration in ordered]
