"""How well a machine performed in its planned time: availability, performance, quality and OEE."""

from asyncio import gather
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeAlias

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.hints import Absence, Hinted
from resolvers.series.budget import spend_points
from resolvers.series.counters import CounterSamples
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.shifts import list_planned_spans
from resolvers.series.spans import Spans, intersect_spans, measure_spans, unite_spans
from resolvers.series.windows import WindowRule, list_windows, resolve_windows
from resolvers.turns import compute
from stores.contracts.errors import BadUserInput
from stores.contracts.samples import END_OF_TIME, SECOND, Neighbours
from stores.contracts.series_queries import Windows
from stores.entities.machine_events import EXECUTION, STATE

CHANGES = "changes of states and counters (series.max_points): request a shorter `range` or fewer machines."
CHANGES_PER_SLICE = 500  # that are counted at once, before other requests get a turn
Input = Literal["planned_time", "execution", "running_time", "ideal_cycle_time", "pieces", "scrap"]
FieldName: TypeAlias = tuple[str, str]  # of a measurement


@dataclass(frozen=True, slots=True)
class PerformanceRequest:
    """The arguments of a performance: counters of pieces and of those among them that are scrap.

    `ideal_cycle_time` is in nanoseconds. `running` are the values of `execution` of a machine that runs, None
    for those of the settings.
    """

    range: RequestedRange
    pieces: FieldName
    scrap: FieldName | None = None
    ideal_cycle_time: int | None = None
    every: WindowRule | None = None
    running: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.ideal_cycle_time is not None and self.ideal_cycle_time <= 0:
            raise BadUserInput("`idealCycleTime` must be longer than zero.", fields=["idealCycleTime"])


