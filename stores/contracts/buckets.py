"""Token buckets and slots: how much of something its owner may use in a minute, and how much at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Charge(NamedTuple):
    """An amount to take from the bucket of an owner, which holds `per_minute` and refills within a minute."""

    limit: str  # the name of the limit
    owner: str
    per_minute: int
    amount: float


class Slot(NamedTuple):
    """One of the requests that an owner may have running at a time, at most `maximum`."""

    limit: str
    owner: str
    maximum: int
    request_id: str


class Balance(NamedTuple):
    """What is left in a bucket that holds `per_minute`."""

    per_minute: int
    remaining: float

    @property
    def full_after_s(self) -> float:
        """The seconds after which the bucket is full again."""
        return (self.per_minute - self.remaining) * 60 / self.per_minute


@dataclass(frozen=True, slots=True)
class Verdict:
    """The balances of a request's buckets and, if it may not run, the limit that forbids it."""

    balances: tuple[Balance, ...] = ()
    limit: str | None = None
    maximum: int = 0
    retry_after_s: float = 0.0


class Buckets(ABC):
    """Token buckets and slots. Raises `Unavailable` if a server does not answer."""

    @abstractmethod
    async def acquire(self, charges: Sequence[Charge], slot: Slot | None) -> Verdict:
        """Take the amounts and the slot: all of them, or nothing.

        An amount that is larger than a bucket needs a full one, and leaves a debt in it of at most its size.
        """

    @abstractmethod
    async def release(self, refunds: Sequence[Charge], slot: Slot | None) -> tuple[Balance, ...]:
        """Give back the slot and the amounts, and return the balances. A negative amount is taken."""

    async def close(self) -> None:  # noqa: B027 - those in memory hold nothing
        """Close connections."""
