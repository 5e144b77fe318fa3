"""Deletion of points from a store for which the gateway itself accepts points."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stores.contracts.samples import Where


@dataclass(frozen=True, slots=True)
class Deletion:
    """The points with `start <= time < stop`; of one measurement, or None for all.

    `where` restricts them by tag, as that of a `Source` does, and may name the tag `machine_id`.
    """

    start: int
    stop: int
    measurement: str | None = None
    where: "Where" = ()


class PointDeletion(ABC):
    """A store from which points can be deleted."""

    @abstractmethod
    async def delete(self, database: str, deletion: Deletion) -> int:
        """Delete points of a database. Return how many values they had.

        It is done in several transactions: after a failure some points may be deleted, and the same call
        deletes the rest. What is derived from the points is corrected in the same transactions. The kinds of
        fields stay as they are.
        """
