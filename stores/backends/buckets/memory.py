"""Buckets in the memory of one process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from stores.contracts.buckets import Account, Buckets, Slots, Verdict

MAX_BUCKETS = 10_000  # of one limit; the least recently used one is forgotten, and so is full again


class Bucket:
    """How much is in a bucket, and since when."""

    __slots__ = ("level", "since")

    def __init__(self, level: float, since: float) -> None:
        self.level, self.since = level, since


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
        for (limit, _, size), bucket in zip(accounts, buckets, strict=True):
            if bucket.level < amount and bucket.level < size:
                missing = min(amount, size) - max(bucket.level, -size)
                return Verdict(_list_levels(buckets), limit, size, missing * 60 / size)
        if slots is not None:
            self._running[slots] = running + 1
        for bucket in buckets:
            bucket.level -= amount
        return Verdict(_list_levels(buckets))

    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        if slots is not None:
            running = self._running.pop(slots, 0)
            if running > 1:
                self._running[slots] = running - 1
        buckets = self._fill(accounts)
        for (_, _, size), bucket in zip(accounts, buckets, strict=True):
            bucket.level = min(max(bucket.level + amount, -size), size)
        return _list_levels(buckets)

    def _fill(self, accounts: Sequence[Account]) -> list[Bucket]:
        """The buckets of accounts as they are now, with what has flowed in meanwhile."""
        now, filled = self._clock(), []
        for limit, owner, size in accounts:
            buckets = self._buckets.get(limit)
            if buckets is None:
                buckets = self._buckets[limit] = OrderedDict()
            bucket = buckets.get(owner)
            if bucket is None:
                bucket = buckets[owner] = Bucket(size, now)
                if len(buckets) > MAX_BUCKETS:
                    buckets.popitem(last=False)
            else:
                level = bucket.level + (now - bucket.since) * size / 60
                bucket.level, bucket.since = (level if level < size else size), now
                buckets.move_to_end(owner)
            filled.append(bucket)
        return filled


def _list_levels(buckets: list[Bucket]) -> tuple[float, ...]:
    return tuple([bucket.level for bucket in buckets])
