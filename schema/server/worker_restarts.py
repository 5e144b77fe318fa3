"""The place of a worker process, and when the next process is started there after one has ended."""

import logging
import socket
import time
from dataclasses import dataclass, field

log = logging.getLogger(__name__)
YOUNG_S = 5.0  # a worker that ends earlier is a failure: the next one waits a while
RESTART_S, MAX_RESTART_S = 1.0, 60.0  # the first pause, which doubles with each failure, and the longest


@dataclass(slots=True)
class WorkerProcess:
    """A process that serves connections, and the socket on which it gets them."""

    pid: int
    channel: socket.socket
    accepts: bool = False
    has_accepted: bool = False
    began_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class WorkerSlot:
    """One of several workers: its process, or when the next one is started."""

    index: int
    worker: WorkerProcess | None = None
    failures: int = 0  # how many processes in a row have failed
    restart_at: float = 0.0
    is_failing: bool = False  # the last process could not start, and none has taken connections since

    def is_due(self) -> bool:
        return self.worker is None and time.monotonic() >= self.restart_at

    def note_accepting(self, worker: WorkerProcess, *, accepts: bool) -> None:
        """The process says whether it takes connections."""
        worker.accepts = accepts
        worker.has_accepted |= accepts
        if accepts and self.is_failing:
            self.is_failing = False
            log.info("worker %d serves again", self.index)

    def note_end(self, status: int) -> None:
        """Decide when the next process is started. That none can start is said once, until one does."""
        worker, self.worker = self.worker, None
        assert worker is not None
        if worker.has_accepted:
            log.error("worker %d ended with %d; it is replaced", self.index, status)
        elif not self.is_failing:
            self.is_failing = True
            log.error(
                "worker %d cannot start (status %d; it has printed why). It is tried again after %g s, then"
                " ever later, at least each %g s: correct what is wrong, and send SIGHUP to try at once",
                self.index,
                status,
                RESTART_S,
                MAX_RESTART_S,
            )
        if worker.has_accepted and time.monotonic() - worker.began_at >= YOUNG_S:
            self.failures = 0
        else:
            self.restart_at = time.monotonic() + min(RESTART_S * 2**self.failures, MAX_RESTART_S)
            self.failures += 1

    def try_at_once(self) -> None:
        """Forget the failures: what was wrong may have been corrected."""
        self.failures, self.restart_at = 0, 0.0
