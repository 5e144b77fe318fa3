"""Buckets in the memory of one process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from stores.contracts.buckets import Account, Buckets, Slots, Verdict

MAX_BUCKETS = 10_000  # of one limit; the least recently used one is forgotten, and so is full again


class MemoryBuckets(Buckets):
    """The buckets of one process. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By limit and owner: the level of a bucket, and the time when it had this level
        self._buckets: dict[str, OrderedDict[str, tuple[float, float]]] = {}
        self._running: dict[Slots, int] = {}

    async def acquire(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> Verdict:
        now = self._clock()
        levels = [self._find_level(account, now) for account in accounts]
        if slots is not None and self._running.get(slots, 0) >= slots.maximum:
            return Verdict(tuple(levels), slots.limit, slots.maximum, retry_after_s=1.0)
        for account, level in zip(accounts, levels, strict=True):
            size = account.per_minute
            if level < amount and level < size:
                missing = min(amount, size) - max(level, -size)
                return Verdict(tuple(levels), account.limit, size, missing * 60 / size)
        if slots is not None:
            self._running[slots] = self._running.get(slots, 0) + 1
        return Verdict(self._set_levels(accounts, [level - amount for level in levels], now))

    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        if slots is not None:
            running = self._running.pop(slots, 0)
            if running > 1:
                self._running[slots] = running - 1
        now = self._clock()
        levels = [max(self._find_level(account, now) + amount, -account.per_minute) for account in accounts]
        return self._set_levels(accounts, levels, now)

    def _find_level(self, account: Account, now: float) -> float:
        limit, owner, size = account
        buckets = self._buckets.get(limit)
        bucket = None if buckets is None else buckets.get(owner)
        if bucket is None:
            return size
        level = bucket[0] + (now - bucket[1]) * size / 60
        return level if level < size else size

    def _set_levels(
        self, accounts: Sequence[Account], levels: Sequence[float], now: float
    ) -> tuple[float, ...]:
        changed = []
        for (limit, owner, size), new in zip(accounts, levels, strict=True):
            level = min(new, size)
            buckets = self._buckets.get(limit)
            if buckets is None:
                buckets = self._buckets[limit] = OrderedDict()
            buckets[owner] = level, now
            buckets.move_to_end(owner)
            if len(buckets) > MAX_BUCKETS:
                buckets.popitem(last=False)
            changed.append(level)
        return tuple(changed)
