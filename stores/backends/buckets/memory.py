"""Buckets in the memory of one process."""

import time
from collections.abc import Callable, Sequence

from cachetools import LRUCache

from stores.contracts.buckets import Balance, Buckets, Charge, Slot, Verdict

MAX_BUCKETS = 10_000  # of one limit; the least recently used one is forgotten, and so is full again


class MemoryBuckets(Buckets):
    """The buckets of one process. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: dict[str, LRUCache[str, tuple[float, float]]] = {}  # by limit and owner: level and time
        self._running: dict[tuple[str, str], int] = {}

    async def acquire(self, charges: Sequence[Charge], slot: Slot | None) -> Verdict:
        running = 0 if slot is None else self._running.get(slot[:2], 0)
        before = tuple(Balance(charge.per_minute, max(self._level(charge), 0.0)) for charge in charges)
        if slot is not None and running >= slot.maximum:
            return Verdict(before, slot.limit, slot.maximum, retry_after_s=1.0)
        for charge in charges:
            missing = min(charge.amount, charge.per_minute) - self._level(charge)
            if missing > 0:
                return Verdict(before, charge.limit, charge.per_minute, missing * 60 / charge.per_minute)
        if slot is not None:
            self._running[slot[:2]] = running + 1
        return Verdict(tuple(self._change(charge, -charge.amount) for charge in charges))

    async def release(self, refunds: Sequence[Charge], slot: Slot | None) -> tuple[Balance, ...]:
        if slot is not None:
            running = self._running.pop(slot[:2], 0)
            if running > 1:
                self._running[slot[:2]] = running - 1
        return tuple(self._change(refund, refund.amount) for refund in refunds)

    def _level(self, charge: Charge) -> float:
        levels = self._levels.setdefault(charge.limit, LRUCache(MAX_BUCKETS))
        level, since = levels.get(charge.owner, (charge.per_minute, self._clock()))
        return min(level + (self._clock() - since) * charge.per_minute / 60, charge.per_minute)

    def _change(self, charge: Charge, amount: float) -> Balance:
        level = min(max(self._level(charge) + amount, -charge.per_minute), charge.per_minute)
        self._levels[charge.limit][charge.owner] = level, self._clock()
        return Balance(charge.per_minute, max(level, 0.0))
