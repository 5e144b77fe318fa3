"""The body of one write, which is parsed in a thread as long as its client stays."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, TypeVar

from starlette.requests import Request

from schema.server.bodies import BadRequest
from schema.server.ingest_parsing import Batch, PointBody

T = TypeVar("T")


class BodyReader:
    """Runs the methods of a `PointBody` in the thread of an executor. Use it as a context manager."""

    def __init__(self, parser: Executor, request: Request, unit: int, future_tolerance: int) -> None:
        self._parser, self._request = parser, request
        self._is_cancelled = threading.Event()
        self.body = PointBody(unit, future_tolerance, self._is_cancelled.is_set)

    def __enter__(self) -> "BodyReader":
        self._disconnection = asyncio.create_task(_wait_for_disconnect(self._request))
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_cancelled.set()
        self._disconnection.cancel()

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return the result of the work. Raises `BadRequest` if the client disconnects before."""
        parsing = asyncio.get_running_loop().run_in_executor(self._parser, work, *arguments)
        try:
            await asyncio.wait((parsing, self._disconnection), return_when=asyncio.FIRST_COMPLETED)
            if not parsing.done():
                parsing.cancel()  # its result or failure is nobody's
                raise BadRequest(400, "the client has disconnected")
            return parsing.result()
        finally:
            del parsing  # its error has frames that hold the body, and this one: a reference cycle

    async def read(self, batches: Iterator[Batch]) -> AsyncIterator[Batch]:
        """Yield the batches, each of which is parsed when it is requested."""
        while (batch := await self.run(next, batches, None)) is not None:
            yield batch


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
