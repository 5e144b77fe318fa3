"""The driver's exceptions in the contract's words, and whether a write that failed may have been applied."""

import logging
from collections.abc import Mapping
from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from stores.contracts.errors import BadUserInput, Conflict, GatewayError, Unavailable
from stores.contracts.outcomes import NOT_APPLIED

log = logging.getLogger(__name__)
EXPECTED = (PyMongoError, BSONError, OSError, OverflowError)
DUPLICATE_KEY = 11000
TYPE_MISMATCH = (2, 28)  # an update of something that is not a list or not an object
REJECTED_DOCUMENT = (
    52,
    55,
    57,
    10334,
    17280,
    17419,
)  # names, nesting or sizes that the server does not store
# The server stopped or stepped down while it worked: it may have written.
INTERRUPTED = (50, 91, 189, 262, 10107, 11600, 11602, 13435, 13436)


def translate(error: Exception) -> GatewayError:
    """The error to raise in place of one of `EXPECTED`."""
    match error:
        case DuplicateKeyError():
            return _make_conflict(error.details or {})
        case BulkWriteError():
            first = (error.details.get("writeErrors") or [{}])[0]
            return _make_conflict(first) if first.get("code") == DUPLICATE_KEY else _make_unavailable(error)
        case OperationFailure(code=code) if code in TYPE_MISMATCH:
            return Conflict("The stored document does not have the shape that the change needs.")
        case OperationFailure(code=code) if code in REJECTED_DOCUMENT:
            return BadUserInput("The document cannot be stored.")
        case BSONError() | OverflowError():
            return BadUserInput("The document cannot be stored.")
    return _make_unavailable(error)


def _make_unavailable(error: Exception) -> Unavailable:
    log.warning("document store: %s (code %s)", type(error).__name__, getattr(error, "code", None))
    unavailable = Unavailable("The document store does not answer.", is_outage=_is_outage(error))
    if not _may_be_applied(error):
        unavailable.extensions["outcome"] = NOT_APPLIED
    return unavailable


def _is_outage(error: Exception) -> bool:
    """Whether the server does not answer, as opposed to one command that fails or waits for a connection."""
    return isinstance(error, ConnectionFailure | OSError) and not isinstance(error, WaitQueueTimeoutError)


def _may_be_applied(error: Exception) -> bool:
    """Whether the command of the error may have taken effect, if it was a write."""
    match error:
        case ServerSelectionTimeoutError() | WaitQueueTimeoutError():
            return False  # it was never sent
        case AutoReconnect() if isinstance(error.__cause__, ConnectionRefusedError):
            return False
        case ConnectionFailure() | WriteConcernError() | ExecutionTimeout() | BulkWriteError():
            return True
        case OperationFailure(code=code):
            return code in INTERRUPTED
    return isinstance(error, OSError)


def _make_conflict(details: Mapping[str, Any]) -> Conflict:
    """The key that is taken: from the pattern of the index or, if the server does not report it, its name."""
    fields = list(details.get("keyPattern") or {})
    if not fields:
        message = str(details.get("errmsg", ""))
        index = message.partition("index: ")[2].partition(" ")[0].removesuffix("_1")
        fields = index.replace("_1_", " ").split() if index != "_id_" else ["_id"]
    field = fields[-1] if fields else "_id"
    return Conflict(f"{field} is taken.", fields=[field])
