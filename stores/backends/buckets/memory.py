"""Buckets in the memory of one process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from stores.contracts.buckets import Account, Buckets, Slots, Verdict

MAX_BUCKETS = 10_000  # of one limit; the least recently used one is forgotten, and so is full again


class Bucket:
    """How much is in a bucket of a size, and since when."""

    __slots__ = ("level", "limit", "since", "size")

    def __init__(self, limit: str, size: int, since: float) -> None:
        self.limit, self.size, self.level, self.since = limit, size, float(size), since


class MemoryBuckets(Buckets):
    """The buckets of one process. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, OrderedDict[str, Bucket]] = {}  # by limit and owner
        self._running: dict[Slots, int] = {}

    async def acquire(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> Verdict:
        buckets = self._fill(accounts)
        running = 0 if slots is None else self._running.get(slots, 0)
        if slots is not None and running >= slots.maximum:
            return Verdict(_list_levels(buckets), slots.limit, slots.maximum, retry_after_s=1.0)
        for bucket in buckets:
            size = bucket.size
            if bucket.level < amount and bucket.level < size:
                missing = min(amount, size) - max(bucket.level, -size)
                return Verdict(_list_levels(buckets), bucket.limit, size, missing * 60 / size)
        if slots is not None:
            self._running[slots] = running + 1
        levels = []
        for bucket in buckets:
            bucket.level -= amount
            levels.append(bucket.level)
        return Verdict(tuple(levels))

    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        if slots is not None:
            running = self._running.pop(slots, 0)
            if running > 1:
                self._running[slots] = running - 1
        levels = []
        for bucket in self._fill(accounts):
            level, size = bucket.level + amount, bucket.size
            bucket.level = level if -size < level < size else math.copysign(size, level)
            levels.append(bucket.level)
        return tuple(levels)

    def _fill(self, accounts: Sequence[Account]) -> list[Bucket]:
        """The buckets of accounts as they are now, with what has flowed in meanwhile."""
        now, filled = self._clock(), []
        for limit, owner, size in accounts:
            buckets = self._buckets.get(limit)
            if buckets is None:
                buckets = self._buckets[limit] = OrderedDict()
            bucket = buckets.get(owner)
            if bucket is None:
                bucket = buckets[owner] = Bucket(limit, size, now)
                if len(buckets) > MAX_BUCKETS:
                    buckets.popitem(last=False)
            else:
                level = bucket.level + (now - bucket.since) * size / 60
                bucket.level, bucket.since = (level if level < size else size), now
                bucket.size = size  # which the settings may have changed
                buckets.move_to_end(owner)
            filled.append(bucket)
        return filled


def _list_levels(buckets: list[Bucket]) -> tuple[float, ...]:
    return tuple([bucket.level for bucket in buckets])
