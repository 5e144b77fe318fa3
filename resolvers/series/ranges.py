"""Requested ranges of time, and the times that they mean."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from resolvers.context import Context
from resolvers.limits import DAY, Limits
from resolvers.rules.checks import find_zone
from resolvers.series.calendar import (
    CalendarUnitName,
    find_first_day,
    find_midnight,
    list_hours,
    move_by_days,
    to_local,
)
from resolvers.series.shifts import LocalShifts, find_current_shift, find_previous_shift, require_shifts
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.samples import END_OF_TIME, SECOND
from stores.contracts.times import WrittenDuration, WrittenTime

UnitName: TypeAlias = CalendarUnitName | Literal["shift"]


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """A range from `start` to `stop` (by default now), the `last` nanoseconds up to now, or a calendar unit.

    `current` is the unit up to now, and `previous` the whole one before it. `offsets` move the range, by days
    of the local calendar as far as they are written in days. `zone` is the IANA time zone of times without an
    offset and of calendar units; None for that of the settings. `shifts` are those of the application, if
    they are needed.
    """

    start: WrittenTime | None = None
    stop: WrittenTime | None = None
    last: int | None = None
    current: UnitName | None = None
    previous: UnitName | None = None
    offsets: tuple[WrittenDuration, ...] = ()
    zone: str | None = None
    shifts: LocalShifts | None = None

    @property
    def is_local(self) -> bool:
        """Whether the range depends on a time zone."""
        times = [time for time in (self.start, self.stop) if time is not None]
        units = self.current or self.previous
        return bool(units) or any(time.is_local for time in times) or any(o.days for o in self.offsets)


def zone_in_force(context: Context, requested: RequestedRange) -> str:
    """Return the name of the time zone of a range's local times and calendar units."""
    return context.viewer.series.time_zone if requested.zone is None else requested.zone


def merge_time(written: WrittenTime | None, milliseconds: float | None, name: str) -> WrittenTime | None:
    """Return a bound that is written as a time or in milliseconds. `name` is that of the argument.

    Raises `BadUserInput` if it is written twice, or outside the calendar.
    """
    if milliseconds is None:
        return written
    if written is not None:
        raise BadUserInput(f"Give either `{name}` or `{name}Ms`.", fields=[f"range.{name}"])
    try:
        return WrittenTime.from_milliseconds(milliseconds)
    except ValueError:
        raise BadUserInput(f"`{name}Ms` is outside the calendar.", fields=[f"range.{name}Ms"]) from None


def resolve_range(
    context: Context, requested: RequestedRange, *, open_ended: bool = False
) -> tuple[int, int]:
    """Return start and stop in nanoseconds. With `open_ended`, a range without a `stop` includes the future.

    Raises `BadUserInput` for a contradictory or empty range and `LimitExceeded` for one that is too long.
    """
    zone = find_zone(zone_in_force(context, requested))
    return to_nanoseconds(requested, zone, context.now, context.viewer.series.limits, open_ended=open_ended)


def to_nanoseconds(
    requested: RequestedRange, zone: ZoneInfo, now: int, limits: Limits, *, open_ended: bool = False
) -> tuple[int, int]:
    """Return what `resolve_range` returns, for a time zone, a time `now` and limits."""
    begins = (requested.last, requested.start, requested.current, requested.previous)
    if sum(begin is not None for begin in begins) != 1:
        raise BadUserInput(
            "A range needs one of `last`, `current`, `previous`, or `from` and optionally `to`.",
            fields=["range"],
        )
    if requested.stop is not None and requested.start is None:
        raise BadUserInput("`to` requires `from`.", fields=["range.to"])
    try:
        start, stop = _find_bounds(requested, zone, now)
        for offset in requested.offsets:
            start, stop = (_move(instant, offset, zone) for instant in (start, stop))
    except (OverflowError, ValueError):
        start = stop = END_OF_TIME
    if max(abs(start), abs(stop)) >= END_OF_TIME:
        raise BadUserInput("A range lies between the years 1678 and 2262.", fields=["range"])
    if stop <= start:
        raise BadUserInput("The range is empty, or ends before it begins.", fields=["range"])
    if stop - start > limits.range + SECOND:
        days = limits.range // DAY
        advice = "Request a shorter range (series.max_range_days)."
        raise LimitExceeded("range_days", days, advice=advice, fields=["range"])
    is_open = requested.stop is None and requested.previous is None and not requested.offsets
    return start, END_OF_TIME if open_ended and is_open else stop


def _find_bounds(requested: RequestedRange, zone: ZoneInfo, now: int) -> tuple[int, int]:
    if requested.start is not None:
        start = requested.start.nanoseconds(zone)
        return start, now + 1 if requested.stop is None else requested.stop.nanoseconds(zone)
    if requested.last is not None:
        if requested.last <= 0:
            raise BadUserInput("`last` must be longer than zero.", fields=["range.last"])
        return now - requested.last, now + 1
    unit = requested.current or requested.previous
    assert unit is not None
    if unit == "shift":
        return _find_shift_bounds(requested, now)
    today = to_local(now, zone).date()
    if unit == "hour":
        day_before = today - timedelta(days=2)  # clocks may have skipped the last day
        *_, previous, current = takewhile(lambda edge: edge <= now, list_hours(day_before, zone))
        return (current, now + 1) if requested.current else (previous, current)
    first = find_first_day(today, unit)
    if requested.current:
        return find_midnight(first, zone), now + 1
    return find_midnight(find_first_day(first - timedelta(days=1), unit), zone), find_midnight(first, zone)


def _find_shift_bounds(requested: RequestedRange, now: int) -> tuple[int, int]:
    shifts = require_shifts(requested.shifts)
    if requested.previous:
        shift = find_previous_shift(shifts, now)
        return shift.start, shift.end
    current = find_current_shift(shifts, now)
    if current is None:
        raise BadUserInput(
            "No shift is going on now: use `previous: SHIFT` for the last one.", fields=["range.current"]
        )
    return current.start, now + 1


def _move(instant: int, offset: WrittenDuration, zone: ZoneInfo) -> int:
    return move_by_days(instant, offset.days, zone) + offset.rest if offset.days else instant + offset.rest
