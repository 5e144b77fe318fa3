"""What SQLite's errors mean to the caller: one table for both embedded stores."""

import errno
import shutil
from pathlib import Path

import apsw

from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import UNKNOWN

# What an operator has to know about a file, by the error of a call.
REASONS: dict[type[apsw.Error], str] = {
    apsw.FullError: "the disk is full",
    apsw.IOError: "the disk reports an input/output error",
    apsw.ReadOnlyError: "the file is read-only",
    apsw.PermissionsError: "the gateway may not access the file",
    apsw.AuthError: "the gateway may not access the file",
    apsw.CantOpenError: "the file cannot be opened",
    apsw.CorruptError: "the file is damaged; run `sync-gateway check`",
    apsw.NotADBError: "the file is not a database",
    apsw.FormatError: "the file is not a database",
    apsw.SQLError: "the file does not have the expected tables",
    apsw.SchemaChangeError: "the file's tables were changed by another program",
    apsw.BusyError: "another process holds the file",
    apsw.LockedError: "another process holds the file",
    apsw.ProtocolError: "another process holds the file",
    apsw.InterruptError: "the call was interrupted",
    apsw.AbortError: "the call was interrupted",
    apsw.NoLFSError: "the file is too large for this system",
    apsw.TooBigError: "the value is too large",
    apsw.InternalError: "SQLite reports an internal error",
}

# Mistakes of this program, or errors of features that it does not use. They are not caught.
UNEXPECTED: dict[type[apsw.Error], str] = dict.fromkeys(
    (
        apsw.BindingsError,
        apsw.ConnectionClosedError,
        apsw.ConnectionNotClosedError,
        apsw.CursorClosedError,
        apsw.ExecutionCompleteError,
        apsw.ForkingViolationError,
        apsw.IncompleteExecutionError,
        apsw.InvalidContextError,
        apsw.MismatchError,
        apsw.MisuseError,
        apsw.NotFoundError,
        apsw.RangeError,
        apsw.ThreadingViolationError,
    ),
    "a mistake in the calls of this program",
) | {
    apsw.ConstraintError: "stores handle it where a document or a series may be there already",
    apsw.EmptyError: "SQLite does not report it any more",
    apsw.NoMemError: "Python raises MemoryError in its place",
    apsw.ExecTraceAbort: "no execution is traced",
    apsw.ExtensionLoadingError: "no extension is loaded",
    apsw.NoFTS5Error: "no full-text index is used",
    apsw.VFSFileClosedError: "no file system is implemented here",
    apsw.VFSNotImplementedError: "no file system is implemented here",
}

EXPECTED: tuple[type[apsw.Error | OSError], ...] = (*REASONS, OSError)
# The disk did not confirm a commit that was written: it may be there after a crash.
NOT_CONFIRMED = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
FREE_BYTES = 256 * 1024  # a disk with less is full: SQLite reports some of its failures there as others


def to_unavailable(path: Path, error: apsw.Error | OSError, system_errno: int = 0) -> Unavailable:
    """The failure of a call on the file at `path`; `system_errno` is the operating system's last error.

    Clients see the message: it names the file, and not where it is.
    """
    unavailable = Unavailable(f"{path.name}: {_describe(path, error, system_errno)}")
    if getattr(error, "extendedresult", None) in NOT_CONFIRMED:
        unavailable.extensions["outcome"] = UNKNOWN
    return unavailable


def _describe(path: Path, error: apsw.Error | OSError, system_errno: int) -> str:
    if isinstance(error, OSError):
        if error.errno in NO_SPACE:
            return REASONS[apsw.FullError]
        return error.strerror or type(error).__name__
    if isinstance(error, apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError):
        if system_errno in NO_SPACE or is_full(path):
            return REASONS[apsw.FullError]
        if system_errno == errno.EFBIG:
            return "the file has reached the size that this process may write"
    return REASONS[type(error)]


def is_full(path: Path) -> bool:
    """Whether the disk of the file has no room for a few more writes."""
    try:
        return shutil.disk_usage(path.parent).free < FREE_BYTES
    except OSError:
        return False
