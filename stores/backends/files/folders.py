"""The file store over a folder on disk, beside a second folder that is only read."""

import contextlib
import errno
import logging
import os
import stat
import tempfile
from asyncio import to_thread
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from stores.contracts.errors import BadUserInput, NotFound, Unavailable
from stores.contracts.files import StoredFile

log = logging.getLogger(__name__)
STARTER_ICONS = Path(__file__).parent / "starter_icons"
TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".", ".new"
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


class FolderFileStore:
    """The files under `root` and, for names that it lacks, those under `starter`, which is never written.

    Symbolic links below `root` are treated as absent. Opening removes the temporary files of interrupted
    writes.
    """

    def __init__(self, root: Path, starter: Path) -> None:
        self._root = root
        self._starter = starter
        self._write_lock = Lock()  # two uploads of one name must not delete each other's file
        with _report_os_errors_as_unavailable(root):
            for entry in _scan_folders(root):
                if entry.name.startswith(TEMPORARY_PREFIX) and entry.name.endswith(TEMPORARY_SUFFIX):
                    Path(entry).unlink(missing_ok=True)

    async def find_file(self, folder: str, stem: str, suffixes: Sequence[str]) -> StoredFile | None:
        return await to_thread(self._find, folder, stem, suffixes)

    async def list_files(self, suffixes: Sequence[str]) -> list[StoredFile]:
        return await to_thread(self._list, suffixes)

    async def read_file(self, file: StoredFile) -> bytes:
        return await to_thread(_read, file.path)

    async def write_file(
        self, folder: str, stem: str, suffix: str, content: bytes, *, delete: Sequence[str] = ()
    ) -> StoredFile:
        return await to_thread(self._write, folder, stem, suffix, content, delete)

    def _find(self, folder: str, stem: str, suffixes: Sequence[str]) -> StoredFile | None:
        for root in (self._root, self._starter):
            for suffix in suffixes:
                file = _inspect(root / folder / f"{stem}.{suffix}")
                if file is not None:
                    return file
        return None

    def _list(self, suffixes: Sequence[str]) -> list[StoredFile]:
        names = set()
        for root in (self._root, self._starter):
            with _report_os_errors_as_unavailable(root):
                paths = [Path(entry) for entry in _scan_folders(root)]
            names |= {(path.parent.name, path.stem) for path in paths if path.suffix[1:] in suffixes}
        files = (self._find(folder, stem, suffixes) for folder, stem in sorted(names))
        return [file for file in files if file is not None]

    def _write(
        self, folder: str, stem: str, suffix: str, content: bytes, delete: Sequence[str]
    ) -> StoredFile:
        path = self._root / folder / f"{stem}.{suffix}"
        with self._write_lock, _report_os_errors_as_unavailable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.parent.is_symlink():
                raise BadUserInput(f"The folder {folder!r} is a symbolic link, which is not followed.")
            _replace(path, content)
            for other in delete:
                path.with_name(f"{stem}.{other}").unlink(missing_ok=True)
        file = _inspect(path)
        if file is None:
            raise Unavailable("The file was deleted while it was written.")
        return file


def _scan_folders(root: Path) -> Iterator[os.DirEntry[str]]:
    """The regular files in the folders of `root`."""
    if not root.is_dir():
        return
    with os.scandir(root) as folders:
        for folder in folders:
            if folder.is_dir(follow_symlinks=False):
                with os.scandir(folder) as files:
                    yield from (file for file in files if file.is_file(follow_symlinks=False))


def _inspect(path: Path) -> StoredFile | None:
    """The file at a path; None if there is none, or if it or its folder is a symbolic link."""
    with _report_os_errors_as_unavailable(path):
        try:
            if not stat.S_ISDIR(path.parent.lstat().st_mode):
                return None
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    if not stat.S_ISREG(status.st_mode):
        return None
    updated_at = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
    return StoredFile(path.parent.name, path.stem, path.suffix[1:], path, status.st_size, updated_at)


def _read(path: Path) -> bytes:
    with _report_os_errors_as_unavailable(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW)
        except FileNotFoundError:
            raise NotFound("The file was deleted meanwhile.") from None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()


def _replace(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path` and rename it, so that no reader sees half of the content."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _report_os_errors_as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.warning("%s: %s", path, error.strerror)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(f"the disk is full: {path.name} cannot be stored", reason="DISK_FULL") from None
        raise Unavailable(f"{path.name}: {error.strerror}") from None
