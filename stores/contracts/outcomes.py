"""Whether a write that failed may have been applied: what a caller has to know before it tries again.

A backend reports the step from which on a write can take effect, by `sending_write` or `mark_sent`. Whoever
handles the error around it (a deadline, a mutation) tracks the writes of its call and reads the outcome.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from stores.contracts.errors import GatewayError, Unavailable

NOT_APPLIED, UNKNOWN = "NOT_APPLIED", "UNKNOWN"


@dataclass(slots=True)
class WriteTracker:
    """`may_be_applied` becomes true when a write is sent, and stays so unless the store refuses the write."""

    may_be_applied: bool = False

    @property
    def outcome(self) -> str:
        return UNKNOWN if self.may_be_applied else NOT_APPLIED


_tracker: ContextVar[WriteTracker | None] = ContextVar("write_tracker", default=None)


@contextmanager
def track_writes() -> Iterator[WriteTracker]:
    """Track the writes of a block; an enclosing block learns of them, too."""
    outer, inner = _tracker.get(), WriteTracker()
    token = _tracker.set(inner)
    try:
        yield inner
    finally:
        _tracker.reset(token)
        if outer is not None and inner.may_be_applied:
            outer.may_be_applied = True


def mark_sent() -> None:
    """From now on a write of this call may be applied, or is."""
    if (tracker := _tracker.get()) is not None:
        tracker.may_be_applied = True


@contextmanager
def sending_write() -> Iterator[None]:
    """Send a write. Only an error with which the store refuses it proves that it was not applied."""
    tracker = _tracker.get()
    before = tracker is not None and tracker.may_be_applied
    mark_sent()
    try:
        yield
    except GatewayError as error:
        refused = not isinstance(error, Unavailable) or error.extensions.get("outcome") == NOT_APPLIED
        if tracker is not None and refused:
            tracker.may_be_applied = before
        raise
