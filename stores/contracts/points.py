"""The contract of what points can be written to, whether it is a store of the gateway's own or a server."""

from collections.abc import Sequence
from typing import Protocol

from stores.contracts.samples import Point


class PointWriter(Protocol):
    """A `WritableSeriesStore`, or the write API of a server."""

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write points. Return for each None, or why it was rejected.

        Raises `NotFound` if a server has no such database, and `Unavailable`.
        """

    async def close(self) -> None:
        """Close files and connections."""
