"""The base of every wrapper around a store: an object that each call to the store passes through."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class StoreCall(NamedTuple):
    """What a call does and to what, such as `find` and `cnc_devices`, and whether it changes the store.

    `named` is the subject, or a function that makes its name, which most calls do not need.
    `presume_samples` returns how many samples it is likely to read, if only the store knows the number.
    """

    operation: str
    named: str | Callable[[], str] = ""
    is_write: bool = False
    presume_samples: Callable[[], int] = int  # 0

    @property
    def subject(self) -> str:
        return self.named if isinstance(self.named, str) else self.named()

    def __str__(self) -> str:
        return f"{self.operation} {self.subject}".rstrip()


class Interceptor(ABC):
    """Counts, limits or disturbs the calls to a store."""

    @property
    def is_suspended(self) -> bool:
        """Whether calls are rejected for a while, because the store is down."""
        return False

    @abstractmethod
    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `proceed()`, which makes the call, or raise what the call raises."""


class Chain(Interceptor):
    """Passes each call through several interceptors, the first one outermost."""

    def __init__(self, *interceptors: Interceptor) -> None:
        self._interceptors = interceptors

    @property
    def is_suspended(self) -> bool:
        return any(interceptor.is_suspended for interceptor in self._interceptors)

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        for interceptor in reversed(self._interceptors):
            proceed = partial(interceptor.run, call, proceed)
        return await proceed()