@dataclass(frozen=True, slots=True)
class PerformanceResult:
    """The figures of a range or a window, from its inputs. An input that is missing is None.

    Times are in nanoseconds. Everything but the planned time is what happened within it. `windows` are those
    of a range.
    """

    start: int
    end: int
    complete: bool
    shift: str | None
    planned: int
    running: int | None
    pieces: float | None
    scrap: float | None
    ideal_cycle_time: int | None
    windows: Sequence["PerformanceResult"] = ()

    @property
    def planned_seconds(self) -> float:
        return self.planned / SECOND

    @property
    def running_seconds(self) -> float | None:
        return None if self.running is None else self.running / SECOND

    @property
    def availability(self) -> float | None:
        """The share of the planned time in which the machine ran."""
        return None if self.running is None or not self.planned else self.running / self.planned

    @property
    def performance(self) -> float | None:
        """The share of the running time that its pieces take at the ideal cycle time."""
        if self.pieces is None or self.ideal_cycle_time is None or not self.running:
            return None
        return self.pieces * self.ideal_cycle_time / self.running

    @property
    def quality(self) -> float | None:
        """The share of the pieces that are not scrap."""
        return None if not self.pieces or self.scrap is None else (self.pieces - self.scrap) / self.pieces

    @property
    def oee(self) -> float | None:
        """The product of the three; 0 if no pieces were made, although all inputs are there."""
        inputs = (self.running, self.pieces, self.scrap, self.ideal_cycle_time)
        if None in inputs or not self.planned:
            return None
        if not self.pieces:
            return 0.0
        if self.availability is None or self.performance is None or self.quality is None:
            return None
        return self.availability * self.performance * self.quality

    @property
    def missing(self) -> list[Input]:
        """Why some of the figures are None."""
        is_missing: dict[Input, bool] = {
            "planned_time": not self.planned,
            "execution": self.running is None,
            "running_time": self.running == 0,
            "ideal_cycle_time": self.ideal_cycle_time is None,
            "pieces": not self.pieces,
            "scrap": self.scrap is None,
        }
        return [name for name, missing in is_missing.items() if missing]


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What is known of a machine in a range: when it was to run, when it ran, and when it made pieces."""

    planned: Spans
    running: Spans | None
    pieces: list[tuple[int, float]] | None
    scrap: list[tuple[int, float]] | None
    absences: list[Absence]

    def count_spans(self) -> int:
        """Return about how much has to be added up."""
        return sum(len(part) for part in (self.running, self.pieces, self.scrap) if part is not None)


async def get_performance(
    context: Context, machine: HasMachineId, request: PerformanceRequest
) -> PerformanceResult | Hinted:
    """Return the performance of a machine. All machines are two queries for each measurement.

    The planned time is that of the application's shift plan or, without one, the whole range, up to now.
    There are hints at fields that the machine has never written.
    """
    requested = await localize(context, machine, request.range, request.every, with_shifts=True)
    start, stop = resolve_range(context, requested)
    windows = Windows(())
    if request.every is not None:
        windows = resolve_windows(context, requested, request.every, start, stop)
    spend_points(context, len(windows.edges))
    known = min(stop, context.now)  # what is planned in the future is not missed yet
    if requested.shifts is not None:
        planned = list_planned_spans(requested.shifts, start, known)
    else:
        planned = ((start, known),) if start < known else ()
    stop = max(known, start)
    inputs = await _load_inputs(context, machine, request, planned, start, max(stop, start + 1))

    def list_figures() -> PerformanceResult:
        [total] = _list_figures(inputs, request, Windows((start, stop)), start, stop)
        if not windows.edges:
            return total
        return replace(total, windows=_list_figures(inputs, request, windows, start, stop))

    total = await compute(list_figures, inputs.count_spans())
    return Hinted(total, inputs.absences) if inputs.absences else total


async def _load_inputs(
    context: Context,
    machine: HasMachineId,
    request: PerformanceRequest,
    planned: Spans,
    start: int,
    stop: int,
) -> _Inputs:
    fields = [(STATE, EXECUTION), request.pieces, *([request.scrap] if request.scrap else [])]
    readings = get_readings(context, machine)
    loaded = await gather(
        *(_load_changes(readings, machine.machine_id, field, start, stop) for field in fields)
    )
    states, pieces, *scrap = loaded
    for name, field, of_field in zip(("pieces", "scrap"), fields[1:], loaded[1:], strict=False):
        _check_numbers(name, field, of_field)
    count = sum(len(series.samples) for of_field in loaded for series in of_field)
    spend_points(context, count, CHANGES)
    if count > CHANGES_PER_SLICE:
        await context.turn.pause()
    values = context.viewer.series.running_states if request.running is None else request.running
    absences = [
        Absence(machine.organization_id, machine.machine_id, *field)
        for field, of_field in zip(fields, loaded, strict=True)
        if not of_field
    ]

    def combine() -> _Inputs:
        running = [_list_running_spans(series, frozenset(values), start, stop) for series in states]
        return _Inputs(
            planned,
            intersect_spans(unite_spans(chain.from_iterable(running)), planned) if running else None,
            _list_steps(pieces, planned) if pieces else None,
            _list_steps(scrap[0], planned) if scrap and scrap[0] else None,
            absences,
        )

    return await compute(combine, count)


def _check_numbers(argument: str, field: FieldName, counters: Iterable[CounterSamples]) -> None:
    """Raise `BadUserInput` if a field is of strings, which would look like a machine that makes no pieces."""
    first = [sample for one in counters for sample in (one.before, *one.samples[:1]) if sample is not None]
    if first and all(isinstance(sample.value, str) for sample in first):
        raise BadUserInput(
            f"The values of {'.'.join(field)} are strings, which do not increase: name a field of numbers.",
            fields=[argument],
        )


async def _load_changes(
    readings: Readings, machine_id: str, field: FieldName, start: int, stop: int
) -> list[CounterSamples]:
    """Return of each series of a field the last sample before a range, and the changes in it."""
    measurement, key = field[0], (machine_id, field[1])
    neighbours, changes = await gather(
        readings.neighbours(measurement, start, END_OF_TIME).load(key),
        readings.changes(measurement, start, stop).load(key),
    )
    before = {tags: Neighbours() for tags in changes} | neighbours
    series = [CounterSamples(next_to.before, changes.get(tags, ()), None) for tags, next_to in before.items()]
    return [one for one in series if one.before is not None or one.samples]


def _list_steps(counters: Iterable[CounterSamples], planned: Spans) -> list[tuple[int, float]]:
    """Return the times and sizes of the increases within the planned time."""
    steps = []
    for counter in counters:
        index = 0
        for step in counter.list_steps():
            while index < len(planned) and planned[index][1] <= step.later:
                index += 1
            if index < len(planned) and planned[index][0] <= step.later:
                steps.append((step.later, step.increase))
    return steps


def _list_running_spans(states: CounterSamples, running: frozenset[str], start: int, stop: int) -> Spans:
    """Return when a series of states has one of the values; the last state lasts to `stop`."""
    spans: list[tuple[int, int]] = []
    since = start if states.before is not None and states.before.value in running else None
    for time, value in states.samples:
        if value not in running:
            if since is not None and since < time:
                spans.append((since, time))
            since = None
        elif since is None:
            since = time
    return spans if since is None else [*spans, (since, stop)]


def _list_figures(
    inputs: _Inputs, request: PerformanceRequest, windows: Windows, start: int, stop: int
) -> list[PerformanceResult]:
    """Return the figures of each window. The time between shifts is left out."""
    edges = windows.edges
    unknown = [None] * (len(edges) - 1)
    planned = measure_spans(inputs.planned, edges)
    running = unknown if inputs.running is None else measure_spans(inputs.running, edges)
    pieces, scrap = (
        unknown if steps is None else _add_up(steps, edges) for steps in (inputs.pieces, inputs.scrap)
    )
    return [
        PerformanceResult(
            begin,
            end,
            start <= begin and end <= stop,
            shift,
            planned[index],
            running[index],
            pieces[index],
            scrap[index],
            request.ideal_cycle_time,
        )
        for index, begin, end, shift in list_windows(windows)
    ]


def _add_up(steps: list[tuple[int, float]], edges: Sequence[int]) -> list[float]:
    """Return the sum of the increases in each window."""
    sums = [0.0] * (len(edges) - 1)
    for time, increase in steps:
        sums[bisect_right(edges, time) - 1] += increase
    return sums
