"""The local calendar of a time zone: where its days and their times lie, whatever clocks do."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from stores.contracts.samples import SECOND

CalendarUnitName = Literal["hour", "day", "week", "month"]


def to_local(instant: int, zone: ZoneInfo) -> datetime:
    """Return the local time of an instant in nanoseconds, to the second."""
    return datetime.fromtimestamp(instant // SECOND, zone)


def find_instant(day: date, clock: time, zone: ZoneInfo) -> int:
    """Return the nanoseconds since 1970 at which clocks first show a time of a day.

    If clocks skip the time, it is the instant at which they do.
    """
    local = datetime.combine(day, clock, zone)
    before, after = (int(local.replace(fold=fold).timestamp()) for fold in (0, 1))
    if before <= after:  # the time exists, perhaps twice
        return before * SECOND
    # It is too late in the offset before the change, and too early in the one after it.
    new_offset = local.replace(fold=1).utcoffset()

    def is_changed(second: int) -> bool:
        return datetime.fromtimestamp(second, zone).utcoffset() == new_offset

    return (after + bisect_left(range(after, before), True, key=is_changed)) * SECOND


def find_midnight(day: date, zone: ZoneInfo) -> int:
    """Return the nanoseconds since 1970 at which a local day begins."""
    return find_instant(day, time(), zone)


def find_first_day(day: date, unit: CalendarUnitName) -> date:
    """Return the first day of the week or month that a day is in; of an hour or a day, the day itself."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def find_next_day(day: date, unit: CalendarUnitName) -> date:
    """Return the first day of the day, week or month after the one that begins with `day`."""
    if unit == "month":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if unit == "week" else 1)


def list_hours(day: date, zone: ZoneInfo) -> Iterator[int]:
    """Yield the starts of the local hours from the start of a day; a clock change may shorten an hour."""
    edge = find_midnight(day, zone)
    while True:
        yield edge
        local = to_local(edge, zone)
        edge += (3600 - local.minute * 60 - local.second) * SECOND


def move_by_days(instant: int, days: int, zone: ZoneInfo) -> int:
    """Return the instant at which clocks show the same time some days later, or earlier if negative."""
    local = to_local(instant, zone)
    moved = find_instant(local.date() + timedelta(days=days), local.time().replace(fold=0), zone)
    return moved + instant % SECOND
