"""What a caller must not see: it reads as the empty database that it is, and takes no writes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.contracts.errors import NotFound
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class Hidden(Interceptor):
    """Passes on reads, and answers writes as an organization does that does not exist."""

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if call.is_write:
            raise NotFound("Organization not found")
        return await proceed()
