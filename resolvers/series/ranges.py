"""Requested ranges of time, and the times that they mean."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from resolvers.context import Context
from resolvers.limits import DAY, Limits
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import END_OF_TIME, SECOND
from stores.contracts.times import WrittenTime


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """A range from `start` to `stop` (by default now), or the `last` nanoseconds up to now.

    `zone` is the IANA time zone of its times without an offset and of its calendar units; None for that of
    the settings.
    """

    start: WrittenTime | None = None
    stop: WrittenTime | None = None
    last: int | None = None
    zone: str | None = None


def zone_in_force(context: Context, requested: RequestedRange) -> str:
    """Return the name of the time zone of a range's local times and calendar units."""
    return context.viewer.series.time_zone if requested.zone is None else requested.zone


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
    if (requested.last is None) == (requested.start is None):
        raise BadUserInput("a range needs either `last`, or `from` and optionally `to`", fields=["range"])
    if requested.last is not None:
        if requested.stop is not None:
            raise BadUserInput("a range with `last` ends now: omit `to`", fields=["range.to"])
        if requested.last <= 0:
            raise BadUserInput("`last` must be longer than zero", fields=["range.last"])
        start, stop = now - requested.last, now + 1
    else:
        assert requested.start is not None
        start = _find_instant(requested.start, zone)
        stop = now + 1 if requested.stop is None else _find_instant(requested.stop, zone)
    if stop <= start:
        raise BadUserInput("the range is empty, or ends before it begins", fields=["range"])
    if stop - start > limits.range + SECOND:
        days = limits.range // DAY
        raise LimitExceeded(
            "range_days", days, advice="The range is too long (series.max_range_days).", fields=["range"]
        )
    return start, END_OF_TIME if open_ended and requested.stop is None else stop


def _find_instant(time: WrittenTime, zone: ZoneInfo) -> int:
    """Return the nanoseconds since 1970 of a time that a series can have."""
    try:
        instant = time.nanoseconds(zone)
    except (OverflowError, ValueError):
        instant = END_OF_TIME
    if abs(instant) >= END_OF_TIME:
        raise BadUserInput("a range lies between the years 1678 and 2262", fields=["range"])
    return instant


def find_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone. Raises `BadUserInput` for any other name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the database
        raise BadUserInput(
            f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin", fields=["timeZone"]
        ) from None
