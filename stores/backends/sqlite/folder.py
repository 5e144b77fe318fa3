"""The folder of the embedded stores: which files belong to it, and which process serves it.

A marker file lists the files that were made, so that a missing one is not replaced by an empty one later.
"""

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from stores.backends.sqlite.connection import FileFormat, FileRejected, open_connection
from stores.backends.sqlite.failures import to_unavailable
from stores.contracts.errors import Unavailable

log = logging.getLogger(__name__)
DOCUMENTS, SERIES, KEYS = "documents.db", "series.db", "secrets.key"
MARKER, LOCK = "sync-gateway.json", "sync-gateway.lock"
MARKER_VERSION = 1


class DataFolder:
    """The folder at `path`, which may be missing. One without a marker, of an earlier version, is adopted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare_database(self, name: str, file_format: FileFormat) -> Path:
        """Check the database `name`, make it if there never was one, and return its path.

        The name may be the absolute path of a file elsewhere. Raises as `prepare_file` does.
        """
        path = self.path / name
        prepare_file(path, file_format, create=not self.expects(name))
        self.record(name)
        return path

    def contains(self, name: str, text: bytes) -> bool:
        """Whether a document of the database `name` contains `text`; false if there is no such file."""
        path = self.path / name
        if not path.exists():
            return False
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return bool(db.execute("SELECT 1 FROM documents WHERE instr(body, ?) LIMIT 1", (text,)).get)
        except apsw.Error as error:
            raise to_unavailable(path, error) from None
        finally:
            db.close(True)

    def expects(self, name: str) -> bool:
        """Whether the folder has had the file `name`."""
        return name in self._read()["files"]

    def list_expected_files(self) -> list[str]:
        """The names of the files that the folder itself has had."""
        return [name for name in self._read()["files"] if not Path(name).is_absolute()]

    def record(self, name: str) -> None:
        """Remember that the folder has the file `name`."""
        marker = self._read()
        if name not in marker["files"] or not (self.path / MARKER).exists():
            self._write({**marker, "files": sorted({*marker["files"], name})})

    def list_key_checks(self) -> list[str]:
        """Check values of the keys that this folder's secrets were encrypted with; empty if it has none."""
        return list(self._read()["keys"] or ())

    def has_given_up_keys(self) -> bool:
        """Whether `start_anew` has given up the secrets that were encrypted with a lost key."""
        return self._read()["keys"] is None

    def record_key_checks(self, checks: Sequence[str]) -> None:
        marker = self._read()
        if list(checks) != marker["keys"]:
            self._write({**marker, "keys": list(checks)})

    def has_had_api_keys(self) -> bool:
        """Whether API keys were created, even if the store that held them is lost."""
        return bool(self._read()["apiKeys"])

    def record_api_keys(self) -> None:
        """Remember that API keys were created."""
        if not self.has_had_api_keys():
            self._write({**self._read(), "apiKeys": True})

    def lock(self) -> "FolderLock":
        """Lock the folder for a server. Raises `Unavailable` if another process has locked it."""
        self.path.mkdir(parents=True, exist_ok=True)
        return FolderLock(self.path)

    def start_anew(self, databases: Mapping[Path, FileFormat]) -> list[Path]:
        """Put databases aside that are not usable, and forget files that are missing.

        Nothing is deleted: the new paths are returned. The folder accepts any key afterwards.
        """
        moved = []
        for path, file_format in databases.items():
            if path.exists():
                try:
                    open_connection(path, file_format, cache_kib=64, create=False).close()
                    continue
                except FileRejected as rejected:
                    log.warning("%s", rejected)
            moved += put_aside(
                path
            )  # also the log of a file that is missing: it would be applied to a new one
        keys = self.path / KEYS
        if keys.exists() and not keys.read_bytes().strip():
            moved += put_aside(keys)
        marker = self._read()
        files = [name for name in marker["files"] if (self.path / name).exists()]
        self._write({**marker, "files": files, "keys": None})
        return moved

    def _read(self) -> dict[str, Any]:
        path = self.path / MARKER
        try:
            marker = json.loads(path.read_bytes())
            version, files, keys = marker["version"], marker["files"], marker["keys"]
        except FileNotFoundError:
            adopted = self._list_adopted_files()
            return {"version": MARKER_VERSION, "files": adopted, "keys": [], "apiKeys": False}
        except (ValueError, KeyError, TypeError):
            raise Unavailable(
                f"{path} is damaged. It lists the files of the folder: restore it from a backup, or delete it"
                " if all files are there."
            ) from None
        if version != MARKER_VERSION:
            raise Unavailable(f"{path} was written by a newer version. Install the newer version.")
        return {"version": version, "files": files, "keys": keys, "apiKeys": marker.get("apiKeys", False)}

    def _list_adopted_files(self) -> list[str]:
        """The files of a folder without a marker: those that are there, and those that must have been."""
        files = {name for name in (DOCUMENTS, SERIES, KEYS) if (self.path / name).exists()}
        # Earlier versions made a key file only for embedded documents; a log belongs to a database.
        if {SERIES, KEYS} <= files:
            files.add(DOCUMENTS)
        for name in (DOCUMENTS, SERIES):
            if (self.path / f"{name}-wal").exists():
                files.add(name)
        return sorted(files)

    def _write(self, marker: dict[str, Any]) -> None:
        """Replace the marker. A full or read-only disk leaves the old one: the stores can still be read."""
        path = self.path / MARKER
        temporary = path.with_name(f".{MARKER}.{uuid.uuid4().hex}")  # containers share ids of processes
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="ascii") as file:
                json.dump(marker, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            log.warning("%s: %s", path, error.strerror)
            with contextlib.suppress(OSError):
                temporary.unlink()


def prepare_file(path: Path, file_format: FileFormat, *, create: bool) -> None:
    """Check a database, or make it if it is missing and `create` is set.

    Raises `Unavailable` with the path, the reason and what to do, if the file is missing or not usable.
    """
    try:
        open_connection(path, file_format, cache_kib=64, create=create).close()
    except FileRejected as rejected:
        raise Unavailable(str(rejected)) from None
    except apsw.Error as error:
        raise to_unavailable(path, error) from None


class FolderLock:
    """A lock on a folder, held until `release` or until the process ends, however it ends.

    It is SQLite's lock on a file of its own, because that exists on every system.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        self._db: apsw.Connection | None = None
        try:
            self._db = apsw.Connection(str(path))
            if not self._db.readonly("main"):
                self._db.pragma("journal_mode", "off")  # a journal would need room on the disk
                self._db.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError:
            raise Unavailable(
                f"{folder} is in use by a running server. Stop it first, or choose another folder (--data)."
            ) from None
        except apsw.Error as error:
            # A disk that is full or read-only can still be read.
            log.warning("%s; the folder is not locked", to_unavailable(path, error).message)

    def release(self) -> None:
        if self._db is not None:
            self._db.close()


def put_aside(path: Path) -> list[Path]:
    """Rename a file and its logs, or a folder, so that the name is free. Returns the new paths."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    moved = []
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            new = old.with_name(f"{path.name}.replaced-{stamp}{suffix}")
            old.rename(new)
            moved.append(new)
    return moved
