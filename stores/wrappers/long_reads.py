"""A queue for the long reads of a store, which neither time out together nor hold up the short ones."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
LONG_READS = frozenset(
    ("points", "changes", "areas", "counters", "neighbours")
)  # of time series: what they read has no known length
LONG_SAMPLES = 100_000  # that other reads are likely to read; a tenth of a second and more


class LongReadQueue(Interceptor):
    """Lets `size` long reads run at a time. The others wait in their order, and other calls do not wait.

    Put it outside a `Deadline`: a read that waits its turn is not an outage. Its request has an end anyway.
    """

    def __init__(self, size: int) -> None:
        self._turns = asyncio.Semaphore(size)

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if call.operation not in LONG_READS and call.presume_samples() < LONG_SAMPLES:
            return await proceed()
        async with self._turns:
            return await proceed()
