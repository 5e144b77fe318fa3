"""The calls that a request makes, written down: for traces, and for tests of what a request costs."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class CallCounter(Interceptor):
    """`calls` holds a line for each call in order, such as `find cnc_devices`."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(str(call))
        return await proceed()
