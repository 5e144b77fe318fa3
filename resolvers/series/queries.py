"""Series of machines' measurements: aggregated by windows or as they are, states over time, and counters."""

from asyncio import gather
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.devices import get_device
from resolvers.series.ranges import CalendarUnitName, RequestedRange, bounds, windows_of
from resolvers.series.shaping import NOTHING, FillRule, Times, Values, filled, thinned
from resolvers.series.statuses import HasMachineId, readings_of
from resolvers.series.timelines import Count, StateInterval, counted, intervals
from stores.contracts.errors import BadUserInput, LimitExceeded, NotFound
from stores.contracts.series import NUMERIC, Aggregation, Sample, Windows
from stores.entities.devices import Device
from stores.entities.machine_events import STATE, STATUS

MAX_SERIES = 3_000


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """What is asked of a series, beside whose it is. Without `every` and `aggregate`: its samples."""

    range: RequestedRange
    every: int | CalendarUnitName | None = None  # nanoseconds, or a calendar's unit in `zone`
    zone: str = "UTC"
    aggregate: Aggregation | None = None  # the mean where only `every` is given
    fill: FillRule = NOTHING
    max_points: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """The points of a field from `start` to `stop`, in nanoseconds since 1970.

    `coverage` is the share of windows that hold samples (None without windows), `truncated` whether points
    were left out that `max_points` has no room for.
    """

    measurement: str
    field: str
    start: int
    stop: int
    times: Times
    values: Values
    coverage: float | None
    truncated: bool


async def series_of(
    context: Context, machine: HasMachineId, measurement: str, field: str, asked: SeriesRequest
) -> SeriesResult:
    """A machine's series. One query for all machines and fields of a measurement that are asked for alike."""
    limits = context.viewer.series.limits
    start, stop = bounds(asked.range, context.now, limits)
    readings = readings_of(context, machine)
    key = (machine.machine_id, field)
    coverage: float | None = None
    times: Times
    values: Values
    if asked.every is None and asked.aggregate is None:
        if asked.fill.mode != "none":
            raise BadUserInput("`fill` goes with `every`", fields=["fill"])
        samples = await readings.points(measurement, start, stop).load(key)
        times, values = map(list, zip(*samples, strict=True)) if samples else ([], [])
    else:
        windows = Windows((start, stop), stop - start)
        if asked.every is not None:
            windows = windows_of(start, stop, asked.every, asked.zone, limits)
        aggregate = asked.aggregate or Aggregation("mean")
        cells = await readings.windows(measurement, start, stop, windows, aggregate).load(key)
        if not cells and aggregate.function in NUMERIC:
            await _refuse_texts(context, machine, measurement, field, aggregate)
        coverage = len(cells) / (len(windows.edges) - 1)
        times, values = filled(cells, windows.edges, asked.fill)
    count = len(times)
    if asked.max_points is not None:
        times, values = thinned(times, values, asked.max_points)
    _spend(context, len(times))
    return SeriesResult(measurement, field, start, stop, times, values, coverage, len(times) < count)


async def _refuse_texts(
    context: Context, machine: HasMachineId, measurement: str, field: str, aggregate: Aggregation
) -> None:
    catalogue = await readings_of(context, machine).catalogue()
    if catalogue.get(measurement, {}).get(field) == "string":
        raise BadUserInput(
            f"{measurement}.{field} holds texts, which have no {aggregate.function}: ask for COUNT or LAST",
            fields=["aggregate"],
        )


def _spend(context: Context, points: int) -> None:
    most = context.viewer.series.limits.points
    context.points += points
    if context.points > most:
        raise LimitExceeded(
            f"the answer holds more than {most} points (series.max_points): ask for a shorter range, a wider"
            " `every` or fewer `maxPoints`",
            limit=most,
        )


@dataclass(frozen=True, slots=True)
class MachineSeries:
    """One machine's series of one field."""

    device: Device
    series: SeriesResult


async def series_of_machines(
    context: Context,
    machines: Sequence[tuple[str, str, str]],
    fields: Sequence[tuple[str, str]],
    asked: SeriesRequest,
) -> list[MachineSeries]:
    """Each machine's (organization, application and machine id) series of each (measurement, field)."""
    if len(machines) * len(fields) > MAX_SERIES:
        raise LimitExceeded(f"at most {MAX_SERIES} series", fields=["machines", "fields"], limit=MAX_SERIES)
    repeated = [each for each, n in Counter([*machines, *fields]).items() if n > 1]
    if repeated:
        raise BadUserInput(f"{' '.join(repeated[0])} is asked for twice", fields=["machines", "fields"])
    devices = await gather(*(get_device(context, *each, frozenset()) for each in machines))
    for device, (_, application_id, machine_id) in zip(devices, machines, strict=True):
        if device is None:
            raise NotFound(f"{application_id} has no device {machine_id}", fields=["machines"])
    found = [device for device in devices if device is not None]
    series = await gather(*(series_of(context, d, *field, asked) for d in found for field in fields))
    owners = [device for device in found for _ in fields]
    return [MachineSeries(device, each) for device, each in zip(owners, series, strict=True)]


@dataclass(frozen=True, slots=True)
class StateTimeline:
    """The states of a machine from `start` to `stop`, in nanoseconds since 1970."""

    start: int
    stop: int
    power: list[StateInterval]
    execution: list[StateInterval]
    mode: list[StateInterval]


async def states_of(context: Context, machine: HasMachineId, asked: RequestedRange) -> StateTimeline:
    """A machine's states. Two queries for all machines: the samples of the range, and what was carried in."""
    start, stop = bounds(asked, context.now, context.viewer.series.limits)
    stop = max(min(stop, context.now), start + 1)  # nobody knows what state a machine will be in
    readings = readings_of(context, machine)
    points = readings.points(STATE, start, stop)
    carried, samples = await gather(
        readings.latest(STATE, STATUS, start).load(machine.machine_id),
        points.load_many([(machine.machine_id, field) for field in STATUS]),
    )
    _spend(context, sum(map(len, samples)))
    found = [
        intervals(carried.get(field), each, start, stop) for field, each in zip(STATUS, samples, strict=True)
    ]
    return StateTimeline(start, stop, *found)


@dataclass(frozen=True, slots=True)
class CounterSeries:
    """What a counter counted in a range, and in each of its windows."""

    increase: float
    rate: float
    resets: int
    windows: list[Count]


async def counter_of(
    context: Context, machine: HasMachineId, measurement: str, field: str, asked: SeriesRequest
) -> CounterSeries:
    """What a counter counted in a range and, with `every`, by window. Two queries for all machines."""
    limits = context.viewer.series.limits
    start, stop = bounds(asked.range, context.now, limits)
    readings = readings_of(context, machine)
    carried, samples = await gather(
        readings.latest(measurement, (field,), start).load(machine.machine_id),
        readings.points(measurement, start, stop).load((machine.machine_id, field)),
    )
    before: Sample | None = carried.get(field)
    [whole] = counted(before, samples, (start, stop))
    if asked.every is None:
        return CounterSeries(whole.increase, whole.rate, whole.resets, [])
    windows = windows_of(start, stop, asked.every, asked.zone, limits)
    _spend(context, len(windows.edges))
    found = counted(before, samples, windows.edges)
    return CounterSeries(whole.increase, whole.rate, whole.resets, found)
