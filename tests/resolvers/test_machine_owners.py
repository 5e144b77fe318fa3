"""Who has registered a machine id: found by id, cached for seconds, and known while the store is down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from bson import ObjectId

from resolvers.context import Viewer
from resolvers.machine_owners import TTL_S, MachineOwners
from resolvers.metering import Meter, MeteredDocumentStore
from resolvers.series_access import SeriesAccess
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unavailable
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class Clock:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Outage(Interceptor):
    """Fails every call while it lasts."""

    is_down = False

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        if self.is_down:
            raise Unavailable("down")
        return await proceed()


class Stall(Interceptor):
    """Holds up every call until it is to fail."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[None]] = []

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(asyncio.get_running_loop().create_future())
        await self.calls[-1]
        return await proceed()

    async def wait_for_calls(self, number: int) -> None:
        """Give the other tasks time to make their calls, and assert how many they have made."""
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(self.calls) == number

    def fail(self) -> None:
        """Fail all calls that are held up."""
        calls, self.calls = self.calls, []
        for call in calls:
            if not call.done():
                call.set_exception(Unavailable("down"))


async def add(store: DocumentStore, organization: str, **device: object) -> None:
    documents = store.database(organization)
    settings = {"key": "applications", "value": {"applicationSettings": {"cnc": {}}}}
    await documents.upsert(Organization.collection_of(), [{"_id": ObjectId(), **settings}])
    await documents.upsert(Device.collection_of("cnc"), [{"_id": ObjectId(), **device}])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    store = open_documents(None, data=tmp_path)
    await add(store, "acme", machineId="M1")
    await add(store, "nord", machine_id="M1", name="M2")
    await add(store, "sued", name="by name")
    await add(store, "west", machineId=7)
    yield store
    await store.close()


async def test_every_spelling_of_a_machine_id_is_found(store: DocumentStore) -> None:
    owners = MachineOwners(store)
    assert await owners.find(["M1", "M2", "by name", "7", "unknown"]) == {
        "M1": {"acme", "nord"},
        "M2": set(),  # a name that is not the id
        "by name": {"sued"},
        "7": {"west"},
        "unknown": set(),
    }


async def test_owners_are_cached_until_they_change_or_expire(store: DocumentStore) -> None:
    counter, clock = CallCounter(), Clock()
    owners = MachineOwners(WrappedDocumentStore(store, counter), clock)
    await owners.find(["7"])
    first = len(counter.calls)
    await add(store, "east", machineId=7)
    assert await owners.find(["7"]) == {"7": {"west"}}
    assert len(counter.calls) == first
    owners.forget()
    assert await owners.find(["7"]) == {"7": {"east", "west"}}
    await store.database("east").delete(Device.collection_of("cnc"), [])
    clock.now += TTL_S
    assert await owners.find(["7"]) == {"7": {"west"}}


async def test_requests_for_the_same_machines_at_one_time_read_them_once(store: DocumentStore) -> None:
    """A dashboard of a thousand machines, opened by many, read all devices for each of them."""
    counter, outage = CallCounter(), Outage()
    owners = MachineOwners(WrappedDocumentStore(WrappedDocumentStore(store, counter), outage))
    outage.is_down = True
    failures = await asyncio.gather(*(owners.find(["M1", "7"]) for _ in range(3)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {Unavailable}
    outage.is_down = False
    results = await asyncio.gather(*(owners.find(["M1", "7"]) for _ in range(16)))
    assert all(result == {"M1": {"acme", "nord"}, "7": {"west"}} for result in results)
    assert len(counter.calls) == 3  # the organizations, their settings, and the devices


async def test_requests_that_wait_for_a_store_that_is_down_fail_together(store: DocumentStore) -> None:
    """One after another, each would wait for as long as a call may take."""
    stall = Stall()
    owners = MachineOwners(WrappedDocumentStore(store, stall))
    tasks = [asyncio.create_task(owners.find(["M1"])) for _ in range(4)]
    for expected in (1, 3):
        await stall.wait_for_calls(expected)
        stall.fail()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(failure) for failure in failures] == [Unavailable] * 4
    leaving, waiting = (asyncio.create_task(owners.find(["M1"])) for _ in range(2))
    await stall.wait_for_calls(1)
    leaving.cancel()  # the other one takes its place
    await stall.wait_for_calls(2)
    stall.fail()
    with pytest.raises(Unavailable):
        await waiting


async def test_what_a_request_looks_up_is_counted_by_its_meter(store: DocumentStore, tmp_path: Path) -> None:
    meter, series = Meter(), open_series(None, data=tmp_path)
    layout = SeriesLayout(has_own_databases=False)
    access = SeriesAccess(series, layout, owners=MachineOwners(store))
    viewer = Viewer(MeteredDocumentStore(store, meter), access)
    assert await viewer.list_owners(["M1", "7"]) == [{"acme", "nord"}, {"west"}]
    assert meter.actual[:2] == (3, 4 + 3)  # the organizations and their settings, and the devices
    latest = viewer.readings("acme").latest("state", ("power",))
    assert await latest.load("M2") == {}
    assert meter.actual[:2] == (6, 7 + 4 + 1)
    await series.close()


async def test_while_the_store_is_down_what_was_known_counts(store: DocumentStore) -> None:
    outage, clock = Outage(), Clock()
    owners = MachineOwners(WrappedDocumentStore(store, outage), clock)
    await owners.find(["7"])
    clock.now += 1000
    outage.is_down = True
    assert await owners.find(["7"]) == {"7": {"west"}}
    with pytest.raises(Unavailable):
        await owners.find(["7", "M1"])
