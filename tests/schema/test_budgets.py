"""Budgets of keys, tenants and addresses: what they count, and how they answer."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from resolvers import budgets
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.budgets import BudgetLimits, Budgets
from resolvers.grants import Grant, GrantLimits, Role
from resolvers.limits import LimitPolicy
from resolvers.metering import Cost, Meter, cost_units
from schema.server.limit_settings import LimitSettings
from schema.server.settings import Settings
from schema.server.state import AppState
from stores.backends.buckets.memory import MemoryBuckets
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import LimitExceeded
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.clock import Clock

QUERY = "query($o: String!) { organization(organizationId: $o) { applications { name deviceCount } } }"
NO_COST = Cost(0, 0, 0, 0)
OpenHttp = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def open_http(
    tmp_path: Path, documents: DocumentStore, series: WritableSeriesStore
) -> AsyncIterator[OpenHttp]:
    """Opens a client of an application with these limits; without `key` it sends no credential."""
    clients: list[httpx.AsyncClient] = []

    def open_with(key: str | None = None, *, address: str = "192.0.2.1", **limits: Any) -> httpx.AsyncClient:
        settings = Settings(data=tmp_path, limits=LimitSettings(**limits))
        app = create_app(settings, documents=documents, series=series)
        transport = httpx.ASGITransport(app, client=(address, 1234))
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers))
        return clients[-1]

    yield open_with
    for client in clients:
        await client.aclose()


async def create_key(documents: DocumentStore, plant: str, **limits: Any) -> str:
    spec = KeySpec("dashboard", (plant,), Role.VIEWER, limits=GrantLimits(**limits))
    _, text = await create_api_key(documents.database(documents.default), spec, created_by="test")
    return text


async def test_a_key_that_used_up_its_budget_waits_on_both_doors(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    http = open_http(await create_key(documents, plant), cost_per_minute=12)
    body = {"query": QUERY, "variables": {"o": plant}}
    answer = await http.post("/graphql", json=body)
    assert "errors" not in answer.json()
    assert answer.headers["X-RateLimit-Limit"] == "12"
    # The estimate of 4 units is taken; the actual cost of 3 (two calls, and one for the rest) stays.
    assert 9 <= int(answer.headers["X-RateLimit-Remaining"]) <= 11
    assert 0 < int(answer.headers["X-RateLimit-Reset"]) <= 15
    statuses = [(await http.post("/graphql", json=body)).status_code for _ in range(3)]
    assert statuses[-1] == 429
    refused = await http.post("/graphql", json=body)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["X-RateLimit-Limit"] == "12"
    [error] = refused.json()["errors"]
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "cost_per_minute", "maximum": 12}

    old = await http.get(f"/api/organizations/{plant}/applications")
    assert old.status_code == 429
    assert int(old.headers["Retry-After"]) >= 1
    assert "cost_per_minute" in old.json()["error"]


async def test_rejections_are_slow_and_leave_nothing_to_the_garbage_collector(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends the next request as soon as one is rejected would keep the gateway busy."""
    meters: list[weakref.ref[Meter]] = []  # which the contexts of the requests hold
    create = AppState.create_context

    async def remember(*arguments: Any) -> Any:
        context = await create(*arguments)
        meters.append(weakref.ref(context.meter))
        return context

    monkeypatch.setattr(AppState, "create_context", remember)
    http = open_http(await create_key(documents, plant), cost_per_minute=6)
    body = {"query": QUERY, "variables": {"o": plant}}
    monkeypatch.setattr(budgets, "REJECTION_S", 0.001)
    assert [(await http.post("/graphql", json=body)).status_code for _ in range(3)][-1] == 429
    gc.collect()
    gc.disable()
    try:
        meters.clear()
        assert (await http.post("/graphql", json=body)).status_code == 429
        assert [meter() for meter in meters] == [None]
    finally:
        gc.enable()
    monkeypatch.setattr(budgets, "REJECTION_S", 1_000)
    rejected = asyncio.create_task(http.post("/graphql", json=body))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not rejected.done()
    rejected.cancel()


