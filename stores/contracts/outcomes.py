"""Whether a write that failed may have been applied: what a caller has to know before it tries again.

A backend reports by `mark_sent` the step from which on a write can take effect. Whoever handles the error
around it (a deadline, a mutation) tracks the writes of its call and reads the outcome.
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


def mark_sent() -> bool:
    """From now on a write of this call may be applied, or is. Returns whether that was so before."""
    tracker = _tracker.get()
    if tracker is None:
        return False
    before, tracker.may_be_applied = tracker.may_be_applied, True
    return before


def mark_failed(error: BaseException, before: bool) -> None:
    """Undo `mark_sent`, which returned `before`, if the error proves that the store refused the write."""
    tracker = _tracker.get()
    if tracker is not None and proves_refusal(error):
        tracker.may_be_applied = before


def proves_refusal(error: BaseException) -> bool:
    """Whether a write that raised the error was certainly not applied."""
    if isinstance(error, Unavailable):
        return error.extensions.get("outcome") == NOT_APPLIED
    return isinstance(error, GatewayError)
