"""The windows of a range: of a fixed duration, a calendar unit or shifts, or between times of the day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import pairwise
from threading import Lock
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cachetools import LRUCache, cached

from resolvers.context import Context
from resolvers.limits import Limits
from resolvers.rules.checks import find_zone
from resolvers.series.calendar import (
    CalendarUnitName,
    find_first_day,
    find_instant,
    find_midnight,
    find_next_day,
    list_hours,
    to_local,
)
from resolvers.series.ranges import RequestedRange, UnitName, zone_in_force
from resolvers.series.shifts import LocalShifts, list_shifts, require_shifts
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.samples import SECOND
from stores.contracts.series_queries import Windows
from stores.entities.shift_plans import MAX_SHIFTS

MAX_CACHED_WINDOWS = 200_000  # of all ranges together: 8 MB
HOUR = 3600 * SECOND
# The shortest window of each unit, of shifts on average: clocks are changed by up to two hours.
SHORTEST: dict[UnitName, int] = {
    "shift": 22 * HOUR // (2 * MAX_SHIFTS),  # and as many windows between them
    "hour": HOUR // 2,
    "day": 22 * HOUR,
    "week": 166 * HOUR,
    "month": 670 * HOUR,
}


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How windows follow each other: exactly one of `duration`, `unit` and `day_times`.

    A duration (nanoseconds) is counted from 1970 and `offset`. `day_times` are local times at which the
    windows of each day begin, such as those of shifts.
    """

    duration: int | None = None
    offset: int = 0
    unit: UnitName | None = None
    day_times: tuple[time, ...] = ()

    def __post_init__(self) -> None:
        if (self.duration is not None) + (self.unit is not None) + bool(self.day_times) != 1:
            raise BadUserInput(
                "`every` needs exactly one of `duration`, `unit` and `dayTimes`.", fields=["every"]
            )
        if self.duration is not None and self.duration <= 0:
            raise BadUserInput("`every` must be longer than zero.", fields=["every"])
        if self.offset and self.duration is None:
            raise BadUserInput("`offset` of `every` requires `duration`.", fields=["every.offset"])
        if len(set(self.day_times)) < len(self.day_times):
            raise BadUserInput("`dayTimes` has a time twice.", fields=["every.dayTimes"])

    @property
    def shortest(self) -> int:
        """About the shortest duration of a window, in nanoseconds."""
        if self.unit is not None:
            return SHORTEST[self.unit]
        return self.duration or SHORTEST["day"] // len(self.day_times)


@dataclass(frozen=True, slots=True)
class ShiftWindows(Windows):
    """The windows of shifts, and those of the time between them: `names` has None for the latter."""

    names: tuple[str | None, ...] = ()

    __hash__ = Windows.__hash__


def find_shift_names(windows: Windows) -> dict[int, str] | None:
    """Return by start the names of the windows that are shifts; None if the windows are none of shifts."""
    if not isinstance(windows, ShiftWindows):
        return None
    return {window.start: window.shift for window in list_windows(windows) if window.shift is not None}


class ListedWindow(NamedTuple):
    """A window with its position among all, and the name of the shift that it is, if it is one."""

    position: int
    start: int
    end: int
    shift: str | None


def list_windows(windows: Windows) -> Iterator[ListedWindow]:
    """Yield the windows that are answered: those between shifts are left out."""
    names = windows.names if isinstance(windows, ShiftWindows) else None
    for index, (start, end) in enumerate(pairwise(windows.edges)):
        if names is None or names[index] is not None:
            yield ListedWindow(index, start, end, None if names is None else names[index])


def resolve_windows(
    context: Context, requested: RequestedRange, every: WindowRule, start: int, stop: int
) -> Windows:
    """Return the windows between the times that a range means. Raises as `make_windows` does."""
    zone, limits = zone_in_force(context, requested), context.viewer.series.limits
    return make_windows(start, stop, every, zone, limits, requested.shifts)


# A window takes about 40 bytes, for its edge and the reference to it.
@cached(LRUCache(MAX_CACHED_WINDOWS, lambda windows: len(windows.edges)), lock=Lock())
def make_windows(
    start: int,
    stop: int,
    every: WindowRule,
    zone_name: str,
    limits: Limits,
    shifts: LocalShifts | None = None,
) -> Windows:
    """Return the windows of a range in a time zone.

    Raises `BadUserInput` for an unknown time zone, and `LimitExceeded` before too many windows are made.
    """
    zone = find_zone(zone_name)
    if (stop - start) // every.shortest > limits.windows:
        advice = "Widen `every`, or request a shorter range (series.max_windows)."
        raise LimitExceeded("windows", limits.windows, advice=advice, fields=["every"])
    if every.duration is not None:
        first = (start - every.offset) // every.duration * every.duration + every.offset
        return Windows(tuple(range(first, stop + every.duration, every.duration)), every.duration)
    try:
        if every.unit == "shift":
            return _make_shift_windows(start, stop, require_shifts(shifts))
        edges = _list_edges(start, stop, every.unit, every.day_times, zone)
    except (OverflowError, ValueError):
        raise BadUserInput("The range is outside the calendar.", fields=["range"]) from None
    widths = {following - edge for edge, following in pairwise(edges)}
    return Windows(edges, widths.pop() if len(widths) == 1 else None, every.unit, zone_name)


def _make_shift_windows(start: int, stop: int, shifts: LocalShifts) -> ShiftWindows:
    edges: list[int] = [start]
    names: list[str | None] = []
    for shift in list_shifts(shifts, start, stop):
        if shift.start <= start:
            edges = [shift.start]
        elif shift.start > edges[-1]:
            edges.append(shift.start)
            names.append(None)
        edges.append(shift.end)
        names.append(shift.name)
    if edges[-1] < stop:
        edges.append(stop)
        names.append(None)
    return ShiftWindows(tuple(edges), names=tuple(names))


def _list_edges(
    start: int, stop: int, unit: CalendarUnitName | None, day_times: tuple[time, ...], zone: ZoneInfo
) -> tuple[int, ...]:
    day = to_local(start, zone).date()
    if unit == "hour":
        candidates = list_hours(day, zone)
    elif unit is not None:
        candidates = _list_days(day, unit, zone)
    else:
        candidates = _list_day_times(day, sorted(day_times), zone)
    edges: list[int] = []
    for edge in candidates:
        if edges and edges[-1] >= stop:
            break
        if edge <= start:
            edges = [edge]
        elif edge > edges[-1]:  # otherwise clocks skip the whole window
            edges.append(edge)
    return tuple(edges)


def _list_days(day: date, unit: CalendarUnitName, zone: ZoneInfo) -> Iterator[int]:
    """Yield the starts of the days, weeks or months from the one that a day is in."""
    day = find_first_day(day, unit)
    while True:
        yield find_midnight(day, zone)
        day = find_next_day(day, unit)


def _list_day_times(day: date, times: list[time], zone: ZoneInfo) -> Iterator[int]:
    """Yield the instants of times of the day, from the day before on."""
    day -= timedelta(days=1)
    while True:
        for clock in times:
            yield find_instant(day, clock, zone)
        day += timedelta(days=1)
