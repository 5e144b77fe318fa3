"""The windows of a range: of a fixed duration, or of a unit of the local calendar."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from resolvers.limits import Limits
from resolvers.series.ranges import find_zone
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
    zone = find_zone(zone_name)
    width = every if isinstance(every, int) else SHORTEST[every]
    if width <= 0:
        raise BadUserInput("`every` must be longer than zero", fields=["every"])
    if (stop - start) // width > limits.windows:
        raise LimitExceeded(
            "windows",
            limits.windows,
            advice="The range has too many windows (series.max_windows): widen `every`.",
            fields=["every"],
        )
    if isinstance(every, int):
        return Windows(tuple(range(start // every * every, stop + every, every)), every)
    try:
        edges = _list_calendar_edges(start, stop, every, zone)
    except (OverflowError, ValueError):
        raise BadUserInput("the range is outside the calendar", fields=["range"]) from None
    widths = {following - edge for edge, following in pairwise(edges)}
    return Windows(edges, widths.pop() if len(widths) == 1 else None, every, zone_name)


def _list_calendar_edges(start: int, stop: int, unit: CalendarUnitName, zone: ZoneInfo) -> tuple[int, ...]:
    day = datetime.fromtimestamp(start // SECOND, zone).date()
    edges: list[int] = []
    for edge in _list_hours(day, zone) if unit == "hour" else _list_days(day, unit, zone):
        if edges and edges[-1] >= stop:
            break
        if edge <= start:
            edges = [edge]
        elif edge > edges[-1]:  # otherwise clocks skip the whole day
            edges.append(edge)
    return tuple(edges)


def _list_hours(day: date, zone: ZoneInfo) -> Iterator[int]:
    """Yield the starts of the local hours from the start of a day; a clock change may shorten an hour."""
    second = _get_start_of_day(day, zone)
    while True:
        yield second * SECOND
        local = datetime.fromtimestamp(second, zone)
        second += 3600 - local.minute * 60 - local.second


def _list_days(day: date, unit: CalendarUnitName, zone: ZoneInfo) -> Iterator[int]:
    """Yield the starts of the days, weeks or months from the one that a day is in."""
    if unit == "week":
        day -= timedelta(days=day.weekday())
    elif unit == "month":
        day = day.replace(day=1)
    while True:
        yield _get_start_of_day(day, zone) * SECOND
        day = (
            (day + timedelta(days=31)).replace(day=1)
            if unit == "month"
            else day + timedelta(days=7 if unit == "week" else 1)
        )


def _get_start_of_day(day: date, zone: ZoneInfo) -> int:
    """Return the second at which a local day begins; if clocks skip midnight, the one at which they do."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    before, after = (int(midnight.replace(fold=fold).timestamp()) for fold in (0, 1))
    if before <= after:  # midnight exists, perhaps twice
        return before
    # Midnight is skipped: it is too late in the offset before the change, and too early in the one after it.
    new_offset = midnight.replace(fold=1).utcoffset()

    def is_changed(second: int) -> bool:
        return datetime.fromtimestamp(second, zone).utcoffset() == new_offset

    return after + bisect_left(range(after, before), True, key=is_changed)
