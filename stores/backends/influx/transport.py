"""How both InfluxDB backends send queries and read answers: in batches of machines, with the same errors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from stores.contracts.errors import Unavailable

T = TypeVar("T")
A = TypeVar("A", str, bytes)
log = logging.getLogger(__name__)
MAX_MACHINES_PER_QUERY = 1000
THREAD_DECODE_BYTES = 1_000_000  # a longer answer is decoded in a thread
THREAD_COLLECT_ROWS = 2_000  # of an answer; more take several milliseconds to be collected
NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)  # see `stores.wrappers.deadline`
REFUSED = "The time-series store rejects the request."
UNREADABLE = "The time-series store sent an answer that cannot be read."
OUTAGES = (429, 502, 503, 504)  # of the server, or of a proxy in front of it
TRANSPORT_ERRORS = (
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
    ValueError,  # a token that cannot be sent in a header
)
# What reading an answer raises that does not have the expected shape.
SHAPE_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class UnreadableAnswer(Exception):
    """An answer is not of the expected format: HTML, another JSON value, or cut off."""


@contextmanager
def report_errors_as_unavailable(server: str) -> Iterator[None]:
    """Raise `Unavailable` for everything that can go wrong with a request before its answer is complete."""
    try:
        yield
    except TRANSPORT_ERRORS as error:
        log.warning("%s: %s: %s", server, type(error).__name__, error)
        raise Unavailable("The time-series store does not answer.", is_outage=True) from None


@contextmanager
def reading(server: str) -> Iterator[None]:
    """Raise `Unavailable` if the rows of an answer are not what they should be."""
    try:
        yield
    except (UnreadableAnswer, *SHAPE_ERRORS) as error:
        log.warning("%s: the answer cannot be read: %s: %s", server, type(error).__name__, error)
        raise Unavailable(UNREADABLE) from None


def make_missing_database_error(server: str, database: str) -> Unavailable:
    """Return the error for a database (or bucket) that does not exist on the server."""
    log.warning(
        "%s: the database %r does not exist; check series.database and series.databases", server, database
    )
    return Unavailable(f"The time-series store has no database {database!r}.")


def refusal(server: str, status: int, body: str, retry_after: str | None) -> Unavailable:
    """Return the error for an answer that is not a success."""
    log.warning("%s: status %d: %s", server, status, body[:500])
    if status in OUTAGES:
        pause = parse_retry_after(retry_after)
        if status == 429:
            return Unavailable(
                "The time-series store is overloaded, try again later.",
                is_outage=True,
                retry_after_s=pause or 1.0,
            )
        return Unavailable("The time-series store does not answer.", is_outage=True, retry_after_s=pause)
    return Unavailable(REFUSED)


def parse_retry_after(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header, which is a number or a date, or None if it has none."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _split_into_chunks(machines: Sequence[str] | None, size: int) -> Iterator[Sequence[str] | None]:
    """Yield the machines without repetitions, `size` at a time; None, which stands for all, as it is."""
    if machines is None:
        yield None
        return
    unique = sorted(set(machines))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]


async def query_in_chunks(
    machines: Sequence[str] | None, query: Callable[[Sequence[str] | None], Awaitable[list[T]]]
) -> list[T]:
    """Return the rows of a query that is sent once for each thousand machines.

    If one fails, its error is raised after all have ended, so that no request is left behind.
    """
    chunks = _split_into_chunks(machines, MAX_MACHINES_PER_QUERY)
    results = await asyncio.gather(*map(query, chunks), return_exceptions=True)
    rows: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        rows += result
    return rows


async def decode(server: str, answer: A, parse: Callable[[A], list[T]]) -> list[T]:
    """Return the rows of an answer; a long one is parsed in a thread. Raises `Unavailable`."""
    with reading(server):
        if len(answer) > THREAD_DECODE_BYTES:
            return await asyncio.to_thread(parse, answer)
        return parse(answer)


async def collect(server: str, rows: Sequence[Any], work: Callable[[], T]) -> T:
    """Return the result of work on the rows of an answer. Raises `Unavailable`.

    A thread does it if there are many. It frees them too, which takes as long as to read them.
    """

    def work_and_free() -> T:
        result = work()
        if isinstance(rows, list):
            rows.clear()
        return result

    with reading(server):
        return await asyncio.to_thread(work_and_free) if len(rows) > THREAD_COLLECT_ROWS else work()
