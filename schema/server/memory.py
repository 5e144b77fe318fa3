"""How much of its memory the process uses."""

import os
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL_S = 0.1  # between two readings
CGROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # Linux
STATM = Path("/proc/self/statm")
NO_LIMIT = 2**60


def read_resident_bytes() -> int:
    """The resident memory of this process; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


class MemoryGauge:
    """The resident memory of this process, read at most ten times in a second.

    `limit` is the number of bytes that the process may use; None takes that of its control group, if any.
    """

    def __init__(
        self,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[], int] = read_resident_bytes,
    ) -> None:
        self.limit = limit or read_cgroup_limit()
        self._clock, self._read = clock, read
        self._next, self._used = 0.0, 0

    def used_part(self) -> float:
        """The part of the limit that is used, 0 if there is no limit."""
        if self.limit is None:
            return 0.0
        now = self._clock()
        if now >= self._next:
            self._next, self._used = now + INTERVAL_S, self._read()
        return self._used / self.limit


def read_cgroup_limit(root: Path = CGROUPS, groups: Path = OWN_GROUPS) -> int | None:
    """The lowest memory limit of the control groups of this process; None if there is none."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:  # version 2
            own = root / group.lstrip("/")
            limits += [_read_number(path / "memory.max") for path in (own, *own.parents)]
        elif "memory" in controllers.split(","):
            limits += [
                _read_number(root / "memory" / path / "memory.limit_in_bytes")
                for path in (group.lstrip("/"), "")
            ]
    return min((limit for limit in limits if limit is not None), default=None)


def _read_number(path: Path) -> int | None:
    """The number in a file; None if there is none, or one so large that it stands for no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else None
