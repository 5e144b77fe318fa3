"""The contract of a store in which each organization has a database, and of moving points between them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stores.contracts.series import SeriesDatabase


class EarlierMachine(NamedTuple):
    """A machine of a database that an earlier version filled, before organizations had their own."""

    database: str
    machine: str


class MoveReport(NamedTuple):
    """How many series were moved, and by machine why it stays."""

    moved: int
    conflicts: dict[str, str]


class MachineMoves(ABC):
    """What a store offers that is the gateway's own, in which each organization has a database."""

    @abstractmethod
    def combine(self, names: Sequence[str]) -> "SeriesDatabase":
        """Return the points of several databases together.

        Machines of one id are several machines: `machines_with` puts the database in front of each id.
        """

    @abstractmethod
    async def list_machines(self, database: str, *, after: str = "", limit: int) -> list[str]:
        """Return the ids `after` one of the machines that a database has series of, in byte order."""

    @abstractmethod
    async def list_earlier_machines(self, limit: int) -> tuple[list[EarlierMachine], int]:
        """Return some machines for which it is not settled yet whose they are, and how many there are."""

    @abstractmethod
    async def settle_earlier_machines(self, machines: Sequence[EarlierMachine]) -> None:
        """Take machines off the list. Their points stay where they are."""

    @abstractmethod
    async def move_machines(self, source: str, targets: Mapping[str, str]) -> MoveReport:
        """Move the points of machines from one database to the one that `targets` names for each.

        The machines are off the list of the earlier ones then. After a failure or a crash, all points are
        moved or none. If the target has a point of the same series and time, the target's stays. A machine
        stays as a whole if the target has values of another kind in one of its fields.
        """
