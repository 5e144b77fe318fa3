"""The circuit breaker: a store that is down fails at once, is probed, and is found again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stores.contracts.errors import NotFound, Unavailable
from stores.wrappers.breaker import (
    MAX_FAILURES,
    MAX_RETRY_AFTER_S,
    PROBE_INTERVAL_S,
    PROBE_WAIT_S,
    CircuitBreaker,
)
from stores.wrappers.interception import Chain, Interceptor, StoreCall

READ, WRITE = StoreCall("find"), StoreCall("insert", is_write=True)


class FlakyStore:
    """A store that fails as long as it has an `error`."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = Unavailable("down", is_outage=True)
        self.now = 0.0
        self.breaker = CircuitBreaker("test store", lambda: self.now)

    async def call(self) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return "result"

    async def run(self, call: StoreCall = READ) -> str:
        return await self.breaker.run(call, self.call)

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(Unavailable):
                await self.run()


async def test_a_store_that_is_down_is_not_called() -> None:
    store = FlakyStore()
    await store.fail(MAX_FAILURES + 20)
    assert store.calls == MAX_FAILURES
    with pytest.raises(Unavailable) as raised:
        await store.run(WRITE)
    assert raised.value.extensions["outcome"] == "NOT_APPLIED"


async def test_it_is_probed_by_one_call_at_a_time_and_found_again() -> None:
    store = FlakyStore()
    await store.fail(MAX_FAILURES)
    store.now += PROBE_INTERVAL_S
    results = await asyncio.gather(*(store.run() for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert store.calls == MAX_FAILURES + 1
    store.now += PROBE_INTERVAL_S
    store.error = None
    assert await store.run() == "result"
    assert [await store.run() for _ in range(5)] == ["result"] * 5


async def test_the_first_request_after_an_outage_is_answered_as_a_whole() -> None:
    store = FlakyStore()
    await store.fail(MAX_FAILURES)
    store.now += PROBE_INTERVAL_S
    store.error = None
    assert await asyncio.gather(*(store.run() for _ in range(10))) == ["result"] * 10


async def test_calls_do_not_wait_for_a_probe_that_hangs() -> None:
    store = FlakyStore()
    await store.fail(MAX_FAILURES)
    store.now += PROBE_INTERVAL_S
    hanging = asyncio.Event()

    async def hang() -> None:
        await hanging.wait()

    probe = asyncio.create_task(store.breaker.run(READ, hang))
    await asyncio.sleep(0)
    store.now += PROBE_WAIT_S
    await store.fail(10)
    assert store.calls == MAX_FAILURES
    hanging.set()
    await probe
    store.error = None
    assert await store.run() == "result"


async def test_a_probe_that_is_cancelled_makes_room_for_the_next() -> None:
    store = FlakyStore()
    await store.fail(MAX_FAILURES)
    store.now += PROBE_INTERVAL_S
    probe = asyncio.create_task(store.run())
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    store.error = None
    assert await store.run() == "result"


@pytest.mark.parametrize("error", [Unavailable("one request is rejected"), NotFound("nothing")])
async def test_an_answer_that_is_an_error_of_one_request_keeps_the_circuit_closed(error: Exception) -> None:
    store = FlakyStore()
    for _ in range(5):
        await store.fail(MAX_FAILURES - 1)
        store.error, outage = error, store.error
        with pytest.raises(type(error)):
            await store.run()
        store.error = outage
    assert store.calls == 5 * MAX_FAILURES


@pytest.mark.parametrize(("requested", "pause"), [(7.0, 7.0), (1e9, MAX_RETRY_AFTER_S), (0.0, 0.0)])
async def test_a_store_that_asks_to_wait_is_left_alone_at_once(requested: float, pause: float) -> None:
    store = FlakyStore()
    store.error = Unavailable("busy", is_outage=True, retry_after_s=requested)
    await store.fail(1)
    store.error = None
    store.now += pause - 0.001
    if pause:
        await store.fail(1)
    assert store.calls == 1
    store.now += 0.001
    assert await store.run() == "result"


async def test_a_chain_passes_calls_through_all_interceptors_in_order() -> None:
    order = []

    class Noting(Interceptor):
        def __init__(self, name: str) -> None:
            self.name = name

        async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[str]]) -> str:  # type: ignore[override]  # one type of result
            order.append(self.name)
            return await proceed()

    async def proceed() -> str:
        order.append("store")
        return "result"

    assert await Chain(Noting("outer"), Noting("inner")).run(READ, proceed) == "result"
    assert order == ["outer", "inner", "store"]
