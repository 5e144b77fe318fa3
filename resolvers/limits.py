"""The limits that an operator sets for the time series of a request."""

from dataclasses import dataclass

from stores.contracts.series import SECOND

DAY = 24 * 3600 * SECOND  # in nanoseconds


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest range (nanoseconds), the windows of one series, and the points of one response."""

    range: int = 400 * DAY
    windows: int = 50_000
    points: int = 1_000_000


LIMITS = Limits()
