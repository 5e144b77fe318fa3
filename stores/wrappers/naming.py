"""Errors that name the store that failed, where a command works with more than one."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.contracts.errors import Unavailable
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class NamedErrors(Interceptor):
    """Puts `name` in front of the message of each `Unavailable`."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        try:
            return await proceed()
        except Unavailable as error:
            raise Unavailable(f"{self._name}: {error.message}", **error.extensions) from None
