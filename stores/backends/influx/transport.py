"""How both InfluxDB backends send queries: for a thousand machines at a time, and with the same errors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from stores.contracts.errors import Unavailable
from stores.contracts.series import in_chunks

T = TypeVar("T")
A = TypeVar("A", str, bytes)
log = logging.getLogger(__name__)
MAX_MACHINES_PER_QUERY = 1000
THREAD_DECODE_BYTES = 1_000_000  # a longer answer is decoded in a thread
NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)  # see `stores.wrappers.deadline`
REFUSED = "the time-series store rejects the request"


@contextmanager
def errors_as_unavailable(server: str) -> Iterator[None]:
    """Raise `Unavailable` for everything that can go wrong with a request before its answer is complete."""
    try:
        yield
    except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
        log.warning("%s: %s: %s", server, type(error).__name__, error)
        raise Unavailable("the time-series store does not answer") from None


async def query_in_chunks(
    machines: Sequence[str] | None, query: Callable[[Sequence[str] | None], Awaitable[list[T]]]
) -> list[T]:
    """Return the rows of a query that is sent once for each thousand machines.

    If one fails, its error is raised after all have ended, so that no request is left behind.
    """
    chunks = in_chunks(machines, MAX_MACHINES_PER_QUERY)
    results = await asyncio.gather(*map(query, chunks), return_exceptions=True)
    rows: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        rows += result
    return rows


async def decode(answer: A, parse: Callable[[A], list[T]]) -> list[T]:
    """Return the rows of an answer; a long one is parsed in a thread."""
    if len(answer) > THREAD_DECODE_BYTES:
        return await asyncio.to_thread(parse, answer)
    return parse(answer)
