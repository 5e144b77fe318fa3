"""What the deadline wrappers of both kinds of store share: one call, bounded in time.

A deadline covers all the waiting of a call: in queues, for locks and for the server. When it passes, the
wrapper cancels the call. A backend has no clock of its own, it stops its work when it is cancelled.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from stores.contracts.errors import Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)


async def within_deadline(store: str, deadline_s: float, call: Awaitable[T]) -> T:
    """Return the result of `call`. Raises `Unavailable` for the `store` after `deadline_s` seconds."""
    try:
        async with asyncio.timeout(deadline_s):
            return await call
    except TimeoutError:
        log.warning("%s: no answer within %g s", store, deadline_s)
        raise Unavailable(f"the {store} does not answer") from None