async def test_old_routes_tell_what_is_left(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    http = open_http(await create_key(documents, plant))
    answer = await http.get(f"/api/organizations/{plant}/applications")
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Limit"] in ("30000", "60000")  # both may be full again
    assert int(answer.headers["X-RateLimit-Remaining"]) > 29_900


async def test_keys_of_one_organization_share_its_budget(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    keys = [await create_key(documents, plant) for _ in range(2)]
    http = open_http(keys[0], tenant_cost_per_minute=9)
    body = {"query": QUERY, "variables": {"o": plant}}
    assert (await http.post("/graphql", json=body)).status_code == 200
    http.headers["Authorization"] = f"Bearer {keys[1]}"
    responses = [await http.post("/graphql", json=body) for _ in range(3)]
    assert responses[-1].status_code == 429
    assert responses[-1].json()["errors"][0]["extensions"]["limit"] == "tenant_cost_per_minute"


async def test_a_key_has_the_limits_of_its_own_and_the_viewer_sees_them(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    key = await create_key(documents, plant, cost_per_minute=500, concurrent_requests=7)
    http = open_http(key, documents=1000)
    answer = await http.post("/graphql", json={"query": "{ viewer { limits } }"})
    assert answer.headers["X-RateLimit-Limit"] == "500"
    assert answer.json()["data"]["viewer"]["limits"] == {
        "calls": 5000,
        "documents": 1000,
        "points": 2_000_000,
        "objects": 1_000_000,
        "cost_per_minute": 500,
        "tenant_cost_per_minute": 60_000,
        "concurrent_requests": 7,
    }


async def test_an_address_without_a_valid_credential_is_limited(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    key = await create_key(documents, plant)
    http = open_http(address_requests_per_minute=3)
    paths = ("/graphql", "/api/organizations", "/metrics", "/graphql")
    responses = [await http.get(path, params={"query": "{ __typename }"}) for path in paths]
    assert [answer.status_code for answer in responses] == [401, 401, 401, 429]
    assert int(responses[3].headers["Retry-After"]) >= 1
    extensions = {"code": "LIMIT_EXCEEDED", "limit": "address_requests_per_minute"}
    assert responses[3].json()["errors"][0]["extensions"] == extensions  # no numbers for strangers
    assert (await http.get("/api/organizations")).status_code == 429
    # Whoever has a credential is not held up by strangers behind the same address.
    accepted = await http.post("/graphql", json={"query": "{ viewer { name } }"}, headers={"X-API-Key": key})
    assert accepted.status_code == 200


async def test_while_the_gateway_is_open_only_other_machines_are_limited(open_http: OpenHttp) -> None:
    for address, last in (("127.0.0.1", 200), ("::1", 200), ("192.0.2.9", 429)):
        http = open_http(address=address, address_requests_per_minute=2)
        responses = [await http.post("/graphql", json={"query": "{ viewer { name } }"}) for _ in range(3)]
        assert [answer.status_code for answer in responses] == [200, 200, last]
        assert "X-RateLimit-Limit" not in responses[0].headers


async def test_a_limit_that_only_warns_lets_requests_pass(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp
) -> None:
    http = open_http(await create_key(documents, plant), cost_per_minute=3, warn_only=["cost_per_minute"])
    body = {"query": QUERY, "variables": {"o": plant}}
    assert [(await http.post("/graphql", json=body)).status_code for _ in range(4)] == [200] * 4


GRANT = Grant("dashboard", Role.VIEWER, frozenset({"acme"}))


async def test_requests_of_a_key_that_run_at_a_time_are_limited() -> None:
    budgets = Budgets(MemoryBuckets(), BudgetLimits(concurrent_requests=2), LimitPolicy())
    requests = [budgets.of_request(GRANT) for _ in range(3)]
    first, second, third = (request for request in requests if request is not None)
    await first.acquire(NO_COST)
    await second.acquire(NO_COST)
    with pytest.raises(LimitExceeded) as refused:
        await third.acquire(NO_COST)
    assert (refused.value.name, refused.value.status) == ("concurrent_requests", 429)
    assert refused.value.headers == {"Retry-After": "1"}
    await third.release(NO_COST)  # which has nothing to give back
    await first.release(NO_COST)
    await third.acquire(NO_COST)


async def test_operations_of_a_batch_are_charged_once_each() -> None:
    buckets = MemoryBuckets(Clock())
    limits = BudgetLimits(cost_per_minute=100, concurrent_requests=1)
    budgets = Budgets(buckets, limits, LimitPolicy())
    request, other = (budgets.of_request(GRANT) for _ in range(2))
    assert request is not None
    assert other is not None
    remaining = []
    for _ in range(3):
        await request.acquire(Cost(30, 0, 0, 0))
        remaining.append(request.headers()["X-RateLimit-Remaining"])
        with pytest.raises(LimitExceeded, match="concurrent_requests"):
            await other.acquire(NO_COST)  # the request keeps its slot to its end
    await request.release(Cost(40, 0, 0, 0))
    assert [*remaining, request.headers()["X-RateLimit-Remaining"]] == ["70", "40", "10", "60"]
    await other.acquire(NO_COST)


async def test_a_batch_takes_one_slot_and_settles_once(
    client: Client, plant: str, documents: DocumentStore, open_http: OpenHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, bool]] = []
    for name in ("acquire", "release"):
        monkeypatch.setattr(MemoryBuckets, name, record(calls, name, getattr(MemoryBuckets, name)))
    http = open_http(await create_key(documents, plant), batch=3)
    body = [{"query": QUERY, "variables": {"o": plant}}] * 3
    assert [set(answer) for answer in (await http.post("/graphql", json=body)).json()] == [{"data"}] * 3
    assert calls == [("acquire", True), ("acquire", False), ("acquire", False), ("release", True)]


def record(calls: list[tuple[str, bool]], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of buckets, which also records whether it is about slots."""

    async def recorded(
        self: MemoryBuckets, accounts: Any, amount: float, slots: Any = None, request_id: str = ""
    ) -> Any:
        calls.append((name, slots is not None))
        return await method(self, accounts, amount, slots, request_id)

    return recorded


async def test_a_dashboard_of_fifty_panels_every_ten_seconds_does_not_notice() -> None:
    """Panels of ten machines with windows of a minute over a day: twice a large dashboard's usual ones."""
    panel = Cost(calls=4, documents=10, points=10 * 1440, objects=20)
    clock = Clock()
    limits = LimitSettings().budgets()
    budgets = Budgets(MemoryBuckets(clock), limits, LimitPolicy())
    for _ in range(60):  # ten minutes
        requests = [request for _ in range(50) if (request := budgets.of_request(GRANT)) is not None]
        # All of them at once, each with an estimate of twice its cost
        await asyncio.gather(*(r.acquire(Cost(*(2 * number for number in panel))) for r in requests))
        await asyncio.gather(*(request.release(panel) for request in requests))
        clock.now += 10
    left = int(requests[0].headers()["X-RateLimit-Remaining"])
    assert left > 25_000
    assert cost_units(panel) * 50 * 6 < 30_000 / 4
