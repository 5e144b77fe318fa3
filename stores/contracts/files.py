"""The contract of file stores: small files in one level of folders, each written as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The file `{folder}/{stem}.{suffix}`: its path on disk, size in bytes and last change in UTC."""

    folder: str
    stem: str
    suffix: str
    path: Path
    size: int
    updated_at: datetime


class FileStore(Protocol):
    """Files by folder, stem and suffix. Callers pass names without separators that do not start with a dot.

    If several files differ only in their suffixes, the first of `suffixes` wins. Every method raises
    `Unavailable` if the disk cannot be read or written, with `reason: DISK_FULL` if it is full.
    """

    async def find_file(self, folder: str, stem: str, suffixes: Sequence[str]) -> StoredFile | None: ...

    async def list_files(self, suffixes: Sequence[str]) -> list[StoredFile]:
        """One file for each folder and stem, in their order."""
        ...

    async def read_file(self, file: StoredFile) -> bytes:
        """Raises `NotFound` if the file was deleted meanwhile."""
        ...

    async def write_file(
        self, folder: str, stem: str, suffix: str, content: bytes, *, delete: Sequence[str] = ()
    ) -> StoredFile:
        """Write a file, then delete those of the same name with the suffixes `delete`.

        Readers see the old content or the new one, also after a crash.
        """
        ...
