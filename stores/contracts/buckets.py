"""Token buckets and slots: how much of something its owner may use in a minute, and how much at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple


class Account(NamedTuple):
    """The bucket of an owner for a limit. It holds `per_minute` and refills within a minute."""

    limit: str
    owner: str
    per_minute: int


class Slots(NamedTuple):
    """The requests that an owner may have running at a time, at most `maximum`."""

    limit: str
    owner: str
    maximum: int


class Verdict(NamedTuple):
    """What is left in the buckets of a request and, if it may not run, the limit that forbids it."""

    levels: tuple[float, ...]
    limit: str | None = None
    maximum: int = 0
    retry_after_s: float = 0.0


class Buckets(ABC):
    """Token buckets and slots. Raises `Unavailable` if a server does not answer."""

    @abstractmethod
    async def acquire(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> Verdict:
        """Take an amount from each account, and a slot for the request: all of them, or nothing.

        An amount that is larger than a bucket needs a full one, and leaves a debt in it.
        """

    @abstractmethod
    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        """Give back the slot, and the amount to each account, and return what is left in the buckets.

        A negative amount is taken. A debt that remains is at most the size of the bucket.
        """

    async def close(self) -> None:  # noqa: B027 - those in memory hold nothing
        """Close connections."""
