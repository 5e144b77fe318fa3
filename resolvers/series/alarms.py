"""The alarms of machines: runs of one value of an event, found in the changes of its series."""

from asyncio import gather
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.limits import DAY
from resolvers.series.absence import hint_at_classes
from resolvers.series.budget import ALARMS, spend_points
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.turns import compute
from stores.contracts.samples import (
    END_OF_TIME,
    SECOND,
    ByTags,
    Neighbours,
    Sample,
    SampleColumns,
    Tags,
    Where,
)
from stores.entities.machine_events import EVENTS, format_value

LAST_DAY = RequestedRange(last=DAY)
CHANGES_PER_SLICE = 500  # that become alarms at once, before other requests get a turn


@dataclass(frozen=True, slots=True)
class AlarmRequest:
    """Which alarms of some machines are requested. `classes` None means those of the settings.

    `machines` None means all. With `active_only`, alarms that have ended are left out.
    """

    range: RequestedRange = LAST_DAY
    classes: Sequence[str] | None = None
    machines: Sequence[str] | None = None
    active_only: bool = False


@dataclass(frozen=True, slots=True)
class AlarmRun:
    """A run of a value other than the clear one, of one machine and tag set. Times are in nanoseconds.

    `end` is when another value was reported, None while there is none; `seen` is until when the alarm is
    known to last, its end or now. `start` is the first report of the run, as far as it is known: of an alarm
    that began before the range, the last one before it.
    """

    machine: HasMachineId
    tags: Tags
    value: str
    start: int
    end: int | None
    seen: int
    carried_in: bool

    @property
    def machine_id(self) -> str:
        return self.machine.machine_id

    @property
    def event_id(self) -> str | None:
        return dict(self.tags).get("event_id")

    @property
    def event_class(self) -> str | None:
        return dict(self.tags).get("event_class")

    @property
    def seconds(self) -> float:
        return (self.seen - self.start) / SECOND


@dataclass(frozen=True, slots=True)
class AlarmRange:
    """A resolved range: from `start` to `stop`, which is `now` at the latest."""

    start: int
    stop: int
    now: int

    @property
    def reaches_now(self) -> bool:
        return self.stop >= self.now


def resolve_alarm_range(context: Context, requested: RequestedRange) -> AlarmRange:
    """Return the range of alarms: what is to come is not known."""
    start, stop = resolve_range(context, requested)
    return AlarmRange(start, max(min(stop, context.now), start + 1), context.now)


async def find_alarms(
    context: Context, machines: Sequence[HasMachineId], range_: AlarmRange, request: AlarmRequest
) -> list[AlarmRun] | Hinted:
    """Return the alarms of machines of one organization that were active in a range, in no order.

    All machines are two queries: the changes, and the samples next to the range. A third one finds the ends
    of alarms that are reported again after a range in the past. There is a hint at classes that no machine
    has written.
    """
    if request.machines is not None:
        chosen = frozenset(request.machines)
        machines = [machine for machine in machines if machine.machine_id in chosen]
    by_id = {machine.machine_id: machine for machine in reversed(machines)}
    if not by_id or range_.start > range_.now:
        return []
    classes = context.viewer.series.alarm_classes if request.classes is None else request.classes
    where: Where = (("event_class", tuple(dict.fromkeys(classes))),)
    readings, keys = get_readings(context, machines[0]), [(id_, EVENTS.field) for id_ in by_id]
    after = END_OF_TIME if range_.reaches_now else range_.stop
    neighbours, changes = await gather(
        readings.neighbours(EVENTS.measurement, range_.start, after, where).load_many(keys),
        readings.changes(EVENTS.measurement, range_.start, range_.stop, where).load_many(keys),
    )
    if request.classes and not any(neighbours) and not any(changes):
        return hint_at_classes(machines[0].organization_id, list(by_id), request.classes, [])
    clear = context.viewer.series.alarm_clear
    alarms: list[AlarmRun] = []
    pending = 0
    for machine, next_to, of_machine in zip(by_id.values(), neighbours, changes, strict=True):
        count = sum(map(len, of_machine.values()))
        spend_points(context, count, ALARMS)
        alarms += await compute(partial(_list_alarms_of, machine, next_to, of_machine, range_, clear), count)
        pending += count
        if pending > CHANGES_PER_SLICE:
            pending = 0
            await context.turn.pause()
    alarms = await _find_ends(readings, alarms, dict(zip(by_id, neighbours, strict=True)), range_, where)
    return [alarm for alarm in alarms if alarm.end is None] if request.active_only else alarms


def _list_alarms_of(
    machine: HasMachineId,
    neighbours: ByTags[Neighbours],
    changes: ByTags[SampleColumns],
    range_: AlarmRange,
    clear: str,
) -> list[AlarmRun]:
    """Return the alarms of each series of a machine."""
    alarms = []
    for tags in dict.fromkeys((*neighbours, *changes)):
        next_to = neighbours.get(tags, Neighbours())
        before = () if next_to.before is None else (next_to.before,)
        after = next_to.after
        is_past = after is not None and after.time <= range_.now
        for value, start, next_start in find_runs((*before, *changes.get(tags, ()))):
            end = next_start
            if end is None and after is not None and is_past and format_value(after.value) != value:
                end = after.time
            if value != clear and (end is None or end > range_.start):
                seen = range_.now if end is None else end
                carried_in = start < range_.start
                alarms.append(AlarmRun(machine, tags, value, start, end, seen, carried_in=carried_in))
    return alarms


def find_runs(samples: Iterable[Sample]) -> Iterator[tuple[str, int, int | None]]:
    """Yield the value, start and end of each run of samples of one value; the last one has no end."""
    run: tuple[str, int] | None = None
    for sample in samples:
        value = format_value(sample.value)
        if run is not None and run[0] == value:
            continue
        if run is not None:
            yield *run, sample.time
        run = value, sample.time
    if run is not None:
        yield *run, None


async def _find_ends(
    readings: Readings,
    alarms: list[AlarmRun],
    neighbours: Mapping[str, ByTags[Neighbours]],
    range_: AlarmRange,
    where: Where,
) -> list[AlarmRun]:
    """Return alarms with the ends of those that were reported again after the range."""

    def is_repeated(alarm: AlarmRun) -> bool:
        if alarm.end is not None:
            return False
        after = neighbours[alarm.machine_id].get(alarm.tags, Neighbours()).after
        return after is not None and after.time <= range_.now

    repeated = {alarm.machine_id: None for alarm in alarms if is_repeated(alarm)}
    if range_.reaches_now or not repeated:
        return alarms
    loader = readings.changes(EVENTS.measurement, range_.stop, range_.now, where)
    later = await loader.load_many([(machine_id, EVENTS.field) for machine_id in repeated])
    by_machine = dict(zip(repeated, later, strict=True))

    def end(alarm: AlarmRun) -> AlarmRun:
        changes = by_machine.get(alarm.machine_id, {}).get(alarm.tags, ()) if is_repeated(alarm) else ()
        ends = (sample.time for sample in changes if format_value(sample.value) != alarm.value)
        time = next(ends, None)
        return alarm if time is None else replace(alarm, end=time, seen=time)

    return [end(alarm) for alarm in alarms]
