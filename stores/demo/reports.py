"""What the machines of the demo plant report: shifts and weekends, pieces, tool changes, alarms, idle time.

Every day of every machine is generated from its name and date alone, so that loading it again changes nothing
and `follow` continues where `load` has stopped.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stores.contracts.series import MACHINE, SECOND, Point, Value, WritableSeriesStore
from stores.demo.plant import machines

ZONE = ZoneInfo("Europe/Berlin")
MINUTE = 60 * SECOND
HEARTBEAT_NS = 5 * MINUTE  # a machine reports its state this often, changed or not
BATCH = 5000
TICK = 2.0  # seconds between two writes of `follow`
# By kind of machine: the local hours in which it works on weekdays and on Saturdays.
SHIFTS = {
    "LATHE": ([(6, 14), (14, 22)], [(6, 14)]),
    "MILL": ([(6, 14), (14, 22)], []),
    "ROBOT": ([(0, 6), (6, 14), (14, 22), (22, 24)], [(6, 14)]),
    "MOUNTER": ([(0, 6), (6, 14), (14, 22), (22, 24)], []),
    "COMPRESSOR": ([(5, 23)], [(5, 15)]),
    "METER": ([(0, 24)], [(0, 24)]),
}
MAKERS = ("LATHE", "MILL", "ROBOT", "MOUNTER")  # the kinds that produce pieces
ALARMS = ("204 OVERTRAVEL X", "401 SERVO READY OFF", "1010 LOW COOLANT", "2031 CHIP CONVEYOR", "90 DOOR OPEN")


class State(NamedTuple):
    """What a machine does from a time (nanoseconds since 1970) until its next state."""

    time: int
    power: bool
    execution: str
    mode: str = "AUTOMATIC"


async def load(store: WritableSeriesStore, database: str, days: int, advance: Callable[[], object]) -> int:
    """Write the points of the last days up to now, and return their number.

    `advance` is called after each day of each machine.
    """
    now = time.time_ns()
    today = datetime.now(ZONE).date()
    written = 0
    for back in range(days, -1, -1):
        for machine in _machine_ids():
            points = (point for point in generate_day(machine, today - timedelta(back)) if point.time <= now)
            while batch := list(islice(points, BATCH)):
                _raise_rejected(await store.write(database, batch))
                written += len(batch)
            advance()
    return written


async def follow(store: WritableSeriesStore, database: str, statistics: str) -> None:
    """Write points as they happen, until cancelled; `statistics` is the database of the server's load."""
    since = time.time_ns()
    today: date | None = None
    coming: list[Point] = []
    while True:
        await asyncio.sleep(TICK)
        now = time.time_ns()
        if today != datetime.now(ZONE).date():
            today = datetime.now(ZONE).date()
            points = [
                point
                for machine in _machine_ids()
                for point in generate_day(machine, today)
                if point.time > since
            ]
            coming = sorted(points, key=lambda point: -point.time)
        due = []
        while coming and coming[-1].time <= now:
            due.append(coming.pop())
        _raise_rejected(await store.write(database, due))
        _raise_rejected(await store.write(statistics, list(_host(now))))


def generate_day(machine: str, date_: date) -> Iterator[Point]:
    """Everything that a machine reports on one local day, in the order of time for each measurement."""
    kind = machine.partition("-")[0]
    random = Random(f"{machine}/{date_}")
    begin, end = _time_of(date_, 0), _time_of(date_ + timedelta(1), 0)
    states = [State(begin, False, "STOPPED")]
    for first, last in _shifts(kind, date_):
        start, stop = _time_of(date_, first), _time_of(date_, last)
        if kind in MAKERS:
            yield from _shift(machine, random, start, stop, states)
        else:
            states.append(State(start, True, "ACTIVE"))
            states.append(State(stop, kind == "METER", "STOPPED"))
    states = [state for state in states if state.time < end]
    yield from (
        _point("state", machine, s.time, power=s.power, execution=s.execution, mode=s.mode) for s in states
    )
    yield from _heartbeats(machine, kind, random, states, begin, end)


