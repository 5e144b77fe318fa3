"""Whether a process wants more requests: what tells a load balancer before connections are refused."""

import asyncio
import time

WATCHED_S = 60.0  # after a probe, another one is expected within this time


class Readiness:
    """The answer to probes of `/health/ready`, which becomes no when the process is about to stop."""

    def __init__(self) -> None:
        self.is_draining = False
        self._asked_at: float | None = None
        self._told = asyncio.Event()

    def ask(self) -> bool:
        """Whether the process is ready, as far as it knows itself: a probe asks."""
        self._asked_at = time.monotonic()
        if self.is_draining:
            self._told.set()
        return not self.is_draining

    async def drain(self, max_seconds: float) -> None:
        """Say no from now on. Returns when a probe has received it, or nobody seems to probe."""
        self.is_draining = True
        if self._asked_at is None or time.monotonic() - self._asked_at > WATCHED_S:
            return
        try:
            async with asyncio.timeout(max_seconds):
                await self._told.wait()
        except TimeoutError:
            pass
