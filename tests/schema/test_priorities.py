"""What the priorities of requests leave behind: nothing, however the requests end."""

import asyncio
import gc
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from bson import ObjectId

from compat_rest.app import create_app
from resolvers import metering
from schema.server import priority_loop
from schema.server.client_connections import ClientConnections, ConnectionLimits
from schema.server.execution_gate import ExecutionGate, RequestTurn
from schema.server.http_server import create_server
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unavailable
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.opening import open_documents
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall
from tests.schema.test_priority_loop import run
from tests.serving import running

T = TypeVar("T")
NAME = '{ organization(organizationId: "o") { name } }'
DEVICES = '{ organization(organizationId: "o") { applications { devices { nodes { machineId } } } } }'
DEVICES_AND_NAME = DEVICES.replace("machineId", "machineId name application { name }")
CREATE = 'mutation { createOrganization(input: {organizationId: "%s", name: "N"}) { organization { name } } }'


class FailingReads(Interceptor):
    """Fails some calls, one in so many, as a store does that is down, or that has a fault."""

    def __init__(self, one_in: int) -> None:
        self._one_in, self._calls = one_in, 0

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self._calls += 1
        if self._calls % self._one_in == 0:
            raise Unavailable("The store is down.") if self._calls % 2 else RuntimeError("a fault")
        await asyncio.sleep(0.001)
        return await proceed()


async def add_devices(documents: DocumentStore) -> None:
    database = documents.database("o")
    value = {"applicationSettings": {"cnc": {"name": "CNC"}}}
    await database.upsert(
        Organization.collection_of(), [{"_id": ObjectId(), "key": "applications", "value": value}]
    )
    devices = [{"_id": ObjectId(), "machineId": f"M{number}"} for number in range(20)]
    await database.upsert(Device.collection_of("cnc"), devices)


def post(body: Any, path: str = "/graphql", method: str = "POST") -> bytes:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def ask(query: str, **more: Any) -> bytes:
    return post({"query": query, **more})


# By name, what makes a request of a number, so that it can be one that was not sent before.
KINDS: dict[str, Callable[[int], bytes]] = {
    "a known document": lambda number: ask(NAME),
    "an expensive one": lambda number: ask(DEVICES),
    "one that turns out to be expensive": lambda number: ask(DEVICES_AND_NAME, variables={"n": number % 3}),
    "a new document": lambda number: ask(NAME.replace("name", f"name n{number}: name")),
    "a new expensive one": lambda number: ask(DEVICES.replace("{ nodes", f"{{ n{number}: nodes")),
    "a mutation": lambda number: ask(CREATE % f"o{number}"),
    "a syntax error": lambda number: ask(NAME[: number % len(NAME)]),
    "an unknown field": lambda number: ask("{ organizations { nodes { nothing } } }"),
    "too deep a document": lambda number: ask("{ a " * 200 + "}" * 200),
    "too many values": lambda number: ask(NAME, variables={"v": [1] * 21_000}),
    "an introspection": lambda number: ask("{ __schema { types { name } } }"),
    "an unknown hash": lambda number: post(
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": f"{number:064}"}}}
    ),
    "a batch": lambda number: post([{"query": DEVICES}, {"query": NAME}, {"query": f"{{ x{number} }}"}]),
    "GET": lambda number: post(b"", "/graphql?query=%7B__typename%7D", "GET"),
    "a mutation by GET": lambda number: post(b"", "/graphql?query=mutation%7B__typename%7D", "GET"),
    "no JSON": lambda number: post(b"{"),
    "an old route": lambda number: post(b"", "/api/organizations/o/applications", "GET"),
    "an old route of nothing": lambda number: post(b"", "/api/organizations/p/applications", "GET"),
    "a broken old request": lambda number: post(b"{", "/api/organizations/o/applications/cnc/devices"),
}


async def send(port: int, number: int, rolls: random.Random) -> None:
    """Send a few requests on one connection, in one piece, and leave it, or read the answers to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for offset in range(rolls.randint(1, 3)):
            writer.write(rolls.choice(list(KINDS.values()))(number * 10 + offset))
        if rolls.random() < 0.4:
            await asyncio.sleep(rolls.random() * 0.03)
        else:
            writer.write(post(b"", "/health/live", "GET").replace(b"Host", b"Connection: close\r\nHost", 1))
            while await reader.read(1 << 16):
                pass
    except OSError:
        pass
    finally:
        writer.close()


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing tells when the server gets there
        await asyncio.sleep(0.002)


def find_turns(gate: ExecutionGate) -> Iterator[RequestTurn]:
    gc.collect()
    return (turn for turn in gc.get_objects() if type(turn) is RequestTurn and turn._gate is gate)


def is_at_rest(gate: ExecutionGate) -> bool:
    lanes = gate.cheap, gate.expensive
    is_free = not any(lane.executing or lane.waiting for lane in lanes)
    return is_free and not gate.background.foreground and not len(gate.background)


def test_no_request_is_left_in_the_foreground_or_in_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends, and whatever its client does."""
    monkeypatch.setattr(metering, "EXPENSIVE_UNITS", 10)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest keeps all tracebacks

    async def check() -> None:
        documents, rolls = open_documents(None, data=tmp_path), random.Random(1)
        await add_devices(documents)
        settings = Settings.model_validate({"data": tmp_path, "limits": {"batch": 5}})
        app = create_app(settings, documents=WrappedDocumentStore(documents, FailingReads(23)))
        gate = app.state.app_state.gate
        config = create_server(app, ClientConnections(ConnectionLimits())).config
        async with running(config) as port:
            for first in range(0, 150, 30):
                await asyncio.gather(*(send(port, number, rolls) for number in range(first, first + 30)))
            await eventually(partial(is_at_rest, gate))
        await eventually(lambda: not list(find_turns(gate)))
        await documents.close()

    run(check())


class HeldReads(Interceptor):
    """Holds the reads of organizations."""

    def __init__(self) -> None:
        self.held = 0

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if call.subject == "config":
            self.held += 1
            await asyncio.Event().wait()
        return await proceed()


def test_an_expensive_query_ends_when_its_client_leaves_and_the_foreground_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though others could wait for the same answer, and what it has to do waits for the foreground."""
    monkeypatch.setattr(metering, "EXPENSIVE_UNITS", 10)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def check() -> None:
        documents, reads = open_documents(None, data=tmp_path), HeldReads()
        settings = Settings.model_validate({"data": tmp_path})
        app = create_app(settings, documents=WrappedDocumentStore(documents, reads))
        gate = app.state.app_state.gate
        async with running(create_server(app, ClientConnections(ConnectionLimits())).config) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ask(DEVICES))
            await eventually(lambda: reads.held > 0 and gate.expensive.executing == 1)
            for name in ("LONGEST_WAIT_S", "QUIET_S"):
                monkeypatch.setattr(priority_loop, name, 1_000)
            foreground = RequestTurn(gate, receive)
            foreground.go_to_foreground()  # and it stays there
            writer.close()
            try:
                async with asyncio.timeout(10):
                    await eventually(lambda: gate.expensive.executing == 0)
            finally:
                foreground.close()
        await documents.close()

    run(check())
