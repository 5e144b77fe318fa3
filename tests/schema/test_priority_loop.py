"""The event loop that does the work of expensive requests while no cheap one is executed."""

import asyncio
import contextvars
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from resolvers.limits import LimitPolicy
from resolvers.turns import CURRENT_TURN
from schema.server import priority_loop
from schema.server.execution_gate import ExecutionGate, GateLimits, RequestTurn
from schema.server.memory import MemoryGauge
from schema.server.priority_loop import PriorityLoop

WAIT_S = 30.0  # every test ends much earlier


def run(main: Coroutine[Any, Any, None]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(WAIT_S):
            await main

    with asyncio.Runner(loop_factory=PriorityLoop) as runner:
        runner.run(within_time())


async def receive() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


def make_gate() -> ExecutionGate:
    return ExecutionGate(GateLimits(), MemoryGauge(), LimitPolicy())


async def begin(gate: ExecutionGate, *, is_expensive: bool) -> RequestTurn:
    turn = RequestTurn(gate, receive)
    CURRENT_TURN.set(turn)
    if is_expensive:
        turn.go_to_background()
    else:
        turn.go_to_foreground()
    await turn.begin(is_expensive=is_expensive)
    return turn


async def work(turn: RequestTurn, steps: int, done: list[int]) -> None:
    """Do so many steps of 2 ms, with a pause after each; `done` counts them."""
    for _ in range(steps):
        time.sleep(0.002)  # noqa: ASYNC251 - this is the computing that holds the loop
        done.append(1)
        await turn.pause()


def test_expensive_work_waits_until_no_cheap_request_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority_loop, "LONGEST_WAIT_S", 1_000)

    async def check() -> None:
        gate, done = make_gate(), list[int]()
        cheap = await begin(gate, is_expensive=False)

        async def be_expensive() -> None:
            turn = await begin(gate, is_expensive=True)
            await asyncio.gather(*(work(turn, 20, done) for _ in range(5)))  # the tasks inherit the turn
            turn.end()

        expensive = asyncio.create_task(be_expensive())
        for _ in range(100):  # turns of the loop
            await asyncio.sleep(0)
        assert not done
        cheap.close()
        await expensive
        assert len(done) == 100

    run(check())


def test_expensive_work_gets_its_share_of_a_busy_loop() -> None:
    async def check() -> None:
        gate, done = make_gate(), list[int]()
        await begin(gate, is_expensive=False)  # and it does not end

        async def be_expensive() -> None:
            await work(await begin(gate, is_expensive=True), 10, done)

        expensive = asyncio.create_task(be_expensive())
        while not expensive.done():  # noqa: ASYNC110 - cheap work that is always ready
            await asyncio.sleep(0)
        assert len(done) == 10

    run(check())


def test_a_request_that_becomes_expensive_or_gives_way_goes_on_in_the_background() -> None:
    async def check() -> None:
        gate, calls = make_gate(), list[str]()
        loop = asyncio.get_running_loop()
        became_expensive = await begin(gate, is_expensive=False)
        await became_expensive.become_expensive()
        follower = RequestTurn(gate, receive)
        follower.go_to_background()
        cheap = await begin(gate, is_expensive=False)
        contexts = []
        for turn in (became_expensive, follower, cheap):
            CURRENT_TURN.set(turn)
            contexts.append(contextvars.copy_context())
        for context, name in zip(contexts, ("became expensive", "follower", "cheap"), strict=True):
            loop.call_soon(calls.append, name, context=context)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cheap.close()
        while len(calls) < 3:  # noqa: ASYNC110 - turns of the loop
            await asyncio.sleep(0)
        assert calls == ["cheap", "became expensive", "follower"]

    run(check())


def test_a_callback_in_the_background_can_be_cancelled_and_may_fail() -> None:
    async def check() -> None:
        calls: list[str] = []
        errors: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: errors.append(context))
        CURRENT_TURN.set(await begin(make_gate(), is_expensive=True))
        loop.call_soon(calls.append, "cancelled").cancel()
        loop.call_soon(lambda: 1 / 0)
        loop.call_soon(calls.append, "after it")
        await asyncio.sleep(0)
        assert calls == ["after it"]
        assert [type(error["exception"]) for error in errors] == [ZeroDivisionError]

    run(check())
