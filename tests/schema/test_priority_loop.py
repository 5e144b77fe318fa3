"""The event loop that does the work of expensive requests while no cheap one is executed."""

import asyncio
import contextvars
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from resolvers.limits import LimitPolicy
from schema.server import priority_loop
from schema.server.execution_gate import ExecutionGate, GateLimits, RequestTurn
from schema.server.memory import MemoryGauge
from schema.server.priority_loop import CURRENT_TURN, PriorityLoop
from tests.patience import BUSY_S


def run(main: Coroutine[Any, Any, None]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(BUSY_S):
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


async def act(turn: RequestTurn, action: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin an action as a task of this request."""
    context = contextvars.Context()
    context.run(CURRENT_TURN.set, turn)
    return asyncio.get_running_loop().create_task(action, context=context)


def make_background_turn(gate: ExecutionGate) -> RequestTurn:
    turn = RequestTurn(gate, receive)
    turn.go_to_background()
    return turn


def test_background_work_gets_its_share_though_the_foreground_ends_and_begins_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At every end the background is about to go on, and the next request is there first."""
    monkeypatch.setattr(priority_loop, "LONGEST_WAIT_S", 0.005)

    async def check() -> None:
        gate, done = make_gate(), list[int]()
        foreground = RequestTurn(gate, receive)
        foreground.go_to_foreground()
        turn = make_background_turn(gate)
        task = await act(turn, work(turn, 3, done))
        while not task.done():
            foreground.close()
            foreground.go_to_foreground()
            foreground.count_step()
            await asyncio.sleep(0)
        assert len(done) == 3

    run(check())


def test_the_background_goes_on_while_the_foreground_waits_for_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For a slow store, or for the background itself."""
    monkeypatch.setattr(priority_loop, "LONGEST_WAIT_S", 1_000)

    async def check() -> None:
        gate, done = make_gate(), list[int]()
        foreground = RequestTurn(gate, receive)
        foreground.go_to_foreground()
        turn = make_background_turn(gate)
        task = await act(turn, work(turn, 10, done))
        waiting = await act(foreground, wait_for(task))
        await waiting
        assert len(done) == 10
        turn.go_to_background()
        await asyncio.to_thread(turn.pause_thread)  # as does a thread

    async def wait_for(task: asyncio.Task[None]) -> None:
        await task

    run(check())


def test_requests_in_the_background_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many callbacks each of them has."""
    monkeypatch.setattr(priority_loop, "TURN_S", 0.0015)

    async def check() -> None:
        gate, calls = make_gate(), list[str]()
        loop, contexts = asyncio.get_running_loop(), []
        for _ in range(2):
            contexts.append(contextvars.Context())
            contexts[-1].run(CURRENT_TURN.set, make_background_turn(gate))

        def call(name: str) -> None:
            time.sleep(0.002)
            calls.append(name)

        for _ in range(20):
            loop.call_soon(call, "many", context=contexts[0])
        loop.call_soon(call, "few", context=contexts[1])
        while len(calls) < 21:  # noqa: ASYNC110 - turns of the loop
            await asyncio.sleep(0)
        assert calls.index("few") == 1

    run(check())


def test_what_outlives_a_request_or_ends_it_is_not_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority_loop, "LONGEST_WAIT_S", 1_000)
    monkeypatch.setattr(priority_loop, "QUIET_S", 1_000)

    async def check() -> None:
        gate, over = make_gate(), asyncio.Event()
        RequestTurn(gate, receive).go_to_foreground()  # and it stays there
        turn = make_background_turn(gate)
        outliving = await act(turn, wait(over))
        await asyncio.sleep(0)
        assert len(gate.background) == 1
        turn.close()
        over.set()
        await outliving
        assert len(gate.background) == 0

    async def wait(event: asyncio.Event) -> None:
        await event.wait()

    run(check())


def test_a_client_in_the_background_that_leaves_ends_its_work_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(priority_loop, "LONGEST_WAIT_S", 1_000)
    monkeypatch.setattr(priority_loop, "QUIET_S", 1_000)

    async def check() -> None:
        gate, is_there = make_gate(), asyncio.Event()

        async def leave() -> dict[str, Any]:
            await is_there.wait()
            return {"type": "http.disconnect"}

        async def execute() -> None:
            turn.go_to_background()
            with turn.watch():
                await asyncio.Event().wait()

        turn = RequestTurn(gate, leave)
        task = await act(turn, execute())
        await asyncio.sleep(0)
        RequestTurn(gate, receive).go_to_foreground()  # and it stays there
        is_there.set()
        await asyncio.wait((task,))
        assert isinstance(task.exception(), ClientDisconnect)

    run(check())


def test_the_queue_goes_on_after_a_callback_that_ends_the_loop() -> None:
    async def check() -> None:
        turn, calls = make_background_turn(make_gate()), list[str]()
        context = contextvars.Context()
        context.run(CURRENT_TURN.set, turn)
        loop = asyncio.get_running_loop()

        def end() -> None:
            raise SystemExit

        loop.call_soon(end, context=context)
        loop.call_soon(calls.append, "after it", context=context)
        try:
            await asyncio.Event().wait()
        finally:  # the runner cancels what is left
            while not calls:  # noqa: ASYNC110 - turns of the loop
                await asyncio.sleep(0)

    with pytest.raises(SystemExit):
        run(check())
