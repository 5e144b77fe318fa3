"""Equal queries that are being executed are executed once, as the callers see it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from bson import ObjectId
from starlette.applications import Starlette
from starlette.requests import Request

from resolvers.grants import OPEN, Grant, GrantLimits, Role
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unavailable
from stores.contracts.series import WritableSeriesStore
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall
from tests.house.sources import modules
from tests.patience import BUSY_S
from tests.serving import open_client, served

T = TypeVar("T")
OWN, OTHERS = frozenset({"o"}), frozenset({"o", "p"})
GRANTS = {
    "operator": OPEN,
    "alice": Grant("alice", Role.VIEWER, OWN),
    "bob": Grant("bob", Role.VIEWER, OWN, limits=GrantLimits(cost_per_minute=1000)),
    "carol": Grant("carol", Role.VIEWER, OTHERS),
    "dave": Grant("dave", Role.EDITOR, OWN, ingest=True),
    "erin": Grant("erin", Role.VIEWER, OWN, frozenset({"none"})),
}
SELECTION = """organization(organizationId: $o) {
  applications { applicationId devices(first: $n) { nodes { name } } } }"""
PANEL = f'query($o: String! = "o", $n: Int) {{ {SELECTION} }}'
PERSONAL = f'query($o: String! = "o", $n: Int) {{ {SELECTION} viewer {{ subject }} }}'
CREATE = """mutation { createDevice(input: {organizationId: "o", applicationId: "cnc", machineId: "M1"}) {
  device { machineId } } }"""


class HeldReads(Interceptor):
    """While it `holds`, reads of organizations wait until they are released; `fails` fails them then."""

    def __init__(self) -> None:
        self.released, self.holds, self.fails = asyncio.Event(), True, False
        self.held = self.cancelled = 0

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if self.holds and call.operation == "find" and call.subject == "config":
            self.held += 1
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            finally:
                self.held -= 1
            if self.fails:
                raise Unavailable("The document store does not answer.")
        return await proceed()


class Gateway:
    """A served gateway whose document store holds reads."""

    def __init__(self, url: str, reads: HeldReads, app: Starlette) -> None:
        self.reads, state = reads, app.state.app_state
        self.gate, self._executor = state.gate, state.executor
        self.http = open_client(url, timeout=BUSY_S)

    @property
    def shared(self) -> int:
        return int(self._executor.counts["shared"])

    def send(
        self, who: str, query: str = PANEL, variables: dict[str, Any] | None = None
    ) -> asyncio.Task[httpx.Response]:
        body = {"query": query, "variables": variables, "extensions": {"cost": True}}
        return asyncio.create_task(self.http.post("/graphql", json=body, headers={"X-API-Key": who}))

    async def wait_until_held(self, count: int) -> None:
        """Wait until so many requests wait for executions, each of which is held."""
        running = self._executor._shared._calls._running
        async with asyncio.timeout(BUSY_S):
            while (  # noqa: ASYNC110 - nothing tells it
                sum(work._waiting for work in running.values()) != count or self.reads.held < len(running)
            ):
                await asyncio.sleep(0.002)

    async def send_together(self, *requests: tuple[Any, ...]) -> tuple[int, list[Any]]:
        """Send requests that overlap. Return how many were executed, and the answers."""
        shared = self.shared
        sending = [self.send(*request) for request in requests]
        await self.wait_until_held(len(requests))
        self.reads.released.set()
        responses = await asyncio.gather(*sending)
        self.reads.released.clear()
        return len(requests) - (self.shared - shared), [response.json() for response in responses]


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest, documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[Gateway]:
    for name in OTHERS:
        value = {"applicationSettings": {"cnc": {"name": name}}}
        entries = [{"_id": ObjectId(), "key": "applications", "value": value}]
        await documents.database(name).upsert(Organization.collection_of(), entries)

    async def authenticate(http_request: Request) -> Grant:
        return GRANTS[http_request.headers["x-api-key"]]

    reads = HeldReads()
    settings = Settings.model_validate({"data": tmp_path, **getattr(request, "param", {})})
    stored = WrappedDocumentStore(documents, reads)
    app = create_app(settings, documents=stored, series=series, authenticate=authenticate)
    async with served(app) as url:
        gateway = Gateway(url, reads, app)
        yield gateway
        await gateway.http.aclose()


async def test_equal_queries_are_executed_once_and_each_is_metered(gateway: Gateway) -> None:
    executed, results = await gateway.send_together(*[("alice", PANEL)] * 20)
    assert executed == 1
    assert all(answer == results[0] for answer in results)
    assert results[0]["data"]["organization"]["applications"] == [
        {"applicationId": "cnc", "devices": {"nodes": []}}
    ]
    cost = results[0]["extensions"]["cost"]
    assert cost["actual"]["calls"] > 1
    assert cost["estimate"]["calls"] >= cost["actual"]["calls"]
    gateway.reads.released.set()
    assert (await gateway.send("alice")).json() == results[0]
    assert gateway.shared == 19  # whoever asks later has it executed again


async def test_who_waits_for_one_answer_does_not_wait_for_those_who_take_another(gateway: Gateway) -> None:
    ended: list[int] = []
    sending = [gateway.send("alice", PANEL, {"n": n}) for n in (1,) * 40 + (2,) * 2]
    for number, request in enumerate(sending):
        request.add_done_callback(partial(lambda number, _: ended.append(number), number))
    await gateway.wait_until_held(len(sending))
    gateway.reads.released.set()
    await asyncio.gather(*sending)
    await asyncio.sleep(0)
    assert max(ended.index(40), ended.index(41)) < 35


async def test_answers_are_shared_by_those_with_equal_rights_only(gateway: Gateway) -> None:
    executed, results = await gateway.send_together(*((who, PANEL) for who in GRANTS))
    assert executed == len(GRANTS) - 1  # `alice` and `bob` may see the same
    assert results[1]["data"] == results[2]["data"]
    assert [answer["data"]["organization"]["applications"] == [] for answer in results] == [
        who == "erin" for who in GRANTS
    ]
    executed, results = await gateway.send_together(("alice", PERSONAL), ("bob", PERSONAL))
    assert executed == 2
    assert [answer["data"]["viewer"]["subject"] for answer in results] == ["alice", "bob"]


async def test_other_variables_documents_and_operations_are_other_queries(gateway: Gateway) -> None:
    requests = [("carol", PANEL, {"o": o, "n": n}) for o in sorted(OTHERS) for n in (1, 2)]
    executed, results = await gateway.send_together(*requests, *requests, ("carol", f"{PANEL} # another"))
    assert executed == 5
    assert results[:4] == results[4:8]


async def test_who_asks_after_a_change_does_not_get_an_answer_from_before(gateway: Gateway) -> None:
    first = gateway.send("dave")
    await gateway.wait_until_held(1)
    gateway.reads.holds = False
    created = await gateway.send("dave", CREATE)
    assert "errors" not in created.json()
    gateway.reads.holds = True
    second = gateway.send("dave")
    await gateway.wait_until_held(2)
    points, headers = "m,machine_id=M1 f=1", {"X-API-Key": "dave"}
    written = await gateway.http.post("/api/v2/write?bucket=machines", content=points, headers=headers)
    assert written.status_code == 204, written.text
    third = gateway.send("dave")
    await gateway.wait_until_held(3)
    gateway.reads.released.set()
    await asyncio.gather(first, second, third)
    assert gateway.shared == 0
    assert '"nodes":[{"name":null}]' in (await second).text


async def test_a_client_that_leaves_ends_its_waiting_and_the_last_one_the_work(gateway: Gateway) -> None:
    sending = [gateway.send("alice") for _ in range(3)]
    await gateway.wait_until_held(3)
    sending[0].cancel()  # whether it has begun the work or not
    sending[1].cancel()
    await gateway.wait_until_held(1)
    assert gateway.reads.cancelled == 0
    gateway.reads.released.set()
    assert (await sending[2]).status_code == 200
    gateway.reads.released.clear()
    sending = [gateway.send("alice") for _ in range(3)]
    await gateway.wait_until_held(3)
    for request in sending:
        request.cancel()
    await gateway.wait_until_held(0)
    async with asyncio.timeout(BUSY_S):
        while gateway.reads.held:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.002)
    assert gateway.reads.cancelled == 1
    assert gateway.gate.cheap.executing == 0


async def test_an_error_is_for_those_who_wait_and_not_for_later_ones(gateway: Gateway) -> None:
    gateway.reads.fails = True
    executed, results = await gateway.send_together(*[("alice", PANEL)] * 3)
    assert executed == 1
    assert [answer["errors"][0]["extensions"]["code"] for answer in results] == ["UNAVAILABLE"] * 3
    gateway.reads.fails = False
    _, [answer] = await gateway.send_together(("alice", PANEL))
    assert "errors" not in answer


async def test_cheap_queries_and_mutations_are_not_shared(gateway: Gateway) -> None:
    gateway.reads.released.set()
    cheap = '{ organization(organizationId: "o") { name } }'
    await asyncio.gather(*(gateway.send("dave", query) for query in (cheap, CREATE) for _ in range(5)))
    assert gateway.shared == 0


async def test_each_client_waits_only_as_long_as_its_request_may_take(gateway: Gateway) -> None:
    gateway.gate.limits = replace(gateway.gate.limits, request_seconds=0.5)
    first = gateway.send("alice")
    await gateway.wait_until_held(1)
    await asyncio.sleep(0.3)
    second = gateway.send("alice")
    refused = await first
    assert refused.status_code == 503
    assert refused.json()["errors"][0]["extensions"]["limit"] == "request_seconds"
    gateway.reads.released.set()
    assert (await second).status_code == 200
    assert gateway.reads.cancelled == 0


@pytest.mark.parametrize("gateway", [{"graphql": {"max_answer_bytes": 1024}}], indirect=True)
async def test_a_shared_answer_that_is_too_long_is_refused_to_all(
    gateway: Gateway, documents: DocumentStore
) -> None:
    devices = [{"_id": ObjectId(), "machineId": f"M{n}", "name": "x" * 100} for n in range(20)]
    await documents.database("o").upsert(Device.collection_of("cnc"), devices)
    executed, results = await gateway.send_together(*[("alice", PANEL)] * 3)
    assert executed == 1
    assert [answer["errors"][0]["extensions"]["limit"] for answer in results] == ["answer_bytes"] * 3


def test_only_the_viewer_and_mutations_depend_on_who_asks() -> None:
    """Otherwise a query could not be shared by all with equal rights (see `PERSONAL_FIELD`)."""
    personal = re.compile(r"grant\.(subject|expires_at|limits)|context\.budget")
    readers = {
        module.name
        for module in modules("resolvers", "schema")
        if personal.search(module.text) and not module.name.startswith("schema.server")
    }
    assert readers == {
        "resolvers.api_keys",  # mutations
        "resolvers.budgets",
        "resolvers.context",  # the journal of a mutation
        "resolvers.key_administration",  # mutations
        "resolvers.rules.refusals",
        "schema.engine.execution",
        "schema.types.viewer",
    }
