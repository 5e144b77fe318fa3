"""When requests begin and end: clients that leave, time that is up, too many requests, too little memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from bson import ObjectId

from compat_rest.app import create_app
from resolvers import metering
from schema.server.execution_gate import Lane
from schema.server.memory import read_resident_bytes
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unavailable
from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.wrappers.deadline import REQUEST_END, Deadline
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.schema.machines import NOW, put
from tests.serving import open_client, served

T = TypeVar("T")
WAIT_S = 30.0  # every test ends much earlier
QUERY = '{ organization(organizationId: "o") { applications { applicationId devices { nodes { name } } } } }'
SIMPLE = '{ organization(organizationId: "o") { name } }'
MUTATION = """mutation { createOrganization(input: {organizationId: "made", name: "Made"}) {
    organization { organizationId } } }"""


SAMPLED = ("points", "windows", "areas")


class Holding(Interceptor):
    """Holds the reads or the writes of organizations until it is released, and counts what it holds.

    With `samples`, it holds reads of samples instead.
    """

    def __init__(self, *, writes: bool = False, samples: bool = False) -> None:
        self._writes, self._samples, self.held, self.cancelled = writes, samples, 0, 0
        self.released = asyncio.Event()

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        is_held = call.operation in SAMPLED if self._samples else call.subject == "config"
        if is_held and call.is_write == self._writes and not self.released.is_set():
            self.held += 1
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return await proceed()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - nothing tells when the server gets there
            await asyncio.sleep(0.005)


class Gateway:
    """A served gateway whose document store holds calls."""

    def __init__(self, url: str, holding: Holding, app: Any) -> None:
        self.url, self.holding = url, holding
        self.gate = app.state.app_state.gate
        self.executor = app.state.app_state.executor

    async def send(self, query: str, number: int = 0) -> httpx.Response:
        """Send a query. Those of different numbers are not equal, so that they do not share an answer."""
        async with open_client(self.url, timeout=WAIT_S) as http:
            return await http.post("/graphql", json={"query": query, "variables": {"number": number}})

    async def send_and_leave(self, query: str, is_reached: Callable[[], bool]) -> None:
        """Send a query and close the connection as soon as the server has got there."""
        sending = asyncio.create_task(self.send(query))
        await eventually(is_reached)
        sending.cancel()
        await asyncio.wait([sending])


Serve = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def serve(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(holding: Holding, **limits: Any) -> Gateway:
            settings = Settings.model_validate({"data": tmp_path, "limits": limits})
            stores = WrappedDocumentStore(documents, holding), WrappedWritableSeriesStore(series, holding)
            app = create_app(settings, documents=stores[0], series=stores[1])
            return Gateway(await stack.enter_async_context(served(app)), holding, app)

        yield start


@pytest.mark.parametrize("times", [0, 2], ids=["graphql-core", "a plan"])
async def test_a_query_stops_when_its_client_leaves(serve: Serve, times: int) -> None:
    gateway = await serve(Holding())
    gateway.holding.released.set()
    for _ in range(times):  # so that it is compiled
        await gateway.send(QUERY)
    gateway.holding.released.clear()
    await gateway.send_and_leave(QUERY, lambda: gateway.holding.held > 0)
    await eventually(lambda: gateway.holding.cancelled == gateway.holding.held)
    await eventually(lambda: gateway.gate.cheap.executing == 0)


async def test_a_mutation_that_has_begun_finishes(serve: Serve, documents: DocumentStore) -> None:
    gateway = await serve(Holding(writes=True), request_seconds=0.05)
    await gateway.send_and_leave(MUTATION, lambda: gateway.holding.held > 0)
    gateway.holding.released.set()
    await eventually(lambda: gateway.gate.cheap.executing == 0)
    assert gateway.holding.cancelled == 0
    assert "made" in [info.name for info in await documents.list_databases()]


async def test_a_query_has_a_deadline(serve: Serve) -> None:
    gateway = await serve(Holding(), request_seconds=0.05)
    answer = await gateway.send(SIMPLE)
    [error] = answer.json()["errors"]
    assert answer.status_code == 503
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["extensions"]["limit"] == "request_seconds"
    await eventually(lambda: gateway.holding.cancelled == gateway.holding.held)


async def test_a_query_has_a_deadline_while_its_document_waits_to_be_read(serve: Serve) -> None:
    gateway = await serve(Holding(), request_seconds=0.05)
    async with gateway.executor._documents._reading:
        answer = await gateway.send(SIMPLE)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["limit"]) == (503, "request_seconds")


async def test_a_store_has_the_time_that_is_left() -> None:
    deadline, never = Deadline("store", WAIT_S), asyncio.Event()
    REQUEST_END.set(asyncio.get_running_loop().time() + 0.01)
    async with asyncio.timeout(WAIT_S / 2):
        with pytest.raises(Unavailable):
            await deadline.run(StoreCall("find"), never.wait)


async def test_requests_wait_for_a_place_and_more_are_rejected_at_once(serve: Serve) -> None:
    gateway = await serve(Holding(), executing=1, queued=1)
    first = asyncio.create_task(gateway.send(SIMPLE))
    await eventually(lambda: gateway.gate.cheap.executing == 1)
    second = asyncio.create_task(gateway.send(SIMPLE))
    await eventually(lambda: gateway.gate.cheap.waiting == 1)
    rejected = await gateway.send(SIMPLE)
    assert (rejected.status_code, rejected.headers["retry-after"]) == (503, "1")
    assert rejected.json()["errors"][0]["extensions"]["limit"] == "queued"
    async with open_client(gateway.url, timeout=WAIT_S) as http:
        assert (await http.get("/api/organizations/o/applications")).status_code == 503
        assert (await http.get("/health/live")).status_code == 200
    second.cancel()  # its client leaves
    await eventually(lambda: gateway.gate.cheap.waiting == 0)
    third = asyncio.create_task(gateway.send(SIMPLE))
    await eventually(lambda: gateway.gate.cheap.waiting == 1)
    gateway.holding.released.set()
    assert [(await sending).status_code for sending in (first, third)] == [200, 200]


async def test_expensive_requests_have_a_lane_of_their_own(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await serve(Holding(), executing_expensive=1, queued=1)
    monkeypatch.setattr(metering, "EXPENSIVE_UNITS", 10)  # which only the longer query exceeds
    first = asyncio.create_task(gateway.send(QUERY))
    await eventually(lambda: gateway.gate.expensive.executing == 1)
    second = asyncio.create_task(gateway.send(QUERY, 2))
    await eventually(lambda: gateway.gate.expensive.waiting == 1)
    assert (await gateway.send(QUERY, 3)).status_code == 503
    cheap = asyncio.create_task(gateway.send(SIMPLE))
    await eventually(lambda: gateway.gate.cheap.executing == 1)
    gateway.holding.released.set()
    assert [(await sending).status_code for sending in (first, second, cheap)] == [200] * 3
    assert gateway.executor.counts["compiled"] == 1  # at once, though it was never requested before


RAW = """{{ device(organizationId: "o", applicationId: "cnc", machineId: "M0") {{
    series(measurement: "m", field: "f", range: {{last: "{}"}}) {{ count }} }} }}"""
HOURS = """{{ device(organizationId: "o", applicationId: "cnc", machineId: "M0") {{
    series(measurement: "m", field: "f", range: {{last: "{}"}}, aggregate: {}, every: {{duration: "PT1H"}}) {{
    numbers }} }} }}"""


async def add_machine(documents: DocumentStore, series: WritableSeriesStore, samples: int) -> None:
    """The machine M0 of the organization `o`, and a sample of each of the last seconds."""
    database = documents.database("o")
    entry = {"key": "applications", "value": {"applicationSettings": {"cnc": {"name": "CNC"}}}}
    await database.upsert(Organization.collection_of(), [{"_id": ObjectId(), **entry}])
    await database.upsert(Device.collection_of("cnc"), [{"_id": ObjectId(), "machineId": "M0"}])
    points = [put("m", "M0", NOW - number * SECOND, f=number) for number in range(samples)]
    assert not any(await series.write("organization/o", points))


async def test_long_reads_without_an_estimate_wait_for_each_other_and_not_others_for_them(
    serve: Serve, documents: DocumentStore, series: WritableSeriesStore
) -> None:
    await add_machine(documents, series, 3)
    gateway = await serve(Holding(samples=True), executing=2, executing_expensive=1, queued=10)
    floods = [asyncio.create_task(gateway.send(RAW.format("P30D"), n)) for n in range(6)]
    await eventually(lambda: gateway.gate.expensive.waiting == 5)
    assert (gateway.gate.cheap.executing, gateway.gate.expensive.executing, gateway.holding.held) == (0, 1, 1)
    assert (await gateway.send(SIMPLE)).status_code == 200  # which would wait if two of them were executed
    short = asyncio.create_task(gateway.send(RAW.format("PT1H")))
    await eventually(lambda: gateway.gate.cheap.executing == 1)
    floods[-1].cancel()  # its client leaves
    await eventually(lambda: gateway.gate.expensive.waiting == 4)
    gateway.holding.released.set()
    responses = [await sending for sending in (*floods[:-1], short)]
    assert [response.json()["data"]["device"]["series"]["count"] for response in responses] == [3] * 6
    assert (gateway.gate.cheap.executing, gateway.gate.expensive.executing) == (0, 0)


async def test_windows_of_which_all_samples_are_read_wait_for_each_other(
    serve: Serve, documents: DocumentStore, series: WritableSeriesStore
) -> None:
    """The embedded store has hourly rollups for means and integrals, and none for quantiles."""
    await add_machine(documents, series, 3)
    gateway = await serve(Holding(samples=True), executing=5, executing_expensive=1, queued=10)
    quantile = "QUANTILE, quantile: 0.9"
    floods = [asyncio.create_task(gateway.send(HOURS.format("P30D", quantile), n)) for n in range(6)]
    await eventually(lambda: gateway.gate.expensive.waiting == 5)
    calls = 3  # of a request: the window that its range cuts, those that are over, and the last one
    await eventually(lambda: gateway.holding.held == calls)
    assert (gateway.gate.cheap.executing, gateway.gate.expensive.executing) == (0, 1)
    others = [("P7D", quantile), ("P30D", "MEAN"), ("P30D", "INTEGRAL")]
    cheap = [asyncio.create_task(gateway.send(HOURS.format(*other))) for other in others]
    await eventually(lambda: gateway.holding.held == calls * 4)
    assert (gateway.gate.cheap.executing, gateway.gate.expensive.waiting) == (3, 5)
    gateway.holding.released.set()
    for response in [await sending for sending in (*floods, *cheap)]:
        assert response.json()["data"]["device"]["series"]["numbers"]
    assert (gateway.gate.cheap.executing, gateway.gate.expensive.executing) == (0, 0)


async def test_a_request_that_has_read_much_goes_on_as_an_expensive_one(
    serve: Serve, documents: DocumentStore, series: WritableSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_machine(documents, series, 3_000)
    monkeypatch.setattr(metering, "EXPENSIVE_UNITS", 3)  # more than the estimate, and than is presumed
    gateway = await serve(Holding(samples=True), executing_expensive=1, queued=1)
    gateway.gate.expensive.executing = 1
    gateway.holding.released.set()
    waiting = asyncio.create_task(gateway.send(RAW.format("PT1H")))
    await eventually(lambda: gateway.gate.expensive.waiting == 1)
    rejected = await gateway.send(RAW.format("PT1H"), 2)
    assert (rejected.status_code, rejected.headers["retry-after"]) == (503, "1")
    assert rejected.json()["errors"][0]["extensions"]["limit"] == "queued"
    assert gateway.gate.cheap.executing == 0
    waiting.cancel()


async def test_a_place_is_not_lost_to_who_has_just_left_the_queue() -> None:
    lane = Lane(1, 10)
    lane.executing = 1
    waiting = [asyncio.create_task(lane.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lane.leave()  # before the cancelled one has noticed
    waiting[1].cancel()  # after it was given the place
    await asyncio.wait(waiting, timeout=WAIT_S)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    lane.leave()
    assert (lane.executing, lane.waiting) == (0, 0)


async def test_health_and_metrics_answer_while_the_queue_is_full(serve: Serve) -> None:
    gateway = await serve(Holding(), executing=1, queued=0)
    first = asyncio.create_task(gateway.send(SIMPLE))
    await eventually(lambda: gateway.gate.cheap.executing == 1)
    async with open_client(gateway.url, timeout=WAIT_S) as http:
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await http.get(path)).status_code == 200, path
    gateway.holding.released.set()
    await first


async def test_nothing_begins_while_memory_is_scarce(serve: Serve) -> None:
    holding = Holding()
    holding.released.set()
    gateway = await serve(holding)
    assert (await gateway.send(SIMPLE)).status_code == 200
    gateway.gate.memory.limit = read_resident_bytes()
    answer = await gateway.send(SIMPLE)
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["limit"] == "memory_bytes"
