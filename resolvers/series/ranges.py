"""Requested ranges of time, and the times that they mean."""

from dataclasses import dataclass
from datetime import datetime

from resolvers.limits import DAY, Limits
from stores.contracts.documents import to_milliseconds
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.series import END_OF_TIME, SECOND


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """A range from `start` to `stop` (by default now), or the `last` nanoseconds up to now."""

    start: datetime | None = None
    stop: datetime | None = None
    last: int | None = None


def resolve_range(
    requested: RequestedRange, now: int, limits: Limits, *, open_ended: bool = False
) -> tuple[int, int]:
    """Return start and stop in nanoseconds. With `open_ended`, a range without a `stop` includes the future.

    Raises `BadUserInput` for a contradictory or empty range and `LimitExceeded` for one that is too long.
    """
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
        start = _count_nanoseconds(requested.start)
        stop = now + 1 if requested.stop is None else _count_nanoseconds(requested.stop)
    if stop <= start:
        raise BadUserInput("the range is empty, or ends before it begins", fields=["range"])
    if stop - start > limits.range + SECOND:
        days = limits.range // DAY
        raise LimitExceeded(
            f"the range is longer than {days} days (series.max_range_days)", fields=["range"], limit=days
        )
    return start, END_OF_TIME if open_ended and requested.stop is None else stop


def _count_nanoseconds(time: datetime) -> int:
    return to_milliseconds(time) * 1_000_000
