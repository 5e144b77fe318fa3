"""The shifts of an application's plan: when each of them begins and ends, whatever clocks do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from cachetools import LRUCache, cached

from resolvers.limits import DAY
from resolvers.rules.checks import find_zone
from resolvers.series.calendar import find_instant, to_local
from resolvers.series.spans import Spans
from stores.contracts.errors import BadUserInput
from stores.entities.shift_plans import WEEKDAYS, Break, Shift, ShiftPlan

MAX_CACHED_SPANS = 20_000  # of all ranges together: 3 MB
SEARCHED_DAYS = 15  # before now, for a shift that has ended: a plan has one in every week


@dataclass(frozen=True, slots=True)
class LocalShifts:
    """A shift plan in a time zone, which is an IANA name."""

    plan: ShiftPlan
    zone: str


@dataclass(frozen=True, slots=True)
class ShiftSpan:
    """One shift from `start` to `end`, in nanoseconds since 1970, with its planned breaks.

    `day` is the local day on which it starts.
    """

    name: str
    day: date
    start: int
    end: int
    breaks: tuple[tuple[int, int], ...]


def require_shifts(shifts: LocalShifts | None) -> LocalShifts:
    """Return the shifts. Raises `BadUserInput` if there is no plan."""
    if shifts is None:
        raise BadUserInput(
            "SHIFT requires the shift plan of an application: set it with the mutation `setShiftPlan`.",
            fields=["shiftPlan"],
        )
    return shifts


def list_shifts(shifts: LocalShifts, start: int, stop: int) -> list[ShiftSpan]:
    """Return the shifts that lie in a range at least partly, oldest first.

    A shift that clocks skip is left out.
    """
    zone = find_zone(shifts.zone)
    first, last = to_local(start, zone).date() - timedelta(days=1), to_local(stop, zone).date()
    spans = [
        span
        for number in range((last - first).days + 1)
        for span in _list_shifts_of_day(shifts.plan, first + timedelta(days=number), zone)
        if span.start < stop and start < span.end and span.start < span.end
    ]
    return sorted(spans, key=lambda span: span.start)


def find_current_shift(shifts: LocalShifts, now: int) -> ShiftSpan | None:
    """Return the shift that is going on, or None."""
    return next(iter(list_shifts(shifts, now, now + 1)), None)


def find_previous_shift(shifts: LocalShifts, now: int) -> ShiftSpan:
    """Return the last shift that has ended."""
    return [span for span in list_shifts(shifts, now - SEARCHED_DAYS * DAY, now) if span.end <= now][-1]


@cached(LRUCache(MAX_CACHED_SPANS, len), lock=Lock())
def list_planned_spans(shifts: LocalShifts, start: int, stop: int) -> Spans:
    """Return when machines are to work within a range: the shifts without their breaks, oldest first."""
    planned: list[tuple[int, int]] = []
    for span in list_shifts(shifts, start, stop):
        begin = span.start
        for pause, resumption in (*span.breaks, (span.end, span.end)):
            planned.append((max(begin, start), min(pause, stop)))
            begin = resumption
    return tuple((begin, end) for begin, end in planned if begin < end)


def _list_shifts_of_day(plan: ShiftPlan, day: date, zone: ZoneInfo) -> Iterator[ShiftSpan]:
    for shift in plan.shifts:
        if WEEKDAYS[day.weekday()] in shift.days:
            breaks = sorted(_find_bounds(shift, break_, day, zone) for break_ in shift.breaks)
            yield ShiftSpan(shift.name, day, *_find_bounds(shift, shift, day, zone), tuple(breaks))


def _find_bounds(shift: Shift, span: Shift | Break, day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return when a shift, or a break of it, begins and ends, for a shift that starts on a day."""
    begin, start, end = (time.fromisoformat(text) for text in (shift.start, span.start, span.end))
    first = day + timedelta(days=start < begin)
    return find_instant(first, start, zone), find_instant(first + timedelta(days=end <= start), end, zone)
