"""The windows of a range: of a fixed duration, or of a unit of the local calendar."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from resolvers.limits import Limits
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import SECOND, Windows

CalendarUnitName = Literal["hour", "day", "week", "month"]
HOUR = 3600 * SECOND
# The shortest window of each unit: clocks are changed by up to two hours.
SHORTEST: dict[CalendarUnitName, int] = {
    "hour": HOUR // 2,
    "day": 22 * HOUR,
    "week": 166 * HOUR,
    "month": 670 * HOUR,
}


@lru_cache(maxsize=64)
def make_windows(
    start: int, stop: int, every: int | CalendarUnitName, zone_name: str, limits: Limits
) -> Windows:
    """Return the windows of a range: multiples of `every` nanoseconds since 1970, or units of the calendar.

    Raises `BadUserInput` for a width of zero or an unknown time zone, and `LimitExceeded` before too many
    windows are made.
    """
    zone = _find_zone(zone_name)
    width = every if isinstance(every, int) else SHORTEST[every]
    if width <= 0:
        raise BadUserInput("`every` must be longer than zero", fields=["every"])
    if (stop - start) // width > limits.windows:
        raise LimitExceeded(
            f"the range has more than {limits.windows} windows (series.max_windows): widen `every`",
            fields=["every"],
            limit=limits.windows,
        )
    if isinstance(every, int):
        return Windows(tuple(range(start // every * every, stop + every, every)), every)
    edges = _list_calendar_edges(start, stop, every, zone)
    widths = {following - edge for edge, following in pairwise(edges)}
    return Windows(edges, widths.pop() if len(widths) == 1 else None, every, zone_name)


def _find_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the database
        raise BadUserInput(
            f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin", fields=["timeZone"]
        ) from None


def _list_calendar_edges(start: int, stop: int, unit: CalendarUnitName, zone: ZoneInfo) -> tuple[int, ...]:
    try:
        local = datetime.fromtimestamp(start // SECOND, zone)
        day = _get_first_day(local.date(), unit)
        edges = [_start_of_hour(local) if unit == "hour" else _start_of_day(day, zone)]
        while edges[-1] < stop:
            if unit == "hour":
                edges.append(_get_next_hour(edges[-1], zone))
            else:
                day = _get_next_day(day, unit)
                edges.append(_start_of_day(day, zone))
    except (OverflowError, ValueError):
        raise BadUserInput("the range is outside of the calendar", fields=["range"]) from None
    return tuple(edges)


def _get_first_day(day: date, unit: CalendarUnitName) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _get_next_day(day: date, unit: CalendarUnitName) -> date:
    if unit == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if unit == "week" else 1)


def _start_of_day(day: date, zone: ZoneInfo) -> int:
    """Return the time at which a local day begins; if clocks skip midnight, the time at which they do."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND


def _start_of_hour(local: datetime) -> int:
    time = local.astimezone(UTC) - timedelta(minutes=local.minute, seconds=local.second)
    return int(time.timestamp()) * SECOND


def _get_next_hour(edge: int, zone: ZoneInfo) -> int:
    """Return the start of the next local hour; if clocks change by half an hour, it is half an hour away."""
    minute = datetime.fromtimestamp(edge // SECOND, zone).minute
    return edge + (60 - minute) * 60 * SECOND
