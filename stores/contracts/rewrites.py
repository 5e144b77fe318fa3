"""What a store tells of changes to its past, so that whoever remembers results of the past forgets them."""

from abc import ABC, abstractmethod
from typing import NamedTuple

SETTLING_S = 60  # a point that is written later after its time than this changes the past


class Rewrite(NamedTuple):
    """Points of a machine with `start <= time < stop` were written late, deleted or moved.

    Times are in nanoseconds since 1970. A machine None stands for any machines.
    """

    database: str
    machine: str | None
    start: int
    stop: int


class RewriteReport(NamedTuple):
    """What was rewritten between two positions of a `RewriteLog`, and the later one of these.

    `rewrites` is None if the store does not know: anything may have been rewritten.
    """

    position: int
    rewrites: list[Rewrite] | None


class RewriteLog(ABC):
    """A store that knows of every change to its past, whichever process made it."""

    @abstractmethod
    async def list_rewrites(self, after: int | None) -> RewriteReport:
        """Return what was rewritten after a position of an earlier call; None only asks for the position.

        Whatever is read after the call has been changed by all that the call returns.
        """
