"""Ranges of time and the windows that they are cut into, by a fixed duration or by a calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from resolvers.limits import DAY, Limits
from stores.contracts.documents import to_milliseconds
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import END_OF_TIME, SECOND, Windows

CalendarUnitName = Literal["hour", "day", "week", "month"]
SHORTEST: dict[CalendarUnitName, int] = {
    "hour": 1800 * SECOND,
    "day": 22 * 3600 * SECOND,
    "week": 166 * 3600 * SECOND,
    "month": 670 * 3600 * SECOND,
}


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """As asked for: from a time to another (or to now), or the `last` nanoseconds up to now."""

    start: datetime | None = None
    stop: datetime | None = None
    last: int | None = None


def bounds(asked: RequestedRange, now: int, limits: Limits, *, open_ended: bool = False) -> tuple[int, int]:
    """Start and stop in nanoseconds; with `open_ended` what has no end given has none."""
    if (asked.last is None) == (asked.start is None):
        raise BadUserInput("a range has either `last`, or `from` and perhaps `to`", fields=["range"])
    if asked.last is not None and asked.stop is not None:
        raise BadUserInput("a range with `last` ends now: leave `to` out", fields=["range.to"])
    if asked.last is not None:
        if asked.last <= 0:
            raise BadUserInput("`last` must be longer than nothing", fields=["range.last"])
        start, stop = now - asked.last, now + 1
    else:
        assert asked.start is not None
        start = nanoseconds(asked.start)
        stop = now + 1 if asked.stop is None else nanoseconds(asked.stop)
    if stop <= start:
        raise BadUserInput("the range ends before it begins, or is empty", fields=["range"])
    if stop - start > limits.range + SECOND:
        days = limits.range // DAY
        raise LimitExceeded(
            f"the range is longer than {days} days (series.max_range_days)", fields=["range"], limit=days
        )
    return start, END_OF_TIME if open_ended and asked.stop is None else stop


def nanoseconds(time: datetime) -> int:
    return to_milliseconds(time) * 1_000_000


@lru_cache(maxsize=64)
def windows_of(
    start: int, stop: int, every: int | CalendarUnitName, zone_name: str, limits: Limits
) -> Windows:
    """The windows of a range: `every` so many nanoseconds since 1970, or at the calendar's local boundaries.

    Raises `BadUserInput` for a width of nothing or an unknown zone and, before any is made, `LimitExceeded`.
    """
    zone = _zone(zone_name)
    width = every if isinstance(every, int) else SHORTEST[every]
    if width <= 0:
        raise BadUserInput("`every` must be longer than nothing", fields=["every"])
    if (stop - start) // width > limits.windows:
        raise LimitExceeded(
            f"the range holds more than {limits.windows} windows (series.max_windows): widen `every`",
            fields=["every"],
            limit=limits.windows,
        )
    if isinstance(every, int):
        edges = range(start // every * every, stop + every, every)
        return Windows(tuple(edges), every)
    calendar = _edges(start, stop, every, zone)
    widths = {b - a for a, b in pairwise(calendar)}
    return Windows(calendar, widths.pop() if len(widths) == 1 else None, every, zone_name)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, or a folder of the database
        raise BadUserInput(
            f"{name!r} is no time zone; send an IANA name such as Europe/Berlin", fields=["timeZone"]
        ) from None


def _edges(start: int, stop: int, unit: CalendarUnitName, zone: ZoneInfo) -> tuple[int, ...]:
    try:
        local = datetime.fromtimestamp(start // SECOND, zone)
        edges = [_hour(local) if unit == "hour" else _midnight(_first_day(local.date(), unit), zone)]
        day = _first_day(local.date(), unit)
        while edges[-1] < stop:
            if unit == "hour":
                edges.append(_next_hour(edges[-1], zone))
            else:
                day = _next_day(day, unit)
                edges.append(_midnight(day, zone))
    except (OverflowError, ValueError):
        raise BadUserInput("the range is outside of the calendar", fields=["range"]) from None
    return tuple(edges)


def _first_day(day: date, unit: CalendarUnitName) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _next_day(day: date, unit: CalendarUnitName) -> date:
    if unit == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if unit == "week" else 1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The moment that a local day begins; where clocks jump over midnight, the moment they jump."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND


def _hour(local: datetime) -> int:
    whole = local.astimezone(UTC) - timedelta(minutes=local.minute, seconds=local.second)
    return int(whole.timestamp()) * SECOND


def _next_hour(edge: int, zone: ZoneInfo) -> int:
    """A local hour later; where clocks change by half an hour, the next hour is the half one."""
    minute = datetime.fromtimestamp(edge // SECOND, zone).minute
    return edge + (60 - minute) * 60 * SECOND
