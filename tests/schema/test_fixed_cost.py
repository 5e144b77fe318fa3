"""What every request costs around its operation: counted in calls of functions, which no load changes."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
import pytest
from bson import ObjectId
from starlette.types import Message, Scope

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.engine.long_answers import estimate_leaves
from schema.server.settings import Settings
from stores.wrappers.deadline import TimeBound

QUERY = orjson.dumps({"query": "{ __typename }"})


def make_scope(path: str = "/graphql", method: str = "POST", *headers: tuple[bytes, bytes]) -> Scope:
    usual = [
        (b"host", b"127.0.0.1:8000"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"user-agent", b"test"),
        (b"content-length", str(len(QUERY)).encode()),
        (b"content-type", b"application/json"),
    ]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [*usual, *headers],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
    }


async def answer(app: Any, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    bodies = [QUERY]

    async def receive() -> Message:
        if not bodies:
            await asyncio.Event().wait()  # the client stays: a watcher waits for it if the machine is busy
        return {"type": "http.request", "body": bodies.pop()}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def count_least_calls(app: Any, *headers: tuple[bytes, bytes]) -> Counter[str]:
    """The calls of Python functions of a request that was sent before, by module and name.

    Those of the cheapest of three: what is due from time to time may coincide with one of them.
    """
    for _ in range(4):
        assert (await answer(app, make_scope("/graphql", "POST", *headers)))[0]["status"] == 200
    counters = [await count_calls(app, make_scope("/graphql", "POST", *headers)) for _ in range(3)]
    return min(counters, key=Counter.total)


async def count_calls(app: Any, scope: Scope) -> Counter[str]:
    calls = Counter[str]()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            calls[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"] += 1

    sys.setprofile(count)
    try:
        await answer(app, scope)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(("has_key", "maximum"), [(False, 245), (True, 255)])
async def test_a_request_costs_few_calls(tmp_path: Path, has_key: bool, maximum: int) -> None:
    app = create_app(Settings(data=tmp_path))
    headers = []
    async with app.router.lifespan_context(app):
        if has_key:
            store = app.state.app_state.documents
            spec = KeySpec("test", ("plant",), Role.VIEWER)
            _, key = await create_api_key(store.database(store.default), spec, created_by="test")
            headers = [(b"x-api-key", key.encode())]
        calls = await count_least_calls(app, *headers)
    assert calls.total() <= maximum, calls.most_common(60)
    assert not [name for name in calls if name.startswith("starlette.routing.")]


async def test_paths_that_are_called_directly_answer_as_the_router_does(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path))
    async with app.router.lifespan_context(app):

        async def ask(path: str, method: str = "GET") -> tuple[int, str]:
            start = (await answer(app, make_scope(path, method)))[0]
            return start["status"], dict(start["headers"]).get(b"location", b"").decode()

        assert await ask("/graphql/", "POST") == (200, "")
        assert await ask("/health/") == (307, "http://127.0.0.1:8000/health")
        assert (await ask("/api/organizations"))[0] == 200
        assert (await ask("/API/Organizations/"))[0] == 200
        assert (await ask("/api/organizations", "PATCH"))[0] == 405
        assert (await ask("/nothing"))[0] == 404


async def test_every_answer_depends_on_the_origin(tmp_path: Path) -> None:
    """A shared cache must not answer a page with what it has kept for a program, and the reverse."""
    app = create_app(Settings(data=tmp_path))
    async with app.router.lifespan_context(app):
        for path, headers in (
            ("/graphql", ()),
            ("/health", ()),
            ("/graphql", [(b"origin", b"http://127.0.0.1:8000")]),
        ):
            scope = make_scope(path, "POST" if path == "/graphql" else "GET", *headers)
            [vary] = [value for name, value in (await answer(app, scope))[0]["headers"] if name == b"vary"]
            assert b"Origin" in vary.split(b", ")


async def test_a_time_bound_ends_its_block_and_nothing_else() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError), TimeBound(loop.time() + 0.01):
        await asyncio.Event().wait()
    await asyncio.sleep(0)  # the task is not cancelled any more
    with TimeBound(loop.time() + 60):
        await asyncio.sleep(0)
    # The outer block is over, within which the inner one has time left.
    with pytest.raises(TimeoutError), TimeBound(loop.time() + 0.01), TimeBound(loop.time() + 60):
        await asyncio.Event().wait()


async def test_a_task_that_is_cancelled_within_a_time_bound_is_cancelled() -> None:
    async def work() -> None:
        with TimeBound(asyncio.get_running_loop().time() + 60):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_leaves_of_an_object_are_counted_as_those_of_its_members_one_by_one() -> None:
    object_ = {"a": "x" * 64, "b": 1, "c": None, "d": [1, 2.0, "y" * 32], "e": {"f": ObjectId(), "g": ()}}
    assert estimate_leaves(object_) == 1 + sum(map(estimate_leaves, object_.values())) == 12
