"""What the machines of the demo plant report: shifts and weekends, pieces, tool changes, alarms, idle time.

Every day of every machine is generated from its name and date alone, so writing it again changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stores.contracts.samples import MACHINE, SECOND, Point, Value

ZONE = ZoneInfo("Europe/Berlin")
MINUTE = 60 * SECOND
HEARTBEAT_NS = 5 * MINUTE  # a machine reports its state this often, changed or not
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
SPINDLES = {"LATHE-09": ("1", "2")}  # of machines that report by spindle; the others have a single one
SCRAP_RATE = 0.03
ALARMS = ("204 OVERTRAVEL X", "401 SERVO READY OFF", "1010 LOW COOLANT", "2031 CHIP CONVEYOR", "90 DOOR OPEN")


@dataclass(slots=True)
class PieceCounter:
    """The counters that a machine, or a spindle of it, shows since its shift began."""

    produced: int = 0
    scrapped: int = 0

    def count(self, *, is_scrap: bool) -> dict[str, Value]:
        """Count a piece, and return the fields of both counters."""
        self.produced += 1
        self.scrapped += is_scrap
        return {"pieces_produced": self.produced, "pieces_scrapped": self.scrapped}


class State(NamedTuple):
    """What a machine does from a time (nanoseconds since 1970) until its next state."""

    time: int
    power: bool
    execution: str
    mode: str = "AUTOMATIC"


def generate_day(machine: str, date_: date) -> Iterator[Point]:
    """Everything that a machine reports on one local day, in the order of time for each measurement."""
    kind = machine.partition("-")[0]
    random = Random(f"{machine}/{date_}")
    begin, end = start_of_day(date_), start_of_day(date_ + timedelta(1))
    states = [State(begin, False, "STOPPED")]
    for first, last in _list_shifts(kind, date_):
        start, stop = _get_time_of(date_, first), _get_time_of(date_, last)
        if kind in MAKERS:
            yield from _shift(machine, random, start, stop, states)
        else:
            states.append(State(start, True, "ACTIVE"))
            states.append(State(stop, kind == "METER", "STOPPED"))
    states = [state for state in states if state.time < end]
    yield from (
        _make_point("state", machine, s.time, power=s.power, execution=s.execution, mode=s.mode)
        for s in states
    )
    yield from _report_heartbeats(machine, kind, random, states, begin, end)


def _shift(machine: str, random: Random, start: int, stop: int, states: list[State]) -> Iterator[Point]:
    """The pieces, tool changes and alarms of a shift; the states of the machine are added to `states`."""
    now = start + random.randrange(2 * MINUTE, 15 * MINUTE)
    pause = start + (stop - start) // 2
    states.append(State(start, True, "READY", "MANUAL"))
    spindles = SPINDLES.get(machine, (None,))
    counters = {spindle: PieceCounter() for spindle in spindles}
    scrap_random = Random(f"{machine}/{start}/scrap")  # of its own, so that the rest stays as it was
    pieces = 0
    while now < stop - 10 * MINUTE:
        operation, cycle = f"OP-{random.randrange(100, 999)}", random.randrange(3 * MINUTE, 9 * MINUTE)
        yield _make_point("production", machine, now, op_code=operation)
        for _ in range(random.randrange(20, 60)):
            if now >= stop - 10 * MINUTE:
                break
            states.append(State(now, True, "ACTIVE"))
            now += cycle + random.randrange(20 * SECOND)
            pieces += 1
            spindle = spindles[pieces % len(spindles)]
            counter = counters[spindle].count(is_scrap=scrap_random.random() < SCRAP_RATE)
            piece = f"{operation}-{pieces:04}"
            yield _make_point("production", machine, now, spindle, piece_id=piece, **counter)
            states.append(State(now, True, "READY"))
            if pieces % 25 == 0:
                yield _make_event(machine, now, "tool", "TOOL_CHANGE", f"T{random.randrange(1, 24)}")
                states.append(State(now + SECOND, True, "STOPPED", "MANUAL"))
                now += random.randrange(2 * MINUTE, 5 * MINUTE)
            if random.random() < 0.02:
                yield _make_event(machine, now, "alarm", "ALARM", random.choice(ALARMS))
                states.append(State(now + SECOND, True, "INTERRUPTED", "MANUAL"))
                now += random.randrange(4 * MINUTE, 40 * MINUTE)
                yield _make_event(machine, now, "alarm", "ALARM", "NONE")
            if pause and now > pause:
                states.append(State(now + 2 * SECOND, True, "STOPPED"))
                now, pause = now + 30 * MINUTE, 0
            now += random.randrange(20 * SECOND, 60 * SECOND)
    while states[-1].time >= stop - SECOND:  # an alarm may last longer than the shift
        states.pop()
    states.append(State(stop - SECOND, False, "STOPPED"))


def _report_heartbeats(
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
            yield _make_point("state", machine, now, power=power, execution=execution, mode=mode)
        if kind in MAKERS:
            load = random.gauss(68, 9) if busy else random.uniform(0, 3)
            for number, spindle in enumerate(SPINDLES.get(machine, (None,))):
                yield _make_point(
                    "process",
                    machine,
                    now,
                    spindle,
                    spindle_load=round(load * (1 - 0.2 * number), 1),
                    temperature=round(temperature - 3 * number, 2),
                )
        else:
            kilowatts = random.gauss(64, 6) if busy else random.uniform(2, 4)
            yield _make_point("energy", machine, now, kilowatts=round(kilowatts, 2))


def generate_host_load(now: int) -> Iterator[Point]:
    """The load of the server at a time (ns since 1970), as Telegraf reports it."""
    random = Random(now)
    tags = (("cpu", "cpu-total"), ("host", "demo"))
    yield Point("cpu", tags, {"usage_idle": round(random.uniform(78, 93), 2)}, now)
    yield Point("mem", tags[1:], {"available_percent": round(random.uniform(55, 58), 2)}, now)


def _make_point(
    measurement: str, machine: str, now: int, spindle: str | None = None, /, **fields: Value
) -> Point:
    tags = ((MACHINE, machine), ("spindle", spindle)) if spindle else ((MACHINE, machine),)
    return Point(measurement, tags, fields, now // 1_000_000 * 1_000_000)


def _make_event(machine: str, now: int, event: str, event_class: str, value: str) -> Point:
    tags = (("event_class", event_class), ("event_id", event), (MACHINE, machine))
    return Point("events", tags, {"event_value": value}, now // 1_000_000 * 1_000_000)


def _list_shifts(kind: str, date_: date) -> list[tuple[int, int]]:
    weekdays, saturdays = SHIFTS[kind]
    if kind == "METER" or date_.weekday() < 5:
        return weekdays
    return saturdays if date_.weekday() == 5 else []


def start_of_day(date_: date) -> int:
    """The local midnight that begins a day, in nanoseconds since 1970."""
    return _get_time_of(date_, 0)


def _get_time_of(date_: date, hour: int) -> int:
    """A local time in nanoseconds since 1970."""
    midnight = datetime(date_.year, date_.month, date_.day) + timedelta(hours=hour)
    return int(midnight.replace(tzinfo=ZONE).timestamp()) * SECOND
