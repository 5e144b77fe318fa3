"""Equal reads of requests that run at the same time, made once for all that wait.

Dashboards read the configuration of one organization again and again. What a command costs is mostly the
sending of it, however little it reads.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from stores.contracts.document_store import DatabaseCollection
from stores.contracts.documents import Document, Query
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.shared_work import SharedWork

T = TypeVar("T")
MAX_WAIT_S = 0.05  # for an equal read that is running


class ReadsInTurn:
    """Makes equal reads one after another: those that come while one is running share the next one.

    Nobody gets data that was read before it was asked for: a read is shared until it begins, and not later.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future[None]] = {}  # complete when the latest read ends
        self._next: dict[Hashable, SharedWork[Any]] = {}

    async def run(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `read` returns, or what an equal one does that begins later than this call.

        Reads with the same key are equal.
        """
        running = self._running.get(key)
        if running is None:
            return await self._read(key, read)
        work = self._next.get(key)
        if work is None or not work.is_running:
            work = self._next[key] = SharedWork(self._read_after(running, key, read))
            work.when_done(lambda: self._forget(key, work))
        result: T = await work.wait()
        return result

    async def _read_after(
        self, running: asyncio.Future[None], key: Hashable, read: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        await asyncio.wait([running], timeout=MAX_WAIT_S)
        del self._next[key]
        return await self._read(key, read)

    async def _read(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        end = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            return await read()
        finally:
            end.set_result(None)
            if self._running.get(key) is end:
                del self._running[key]

    def _forget(self, key: Hashable, work: SharedWork[Any]) -> None:
        """Forget a read that was cancelled before it began."""
        if self._next.get(key) is work:
            del self._next[key]


class SharedReadsStore(WrappedDocumentStore):
    """A document store around one on a server: equal reads across databases are made in turn.

    These are what organizations consist of, and counts: results that no caller changes. Reads of one database
    are longer, and each is made at once.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._reads = ReadsInTurn()

    async def find_across(
        self, collections: Sequence[DatabaseCollection], query: Query
    ) -> list[list[Document] | Exception]:
        find = super().find_across
        return await self._reads.run((*collections, query), lambda: find(collections, query))

    async def count_across(self, collections: Sequence[DatabaseCollection]) -> list[int | Exception]:
        count = super().count_across
        return await self._reads.run((*collections,), lambda: count(collections))
