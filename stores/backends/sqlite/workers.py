"""Threads that do blocking work for an event loop, each with a connection of its own.

A call can be abandoned until it begins to commit: one that still waits is never done, one that waits for a
lock or runs a statement is stopped.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import apsw

T = TypeVar("T")
LONGEST_WAIT_S = 0.05  # between two tries for a lock


class Abandoned(Exception):
    """The caller has given up: what was begun is rolled back."""


class Call(Generic[T]):
    """One call of `work`, with its way back to the event loop of its caller."""

    def __init__(self, work: Callable[["Call[T]", apsw.Connection], T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._abandoned = self._committing = False
        self.has_failed = False  # SQLite reported an error other than an interruption
        self.future: asyncio.Future[T] = self._loop.create_future()

    def abandon(self) -> bool:
        """Stop the call; False if it is too late for that, because it has begun to commit."""
        with self._lock:
            if self._committing:
                return False
            self._abandoned = True
            if self._connection is not None:
                self._connection.interrupt()
            return True

    def begin_commit(self) -> None:
        """From here on the call cannot be abandoned. Raises `Abandoned` if it was already."""
        with self._lock:
            if self._abandoned:
                raise Abandoned
            self._committing = True

    def wait_for_lock(self, attempt: int) -> bool:
        """SQLite's busy handler: wait a moment, and try again as long as somebody waits for the result."""
        time.sleep(min(0.001 * 2**attempt, LONGEST_WAIT_S) if attempt < 10 else LONGEST_WAIT_S)
        return not self._abandoned

    def run(self, connect: Callable[[], apsw.Connection]) -> None:
        """Do the work on the worker's connection and deliver its result, or its exception."""
        if self._abandoned:
            return
        try:
            connection = connect()
            connection.set_busy_handler(self.wait_for_lock)
            with self._lock:
                self._connection = connection
            try:
                result = self._work(self, connection)
            finally:
                connection.set_busy_handler(None)  # it would keep the call, and so its result
                with self._lock:
                    self._connection = None
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self._deliver(self._fail, error)
        else:
            self._deliver(self._succeed, result)

    def _deliver(self, finish: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(finish, value)

    def _succeed(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Workers:
    """`count` threads that share a queue of calls. They start with the first call."""

    def __init__(self, name: str, count: int, connect: Callable[[], apsw.Connection]) -> None:
        self._name, self._count, self._connect = name, count, connect
        self._calls: queue.SimpleQueue[Call[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running: set[Call[Any]] = set()

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return self._calls.qsize()

    def submit(self, call: Call[Any]) -> None:
        if not self._threads:
            names = (f"{self._name}-{number}" for number in range(self._count))
            # Daemon threads: a process that ends without closing its stores must not wait for them.
            self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()
        self._calls.put(call)

    def stop(self) -> None:
        """Abandon what runs, let go of the connections and wait for the threads."""
        for call in list(self._running):
            call.abandon()
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _serve(self) -> None:
        connection: apsw.Connection | None = None

        def connected() -> apsw.Connection:
            nonlocal connection
            if connection is None:
                connection = self._connect()
            return connection

        while (call := self._calls.get()) is not None:
            self._running.add(call)
            call.run(connected)
            self._running.discard(call)
            if connection is not None and (call.has_failed or not _is_reusable(connection)):
                connection.close(True)
                connection = None
            del call  # it would keep its result until the next call
        if connection is not None:
            connection.close(True)


def _is_reusable(connection: apsw.Connection) -> bool:
    """Whether a connection may serve another call.

    A statement or a transaction that outlived its call would pin a snapshot and stop checkpoints. One that
    was opened on a read-only disk would keep this process from writing once the disk is writable.
    """
    return connection.txn_state() == apsw.SQLITE_TXN_NONE and not connection.readonly("main")
