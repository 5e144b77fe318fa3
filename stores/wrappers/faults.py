"""Disturbances of writes, for tests: another client's change, a failure or a pause just before a write."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")
Action = Callable[[], Awaitable[object]]


class BeforeWrites(Interceptor):
    """Runs the next of `actions` before each write, or before each one to the collection `subject`.

    An action that raises fails the write, which is not made then.
    """

    def __init__(
        self, actions: Sequence[Callable[[], Awaitable[object]]], subject: str | None = None
    ) -> None:
        self._actions, self._subject = list(actions), subject

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if call.is_write and self._actions and self._subject in (None, call.subject):
            await self._actions.pop(0)()
        return await proceed()
