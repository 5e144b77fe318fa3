"""How many requests are executed at the same time, and how many wait: the others are rejected at once."""

import asyncio
import math
import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

from starlette.types import Receive

from resolvers.limits import LimitPolicy
from schema.server.memory import MemoryGauge
from schema.server.priority_loop import CURRENT_TURN, BackgroundQueue, QueuedTurn
from schema.server.request_watch import FirstLooks, RequestWatch
from stores.contracts.errors import LimitExceeded

RETRY_AFTER_S = 1.0
QUIET_S = 3.0  # after an expensive request, in which its answer is encoded and sent
LONG_S = 0.005  # in which no answer is built whose encoding would take longer than a few milliseconds
EXPENSIVE_MEMORY, ANY_MEMORY = 0.75, 0.9  # the parts of the memory limit up to which requests begin


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How many requests are executed at once, how many of these are expensive, and how many of each wait."""

    executing: int = 64
    executing_expensive: int = 2
    queued: int = 256
    request_seconds: float = 30.0


class Lane:
    """Requests of one kind: `size` are executed at once, the others wait in their order."""

    def __init__(self, size: int, queued: int) -> None:
        self._size, self._queued = size, queued
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.executing = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_free(self) -> bool:
        return self.executing < self._size and not self._waiting

    def check(self, policy: LimitPolicy) -> None:
        """Raise `LimitExceeded` if no request may wait any more."""
        if len(self._waiting) >= self._queued:
            policy.enforce(_overload("queued", self._queued, "The gateway is busy"))

    async def wait(self) -> None:
        """Wait for a place; whoever leaves passes it on."""
        permission: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(permission)
        try:
            await permission
        except asyncio.CancelledError:
            if permission.done() and not permission.cancelled():
                self.leave()
            elif permission in self._waiting:
                self._waiting.remove(permission)
            raise

    def leave(self) -> None:
        """Give up a place: the request that waits longest takes it."""
        while self._waiting:
            permission = self._waiting.popleft()
            if (
                not permission.done()
            ):  # whoever was cancelled in this turn of the loop has not left the queue yet
                permission.set_result(None)
                return
        self.executing -= 1


class ExecutionGate:
    """Admits requests to their execution: cheap and expensive ones in lanes of their own.

    Expensive requests go on in the background, and do not begin when memory becomes scarce.
    """

    def __init__(self, limits: GateLimits, memory: MemoryGauge, policy: LimitPolicy) -> None:
        self.limits, self.memory, self.policy = limits, memory, policy
        self.cheap = Lane(limits.executing, limits.queued)
        self.expensive = Lane(limits.executing_expensive, limits.queued)
        self.background = BackgroundQueue()
        self.large_writes = 0  # of points, which are parsed or written
        self.first_looks = FirstLooks()
        self._last_expensive = -math.inf

    def lane(self, *, is_expensive: bool) -> Lane:
        return self.expensive if is_expensive else self.cheap

    def check_memory(self, *, is_expensive: bool) -> None:
        """Raise `LimitExceeded` if there is too little memory for a request to begin."""
        if self.memory.used_part() > (EXPENSIVE_MEMORY if is_expensive else ANY_MEMORY):
            self.policy.enforce(
                _overload("memory_bytes", self.memory.limit or 0, "The gateway is short of memory")
            )

    def is_idle(self) -> bool:
        """Whether nothing is executed or written, and the answer to the last expensive request is sent."""
        is_quiet = time.monotonic() - self._last_expensive > QUIET_S
        return is_quiet and not (self.expensive.executing or self.cheap.executing or self.large_writes)

    def leave(self, lane: Lane) -> None:
        lane.leave()
        if lane is self.expensive:
            self._last_expensive = time.monotonic()


class RequestTurn(QueuedTurn):
    """The turn of one HTTP request at the gate. Its client may leave while it waits or is executed."""

    def __init__(self, gate: ExecutionGate, receive: Receive) -> None:
        self._gate, self._receive = gate, receive
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._end = self._began + gate.limits.request_seconds
        self._lane: Lane | None = None
        self._is_detached = False

    @cached_property
    def _lock(self) -> asyncio.Lock:
        """Few requests need it."""
        return asyncio.Lock()

    def adopt_task(self) -> None:
        CURRENT_TURN.set(self)

    def release_task(self) -> None:
        CURRENT_TURN.set(None)

    def go_to_background(self) -> None:
        self.is_background = True
        self._gate.background.leave_foreground(self)

    def leave_background(self) -> None:
        self.is_background = False
        self._gate.background.release(self)

    def go_to_foreground(self) -> None:
        if self.is_background:
            self.leave_background()
        self._gate.background.foreground.add(self)

    def close(self) -> None:
        self._gate.background.leave_foreground(self)
        if self.is_background and self._lane is None:  # else others wait for what it executes
            self.leave_background()  # what outlives the request, such as a log's task, is not deferred

    async def begin(self, *, is_expensive: bool) -> None:
        self._gate.check_memory(is_expensive=is_expensive)
        lane = self._gate.lane(is_expensive=is_expensive)
        if not lane.is_free:
            lane.check(self._gate.policy)
            with self.watch():
                await lane.wait()
        else:
            lane.executing += 1
        self._lane = lane

    async def become_expensive(self) -> None:
        async with self._lock:  # several calls of the request may find it out
            if self._lane is not self._gate.cheap:
                return
            self._gate.check_memory(is_expensive=True)
            self.go_to_background()
            expensive = self._gate.expensive
            if not expensive.is_free:
                expensive.check(self._gate.policy)
                self.end()
                await expensive.wait()
            else:
                self.end()
                expensive.executing += 1
            self._lane = expensive

    def detach(self) -> None:
        self._is_detached = True

    def end(self) -> None:
        if self._lane is not None:
            self._gate.leave(self._lane)
            self._lane = None

    def watch(self) -> AbstractContextManager[None]:
        if self._is_detached:
            return nullcontext()
        if self._gate.policy.only_warns("request_seconds"):
            return self._make_watch(math.inf, math.inf)
        return self._make_watch(self._end, self._gate.limits.request_seconds)

    def _make_watch(self, end: float, seconds: float) -> RequestWatch:
        return RequestWatch(self._receive, end, seconds, self._gate.first_looks, self._end_work)

    def _end_work(self) -> None:
        if not self._is_detached:
            self.leave_background()

    @property
    def is_long(self) -> bool:
        return self._loop.time() - self._began > LONG_S

    async def pause(self) -> None:
        async with (
            self._lock
        ):  # so that a turn of the event loop has one slice of a request, not one of each list
            await asyncio.sleep(0)

    def pause_thread(self) -> None:
        if self.is_background:
            self._gate.background.pause_thread()

    def count_step(self) -> None:
        self._gate.background.steps += 1

    def defer(self, handle: asyncio.Handle) -> None:
        self._gate.background.append(self, handle)


def _overload(name: str, maximum: int, reason: str) -> LimitExceeded:
    advice = f"{reason}: send the request again later."
    return LimitExceeded(name, maximum, advice=advice, retry_after_s=RETRY_AFTER_S)
