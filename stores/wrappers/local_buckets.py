"""Buckets that go on in this process while the server that shares them is away."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from stores.contracts.buckets import Account, Buckets, Slots, Verdict
from stores.contracts.errors import Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)
RETRY_INTERVAL_S = 1.0


class BucketsWithFallback(Buckets):
    """Uses `shared`, or `local` while it is away: each process limits by itself then, and says so once.

    The server is tried again once a second, so that no more than one request a second waits for it.
    """

    def __init__(self, shared: Buckets, local: Buckets, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared, self._local, self._clock = shared, local, clock
        self._retry_at: float | None = None  # while the server is away

    async def acquire(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> Verdict:
        return await self._use(lambda buckets: buckets.acquire(accounts, amount, slots, request_id))

    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        return await self._use(lambda buckets: buckets.release(accounts, amount, slots, request_id))

    async def close(self) -> None:
        await self._shared.close()

    async def _use(self, call: Callable[[Buckets], Awaitable[T]]) -> T:
        if self._retry_at is None or self._clock() >= self._retry_at:
            if self._retry_at is not None:
                self._retry_at = self._clock() + RETRY_INTERVAL_S  # only this request tries
            try:
                result = await call(self._shared)
            except Unavailable as error:
                if self._retry_at is None:
                    log.warning("limits.store: %s; each process limits by itself meanwhile", error.message)
                self._retry_at = self._clock() + RETRY_INTERVAL_S
            else:
                if self._retry_at is not None:
                    log.info("limits.store: Redis answers again; the budgets are shared")
                    self._retry_at = None
                return result
        return await call(self._local)
