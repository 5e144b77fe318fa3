"""How much memory the process uses, and may use."""

import asyncio
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from compat_rest.app import create_app
from resolvers.limits import LimitPolicy
from schema.server import memory
from schema.server.limit_settings import LimitSettings
from schema.server.memory import (
    MemoryGauge,
    find_trim,
    read_cgroup_limit,
    read_resident_bytes,
    release_unused_memory,
)
from schema.server.process_tuning import tune_interpreter
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import LimitExceeded
from stores.contracts.series import WritableSeriesStore
from stores.wrappers.interception import Interceptor, StoreCall
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.serving import open_client, served

T = TypeVar("T")


def test_memory_is_read_at_most_ten_times_in_a_second() -> None:
    times, readings = iter([1.0, 1.05, 1.2]), iter([100, 200])
    gauge = MemoryGauge(1000, clock=lambda: next(times), read=lambda: next(readings))
    assert [gauge.used_part() for _ in range(3)] == [0.1, 0.1, 0.2]
    assert 2**20 < read_resident_bytes() < 2**40


def test_the_memory_limit_is_the_lowest_of_the_control_groups(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    groups.write_text("0::/system.slice/gateway.service\n")
    (tmp_path / "system.slice" / "gateway.service").mkdir(parents=True)
    (tmp_path / "system.slice" / "memory.max").write_text("2000000000\n")
    (tmp_path / "system.slice" / "gateway.service" / "memory.max").write_text("max\n")
    assert read_cgroup_limit(tmp_path, groups) == 2_000_000_000
    groups.write_text("5:cpu,memory:/docker/a\n")
    assert read_cgroup_limit(tmp_path, groups) is None
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1000000000\n")
    assert read_cgroup_limit(tmp_path, groups) == 1_000_000_000


class Cycle:
    """An object that only the collector of cycles frees."""

    def __init__(self) -> None:
        self.itself = self


async def test_memory_is_released_when_it_has_grown_and_nobody_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "RELEASE_INTERVAL_S", 0)
    resident = iter([100, 50, 54, 56, 52])
    trims: list[str] = []
    idle, done = iter([False, True, True, True]), asyncio.Event()

    def is_idle() -> bool:
        is_next = next(idle, None)
        if is_next is None:
            done.set()
        return bool(is_next)

    gc.disable()
    cycle = weakref.ref(Cycle())
    task = asyncio.create_task(
        release_unused_memory(is_idle, resident.__next__, lambda: trims.append("trim"))
    )
    await asyncio.wait_for(done.wait(), 30)
    gc.enable()
    task.cancel()
    assert len(trims) == 2  # 100 bytes became 50; 54 are too few more, and 56 are enough
    assert cycle() is None


class Looking(Interceptor):
    """Looks whether the gateway is idle while points are written."""

    def __init__(self) -> None:
        self.is_idle: Callable[[], bool] = lambda: True
        self.seen: list[bool] = []

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self.seen += [self.is_idle()] if call.operation == "write" else []
        return await proceed()


async def test_garbage_is_not_collected_while_many_points_are_written(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> None:
    looking = Looking()
    store = WrappedWritableSeriesStore(series, looking)
    app = create_app(Settings(data=tmp_path), documents=documents, series=store)
    looking.is_idle = app.state.app_state.gate.is_idle
    async with served(app) as url, open_client(url) as http:
        for lines in (1, 50_000):  # of 22 bytes
            body = "\n".join(f"m,machine_id=M f=1 {number:>3}" for number in range(lines))
            assert (await http.post("/api/v2/write?bucket=machines", content=body)).status_code == 204
        assert looking.seen == [True, *[False] * (len(looking.seen) - 1)]
        assert len(looking.seen) > 2
        assert looking.is_idle()


class Sent:
    """What a request has sent."""


def test_what_a_rejected_request_has_sent_is_freed_without_the_collector() -> None:
    """The collector would visit all objects of the process, and nothing else runs meanwhile."""

    def check(sent: Sent) -> None:
        LimitPolicy().enforce(LimitExceeded("input_values", 1, advice="Send less."))
        raise AssertionError(sent)

    def reject(sent: Sent) -> LimitExceeded:
        try:
            check(sent)
        except LimitExceeded as error:
            return error  # it refers to the frames that it was raised in
        raise AssertionError

    sent = Sent()
    gc.disable()
    try:
        freed, error = weakref.ref(sent), reject(sent)
        del sent
        assert freed() is not None
        del error
        assert freed() is None
    finally:
        gc.enable()


def test_a_serving_process_lets_its_threads_take_short_turns() -> None:
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    try:
        tune_interpreter()
        assert sys.getswitchinterval() < 0.001
        assert gc.get_freeze_count()
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)


def test_the_allocator_can_be_trimmed_where_it_is_that_of_glibc() -> None:
    find_trim()()


def test_workers_share_the_memory() -> None:
    limits = LimitSettings(memory_bytes=800_000_000)
    assert limits.make_gate(LimitPolicy(), 4).memory.limit == 200_000_000
    assert limits.make_gate(LimitPolicy()).memory.limit == 800_000_000