def _shift(machine: str, random: Random, start: int, stop: int, states: list[State]) -> Iterator[Point]:
    """The pieces, tool changes and alarms of a shift; the states of the machine are added to `states`."""
    now = start + random.randrange(2 * MINUTE, 15 * MINUTE)
    pause = start + (stop - start) // 2
    states.append(State(start, True, "READY", "MANUAL"))
    pieces = 0
    while now < stop - 10 * MINUTE:
        operation, cycle = f"OP-{random.randrange(100, 999)}", random.randrange(3 * MINUTE, 9 * MINUTE)
        yield _point("production", machine, now, op_code=operation)
        for _ in range(random.randrange(20, 60)):
            if now >= stop - 10 * MINUTE:
                break
            states.append(State(now, True, "ACTIVE"))
            now += cycle + random.randrange(20 * SECOND)
            pieces += 1
            piece = f"{operation}-{pieces:04}"
            yield _point("production", machine, now, piece_id=piece, pieces_produced=pieces)
            states.append(State(now, True, "READY"))
            if pieces % 25 == 0:
                yield _event(machine, now, "tool", "TOOL_CHANGE", f"T{random.randrange(1, 24)}")
                states.append(State(now + SECOND, True, "STOPPED", "MANUAL"))
                now += random.randrange(2 * MINUTE, 5 * MINUTE)
            if random.random() < 0.02:
                yield _event(machine, now, "alarm", "ALARM", random.choice(ALARMS))
                states.append(State(now + SECOND, True, "INTERRUPTED", "MANUAL"))
                now += random.randrange(4 * MINUTE, 40 * MINUTE)
                yield _event(machine, now, "alarm", "ALARM", "NONE")
            if pause and now > pause:
                states.append(State(now + 2 * SECOND, True, "STOPPED"))
                now, pause = now + 30 * MINUTE, 0
            now += random.randrange(20 * SECOND, 60 * SECOND)
    while states[-1].time >= stop - SECOND:  # an alarm may last longer than the shift
        states.pop()
    states.append(State(stop - SECOND, False, "STOPPED"))


def _heartbeats(
    machine: str, kind: str, random: Random, states: list[State], begin: int, end: int
) -> Iterator[Point]:
    """Every five minutes the current state, and measurements that fit it."""
    temperature, index = 22.0, 0
    for now in range(begin + random.randrange(HEARTBEAT_NS), end, HEARTBEAT_NS):
        while index + 1 < len(states) and states[index + 1].time <= now:
            index += 1
        _, power, execution, mode = states[index]
        busy = execution == "ACTIVE"
        temperature += (48 * busy + 22 * (not busy) - temperature) * 0.08 + random.uniform(-0.4, 0.4)
        if now != states[index].time:
            yield _point("state", machine, now, power=power, execution=execution, mode=mode)
        if kind in MAKERS:
            load = random.gauss(68, 9) if busy else random.uniform(0, 3)
            yield _point(
                "process", machine, now, spindle_load=round(load, 1), temperature=round(temperature, 2)
            )
        else:
            kilowatts = random.gauss(64, 6) if busy else random.uniform(2, 4)
            yield _point("energy", machine, now, kilowatts=round(kilowatts, 2))


def _host(now: int) -> Iterator[Point]:
    random = Random(now)
    tags = (("cpu", "cpu-total"), ("host", "demo"))
    yield Point("cpu", tags, {"usage_idle": round(random.uniform(78, 93), 2)}, now)
    yield Point("mem", tags[1:], {"available_percent": round(random.uniform(55, 58), 2)}, now)


def _point(measurement: str, machine: str, now: int, **fields: Value) -> Point:
    return Point(measurement, ((MACHINE, machine),), fields, now // 1_000_000 * 1_000_000)


def _event(machine: str, now: int, event: str, event_class: str, value: str) -> Point:
    tags = (("event_class", event_class), ("event_id", event), (MACHINE, machine))
    return Point("events", tags, {"event_value": value}, now // 1_000_000 * 1_000_000)


def _machine_ids() -> list[str]:
    return [machine for _, _, machine in machines()]


def _shifts(kind: str, date_: date) -> list[tuple[int, int]]:
    weekdays, saturdays = SHIFTS[kind]
    if kind == "METER" or date_.weekday() < 5:
        return weekdays
    return saturdays if date_.weekday() == 5 else []


def _time_of(date_: date, hour: int) -> int:
    """A local time in nanoseconds since 1970."""
    midnight = datetime(date_.year, date_.month, date_.day) + timedelta(hours=hour)
    return int(midnight.replace(tzinfo=ZONE).timestamp()) * SECOND


def _raise_rejected(results: list[str | None]) -> None:
    for reason in filter(None, results):
        raise ValueError(reason)
