"""A circuit breaker: while a store is down, calls fail at once instead of waiting for their deadlines."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.contracts.errors import GatewayError, Unavailable
from stores.contracts.outcomes import NOT_APPLIED
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
log = logging.getLogger(__name__)
MAX_FAILURES = 5  # in a row
PROBE_INTERVAL_S = 0.5
PROBE_WAIT_S = 1.0
MAX_RETRY_AFTER_S = 60.0


class CircuitBreaker(Interceptor):
    """Rejects calls with `Unavailable` while the store is down, and probes it by one call from time to time.

    The store is taken to be down after five failures in a row, or for as long as it asks to be left alone
    (`Retry-After`). The first call that the store answers closes the circuit again. Calls that come with a
    probe wait up to a second for its result, so that the first request after an outage is answered as a
    whole. `store` names the store in messages.
    """

    def __init__(self, store: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._failures = 0
        self._retry_at: float | None = None  # while the circuit is open
        self._probe: asyncio.Event | None = None  # is set when the probe has ended
        self._probe_began = 0.0

    @property
    def is_suspended(self) -> bool:
        return self._retry_at is not None

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if self._retry_at is None:
            return await self._attempt(proceed)
        if self._probe is not None:
            await self._wait_for(self._probe)
            if self._retry_at is None:
                return await self._attempt(proceed)
        if self._probe is not None or self._clock() < self._retry_at:
            raise self._make_rejection(call)
        self._probe, self._probe_began = asyncio.Event(), self._clock()
        try:
            return await self._attempt(proceed, is_probe=True)
        finally:
            self._probe.set()
            self._probe = None

    async def _wait_for(self, probe: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(max(self._probe_began + PROBE_WAIT_S - self._clock(), 0.0)):
                await probe.wait()
        except TimeoutError:
            pass  # the probe may take as long as its deadline, the other calls do not

    async def _attempt(self, proceed: Callable[[], Awaitable[T]], *, is_probe: bool = False) -> T:
        try:
            result = await proceed()
        except Unavailable as error:
            self._count_failure(error, is_probe)
            raise
        except GatewayError:
            self._close()
            raise
        self._close()
        return result

    def _make_rejection(self, call: StoreCall) -> Unavailable:
        error = Unavailable(f"The {self._store} does not answer, it is tried again every half a second.")
        if call.is_write:
            error.extensions["outcome"] = NOT_APPLIED
        return error

    def _count_failure(self, error: Unavailable, is_probe: bool) -> None:
        if not error.is_outage:
            self._close()
            return
        self._failures += 1
        if error.retry_after_s is not None:
            self._open(min(error.retry_after_s, MAX_RETRY_AFTER_S))
        elif is_probe or (self._retry_at is None and self._failures >= MAX_FAILURES):
            self._open(PROBE_INTERVAL_S)

    def _open(self, pause_s: float) -> None:
        if self._retry_at is None:
            log.warning(
                "the %s is not called for %g s, after %d failures", self._store, pause_s, self._failures
            )
        self._retry_at = self._clock() + pause_s

    def _close(self) -> None:
        self._failures = 0
        if self._retry_at is not None:
            log.info("the %s answers again", self._store)
            self._retry_at = None
