"""The limits that an operator sets, and what happens to a request that is over one of them."""

import logging
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import SECOND

log = logging.getLogger(__name__)

DAY = 24 * 3600 * SECOND  # in nanoseconds


class Limits(NamedTuple):
    """Limits of time series: the longest range (nanoseconds), windows of one series, points of a response."""

    range: int = 400 * DAY
    windows: int = 50_000
    points: int = 1_000_000


LIMITS = Limits()


class LimitPolicy:
    """Which limits only warn, and how often each limit was exceeded, by its name."""

    def __init__(self, warn_only: Collection[str] = (), hits: Counter[str] | None = None) -> None:
        self._warn_only = frozenset(warn_only)
        self.hits: Counter[str] = Counter() if hits is None else hits

    def only_warns(self, name: str) -> bool:
        """Whether a request over this limit passes."""
        return name in self._warn_only

    def enforce(self, error: LimitExceeded) -> None:
        """Raise the error, or log it if its limit only warns."""
        if not self.only_warns(error.name):
            try:
                raise error
            finally:  # else the error's traceback has this frame, and this frame the error: a cycle
                del error
        self.count(error)
        log.warning("limits.warn_only let a request pass: %s", error.message)

    def count(self, error: LimitExceeded) -> None:
        """Count a request that is over a limit. Whoever answers the request with the error calls it."""
        self.hits[error.name] += 1
