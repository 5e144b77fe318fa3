"""Work that several callers wait for, and that is done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from stores.contracts.request_record import make_shared_context

T = TypeVar("T")


class SharedWork(Generic[T]):
    """Runs as a task of its own. A caller that is cancelled leaves the others their result.

    The task is observed as part of the request that began it, and has no other of its context variables, so
    that it does not end with that request. It is cancelled when nobody waits for it any more, and
    `when_unwanted` is called then.
    """

    def __init__(
        self, work: Coroutine[Any, Any, T], when_unwanted: Callable[[], None] = lambda: None
    ) -> None:
        self._when_unwanted = when_unwanted
        self._task = asyncio.get_running_loop().create_task(work, context=make_shared_context())
        self._waiting = 0

    @property
    def is_running(self) -> bool:
        """Whether somebody may still wait for the result."""
        return not self._task.done() and not self._task.cancelling()

    async def wait(self) -> T:
        """Return the result, or raise what the work raises."""
        self._waiting += 1
        try:
            await asyncio.wait((self._task,))
        finally:
            self._waiting -= 1
            if not self._waiting and self._task.cancel():  # which it is not if it is done
                self._when_unwanted()
        return self._task.result()

    def when_done(self, callback: Callable[[], None]) -> None:
        def finish(task: asyncio.Task[T]) -> None:
            if not task.cancelled():
                task.exception()  # counts as retrieved, also if the last caller has just left
            callback()

        self._task.add_done_callback(finish)


class SharedCalls(Generic[T]):
    """Equal calls that overlap become one: whoever makes it while it runs gets the same result, or error."""

    def __init__(self) -> None:
        self._running: dict[Hashable, SharedWork[T]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._running

    async def run(
        self,
        key: Hashable,
        call: Callable[[], Coroutine[Any, Any, T]],
        when_unwanted: Callable[[], None] = lambda: None,
    ) -> T:
        """Return the result of the call of a key, which is made unless it is running already.

        If it is made and then nobody waits for it any more, `when_unwanted` is called.
        """
        work = self._running.get(key)
        if work is None or not work.is_running:
            work = self._running[key] = SharedWork(call(), when_unwanted)
            work.when_done(lambda: self._forget(key, work))
        return await work.wait()

    def _forget(self, key: Hashable, work: SharedWork[T]) -> None:
        if self._running.get(key) is work:
            del self._running[key]
