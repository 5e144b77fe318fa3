"""How a file of the embedded stores is made and opened, by many connections and processes at once."""

import ctypes
import logging
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import apsw

log = logging.getLogger(__name__)
HEADER_BYTES = 100
OPENING_S = 5  # how long opening waits for other connections
NO_ROOM = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError)
ADVICE = "Restore it from a backup; to start with an empty one instead, use --new-data."


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What makes a file one of ours: an id in its header, a version and the schema of the first version.

    `upgrades` are the statements that bring a file from each version to the next. `tables` are in every file,
    also in those without the id, which earlier versions have made. A checkpoint is made whenever the
    write-ahead log is longer than `checkpoint_pages`.
    """

    application_id: int
    schema: str
    tables: frozenset[str]
    upgrades: tuple[str, ...] = ()
    checkpoint_pages: int = 1000

    @property
    def version(self) -> int:
        return 1 + len(self.upgrades)


class FileRejected(Exception):
    """A file that must not be used as a store. The message has its path, the reason and what to do."""


def open_connection(
    path: Path, file_format: FileFormat, *, cache_kib: int, create: bool = True
) -> apsw.Connection:
    """Open a connection that keeps `cache_kib` KiB of pages; a missing file is made if `create`.

    A file that cannot be written is opened for reading. Raises `FileRejected` and `apsw.Error`.
    """
    if not path.exists():
        # The log of a lost file would be applied to a new one.
        if not create or _has_log(path):
            raise FileRejected(f"{path} is missing. {ADVICE}")
        _create(path, file_format)
    if path.stat().st_size == 0:
        raise FileRejected(f"{path} is empty (0 bytes), so its data is lost. {ADVICE}")
    try:
        try:
            return _open(str(path), apsw.SQLITE_OPEN_READWRITE, path, file_format, cache_kib)
        except NO_ROOM:
            if _has_log(path):
                raise
            # The disk has no room for the log's index. Without a log, the file can be read without it.
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            return _open(f"{path.absolute().as_uri()}?immutable=1", flags, path, file_format, cache_kib)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise FileRejected(f"{path} is damaged or is not a database ({error}). {ADVICE}") from None


def _open(name: str, flags: int, path: Path, file_format: FileFormat, cache_kib: int) -> apsw.Connection:
    db = apsw.Connection(name, flags=flags, statementcachesize=256)
    try:
        _check(db, path, file_format)
        _configure(db, file_format, cache_kib)
    except BaseException:
        db.close()
        raise
    return db


def _has_log(path: Path) -> bool:
    """Whether the write-ahead log may hold changes that the file lacks."""
    log_file = path.with_name(path.name + "-wal")
    return log_file.exists() and log_file.stat().st_size > 0


def _create(path: Path, file_format: FileFormat) -> None:
    """Make the file under another name, whole, and then give it its own, so that nobody sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        db = apsw.Connection(name)
        try:
            db.pragma("journal_mode", "wal")
            with db:
                _bring_to_version(db, file_format)
        finally:
            db.close()
        Path(name).chmod(0o666 & ~_read_umask())
        try:
            os.link(name, path)
        except FileExistsError:
            pass  # another connection made the file meanwhile
        except OSError:  # a file system without hard links
            if not path.exists():
                os.rename(name, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _bring_to_version(db: apsw.Connection, file_format: FileFormat) -> None:
    steps = (file_format.schema, *file_format.upgrades)[db.pragma("user_version") :]
    db.execute(
        f"{' '.join(steps)} PRAGMA application_id = {file_format.application_id};"
        f" PRAGMA user_version = {file_format.version}"
    )


def _check(db: apsw.Connection, path: Path, file_format: FileFormat) -> None:
    """Reject a file of another program or of a newer version; adopt one of an earlier version."""
    db.set_busy_timeout(OPENING_S * 1000)
    application_id, version = db.pragma("application_id"), db.pragma("user_version")
    if application_id not in (0, file_format.application_id):
        raise FileRejected(f"{path} is a database of another program. Name another file or folder")
    if application_id == 0:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if tables and not file_format.tables <= tables:
            raise FileRejected(f"{path} is a database of another program. Name another file or folder")
    if version > file_format.version:
        raise FileRejected(
            f"{path} was written by a newer version (format {version}; this one reads up to"
            f" {file_format.version}). Install the newer version, or restore an older backup"
        )
    _check_length(path)
    if not db.readonly("main") and (application_id, version) != (
        file_format.application_id,
        file_format.version,
    ):
        _adopt(db, path, file_format)


def _adopt(db: apsw.Connection, path: Path, file_format: FileFormat) -> None:
    """Bring a file of an earlier version to this one. If only the id is missing, a full disk is no error."""
    try:
        db.execute("BEGIN IMMEDIATE")
        _bring_to_version(db, file_format)
        db.execute("COMMIT")
        log.info("%s was adopted from an earlier version", path)
    except NO_ROOM:
        if db.pragma("user_version") != file_format.version:
            raise
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _check_length(path: Path) -> None:
    """Reject a file that was cut off. What the write-ahead log still holds may be missing in the file."""
    if _has_log(path):
        return
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    # The header's length holds if the two change counters beside it agree.
    is_length_valid = header[24:28] == header[92:96]
    if is_length_valid and int.from_bytes(header[28:32], "big") * page_bytes > path.stat().st_size:
        raise apsw.CorruptError("the file is shorter than its header says")


def _configure(db: apsw.Connection, file_format: FileFormat, cache_kib: int) -> None:
    if not db.readonly("main"):
        _turn_on_wal(db, time.monotonic() + OPENING_S)
        # The log's files stay when the last connection closes: a full disk could not hold new ones.
        persist = ctypes.c_int(1)
        db.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(persist))
        db.pragma("journal_size_limit", file_format.checkpoint_pages * 4096)
        db.wal_autocheckpoint(file_format.checkpoint_pages)
    db.pragma("synchronous", "full")
    db.pragma("cache_size", -cache_kib)


def _turn_on_wal(db: apsw.Connection, until: float) -> None:
    """Turn on the write-ahead log. If two connections do so at once, SQLite fails one without waiting."""
    while db.pragma("journal_mode") != "wal":
        try:
            db.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)
