"""What a database records of its own writes: entries of a capped collection, stored with the changes.

A journal knows what the entries say, and a backend stores them: embedded in the transaction of the write, on
a server right after it. A backend trims the collection to its newest entries.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from stores.contracts.documents import Collection, Document


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document before and after a write; None where it did not exist.

    What an operation deletes along with its first write (`DeleteMany`, `DropCollections`) is no change of its
    own.
    """

    collection: Collection
    before: Document | None
    after: Document | None


@dataclass(frozen=True, slots=True)
class CappedCollection:
    """A collection of each database that holds only the newest `max_documents`, by id."""

    collection: Collection
    max_documents: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry, and the database to store it in; if that has no collections, the default one."""

    database: str
    document: Document


class Journal(ABC):
    """Describes the changes of writes in entries that are stored in `target`."""

    target: CappedCollection

    @abstractmethod
    def describe(self, database: str, changes: Sequence[DocumentChange]) -> list[JournalEntry]:
        """Return the entries of one write; there are none if it has changed nothing.

        An embedded store calls this on a thread, and discards the entries if the write fails.
        """

    @abstractmethod
    def report_written(self, entries: Sequence[JournalEntry], error: BaseException | None = None) -> None:
        """Note that a write is applied. `error` is why its entries may not be stored."""

    @abstractmethod
    def report_unknown(self) -> None:
        """Note that a write has failed that may be applied nevertheless, and has no entries."""


class TrimSchedule:
    """When a process trims the capped collections that it adds to.

    Trimming reads as many ids as a collection holds, so that it is done once for each hundredth of them.
    There are at most so many documents too many for each process.
    """

    def __init__(self) -> None:
        self._untrimmed: dict[tuple[str, str], int] = {}

    def is_due(self, database: str, target: CappedCollection, added: int) -> bool:
        """Count added documents. Returns whether the collection has to be trimmed now."""
        name = (database, target.collection.name)
        interval = max(1, target.max_documents // 100)
        untrimmed = self._untrimmed.get(name, interval) + added
        self._untrimmed[name] = 0 if untrimmed >= interval else untrimmed
        return untrimmed >= interval
