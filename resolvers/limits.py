"""What an operator allows a request to read of the time series."""

from dataclasses import dataclass

from stores.contracts.series import SECOND

DAY = 24 * 3600 * SECOND  # in nanoseconds


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a range may be (nanoseconds), how many windows a series has, how many points an answer."""

    range: int = 400 * DAY
    windows: int = 50_000
    points: int = 1_000_000


LIMITS = Limits()
