"""How much memory the process uses, and how it gives back what it does not use any more."""

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL_S = 0.1  # between two readings
CGROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # Linux
STATM = Path("/proc/self/statm")
NO_LIMIT = 2**60
RELEASE_INTERVAL_S = 5.0
RELEASED_GROWTH = (
    1.1  # of the resident memory since the last release, from which on there is something to release
)


def read_resident_bytes() -> int:
    """The resident memory of this process; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


async def release_unused_memory(
    is_idle: Callable[[], bool],
    read: Callable[[], int] = read_resident_bytes,
    trim: Callable[[], object] | None = None,
) -> None:
    """Give memory back to the system after requests that have needed much: in the background, for ever.

    Cycles of objects are collected, which the collector would only do after a million new objects, and the
    allocator returns the pages that are free. Both wait until `is_idle`: while long results are alive, the
    collection would visit all their objects.
    """
    trim = trim or find_trim()
    released = 0
    while True:
        await asyncio.sleep(RELEASE_INTERVAL_S)
        if is_idle() and read() > released * RELEASED_GROWTH:
            gc.collect()
            await asyncio.to_thread(trim)
            released = read()


def find_trim() -> Callable[[], object]:
    """The function of glibc that returns free pages to the system; elsewhere, one that does nothing."""
    try:
        trim = ctypes.CDLL(None).malloc_trim  # glibc
    except (OSError, AttributeError, TypeError):
        return lambda: None
    return lambda: trim(0)


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
