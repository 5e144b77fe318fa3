"""Finishing what other gateways, or this one before it was stopped, have recorded and not finished."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from stores.backends.mongo.connection import MongoConnection
from stores.backends.mongo.operations import OPERATIONS
from stores.backends.mongo.repetitions import Repetitions
from stores.contracts.documents import Document
from stores.contracts.errors import GatewayError
from stores.contracts.tasks import end_tasks

log = logging.getLogger(__name__)
INTERVAL_S = 10.0
MAX_WAIT_S = 1.0  # for the lock of one database: its owner may be at work


class Recovery:
    """Finishes recorded operations before the first use of the store, and every `INTERVAL_S` after that."""

    def __init__(
        self,
        connection: MongoConnection,
        repetitions: Repetitions,
        finish: Callable[[str], Awaitable[None]],
    ) -> None:
        self._connection, self._repetitions, self._finish = connection, repetitions, finish
        self._first: asyncio.Task[None] | None = None
        self._periodic: asyncio.Task[None] | None = None
        self.is_done = False

    async def recover_before_first_use(self) -> None:
        """Finish what is recorded, once for all calls that wait for it. Raises `Unavailable`."""
        if self._first is None:
            self._first = asyncio.create_task(self.run(is_start=True))
        try:
            await asyncio.shield(self._first)
        except GatewayError:
            self._first = None  # the next call tries again
            raise
        if not self.is_done:
            self.is_done = True
            self._periodic = asyncio.create_task(self._repeat())

    async def close(self) -> None:
        await end_tasks(task for task in (self._first, self._periodic) if task is not None)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.run()
                await self._repetitions.purge()
            except GatewayError as error:
                log.warning("recorded operations are not finished yet: %s", error)

    async def run(self, *, is_start: bool = False) -> None:
        """Finish what is recorded, and sweep what is due (at the start: all). Busy databases are left out."""
        operations = self._connection.collection(self._connection.default, OPERATIONS)
        async with self._connection.command():
            due: Document = (
                {} if is_start else {"$or": [{"sweep_at": None}, {"sweep_at": {"$lt": time.time()}}]}
            )
            databases = await operations.distinct("database", due)
        for database in databases:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAX_WAIT_S):
                    await self._finish(database)
