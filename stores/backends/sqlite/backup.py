"""Copying the files of the embedded stores while they are in use, and putting a copy back."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import apsw

from stores.backends.sqlite.connection import FileFormat, FileRejected, open_connection
from stores.backends.sqlite.failures import to_unavailable
from stores.backends.sqlite.folder import KEYS, MARKER, DataFolder, put_aside
from stores.contracts.errors import BadUserInput, Unavailable

Progress = Callable[[str, int, int], None]  # what is copied, how much of it, of how much
Databases = Mapping[str, tuple[Path, FileFormat]]  # by name in the backup: the file in use, and its format
ICONS = "icons"
PAGES_PER_STEP = 1000
CHUNK_BYTES = 1 << 20


def make_backup(data: Path, databases: Databases, target: Path, progress: Progress) -> list[str]:
    """Copy the folder `data` to the new folder `target`, each database as it is at one moment.

    Returns the names of what was copied. Nothing is left if it fails. Raises `BadUserInput` if the target is
    not empty, `Unavailable` and `OSError`.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadUserInput(f"{target} exists and is not empty. Name a new folder.")
    if target.resolve().is_relative_to(data.resolve()):
        raise BadUserInput(f"{target} is inside of {data}. Name a folder outside, best on another disk.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        copied = []
        for name, (path, file_format) in databases.items():
            if path.exists() or DataFolder(data).expects(name):
                _copy_database(path, file_format, partial / name, progress)
                copied.append(name)
        # Keys come after the documents, so that they are those of every secret in them.
        for name in (KEYS, MARKER, ICONS):
            if (data / name).exists():
                _copy_files(data / name, partial / name, progress)
                copied.append(name)
        if not copied:
            raise BadUserInput(f"{data} has nothing to back up.")
        _flush_to_disk(partial)
        if target.exists():
            target.rmdir()
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return copied


def restore(data: Path, databases: Databases, source: Path, progress: Progress) -> list[Path]:
    """Put the backup `source` into `data`, whose lock the caller holds.

    What is there is put aside: its new paths are returned. Everything is copied before anything is replaced.
    Raises `BadUserInput` if the source is not a whole backup, `Unavailable` and `OSError`.
    """
    names = [name for name in (*databases, KEYS, MARKER, ICONS) if (source / name).exists()]
    if not set(names) & {*databases, KEYS}:
        raise BadUserInput(f"{source} is not a backup: it has none of {', '.join(databases)}.")
    missing = [name for name in DataFolder(source).list_expected_files() if not (source / name).exists()]
    if missing:
        raise BadUserInput(f"{source} is not a whole backup: {', '.join(missing)} is missing")
    for name, (_, file_format) in databases.items():
        if name in names:
            _check_copy(source / name, file_format)
    data.mkdir(parents=True, exist_ok=True)
    paths = {name: databases[name][0] if name in databases else data / name for name in names}
    partial = {name: path.with_name(f".{path.name}.restored") for name, path in paths.items()}
    try:
        for name, copy in partial.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            _remove(copy)
            _copy_files(source / name, copy, progress)
            _flush_to_disk(copy)
        moved = [aside for path in paths.values() for aside in put_aside(path)]
        for name, copy in partial.items():
            copy.rename(paths[name])
    finally:
        for copy in partial.values():
            _remove(copy)
    return moved


def _copy_database(path: Path, file_format: FileFormat, target: Path, progress: Progress) -> None:
    """Copy a database that others may write to meanwhile."""
    try:
        source = open_connection(path, file_format, cache_kib=1024, create=False)
        try:
            copy = apsw.Connection(str(target))
            try:
                # An open read transaction makes every step read the same state.
                source.execute("BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
                with copy.backup("main", source, "main") as backup:
                    while not backup.done:
                        backup.step(PAGES_PER_STEP)
                        total = backup.page_count
                        progress(f"copying {target.name}", total - backup.remaining, total)
            finally:
                copy.close()
        finally:
            source.close()
    except FileRejected as rejected:
        raise Unavailable(str(rejected)) from None
    except apsw.FullError as error:
        raise to_unavailable(target, error) from None
    except apsw.Error as error:
        raise to_unavailable(path, error) from None


def _check_copy(path: Path, file_format: FileFormat) -> None:
    """Raise `BadUserInput` if a database of a backup is damaged. This leaves no file beside it."""
    try:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        db = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
        try:
            reason = db.execute("PRAGMA quick_check(1)").get
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
            if not tables:
                reason = "it is empty"
            elif not file_format.tables <= tables:
                reason = "it is a database of another program"
            elif db.pragma("user_version") > file_format.version:
                reason = "it was written by a newer version"
        finally:
            db.close()
    except apsw.Error as error:
        reason = str(error)
    if reason != "ok":
        raise BadUserInput(f"{path} cannot be restored: {reason}")


def _copy_files(source: Path, target: Path, progress: Progress) -> None:
    """Copy a file, or a folder with its files, with their permissions. Symbolic links are not followed."""
    if source.is_symlink():
        return
    if source.is_dir():
        target.mkdir()
        for path in sorted(source.iterdir()):
            _copy_files(path, target / path.name, progress)
        return
    total, done = source.stat().st_size, 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, source.stat().st_mode & 0o777)
    with source.open("rb") as reader, os.fdopen(handle, "wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
            progress(f"copying {source.name}", done := done + len(chunk), total)


def _flush_to_disk(path: Path) -> None:
    """Write a file, or a folder with its files, through to the disk."""
    for file in (path, *path.rglob("*")):
        if os.name == "nt" and file.is_dir():
            continue
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
