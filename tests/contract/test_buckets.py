"""Token buckets and slots: in memory, in Redis, and in memory while Redis is away."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from schema.server.limit_settings import LimitSettings
from stores.backends.buckets.memory import MemoryBuckets
from stores.backends.buckets.redis import RedisBuckets
from stores.contracts.buckets import Account, Buckets, Slots
from stores.contracts.errors import Unavailable
from stores.opening import open_buckets
from stores.wrappers.local_buckets import BucketsWithFallback
from tests.schema.clock import Clock
from tests.servers import Server


@pytest.fixture(params=["memory", "redis"])
async def buckets(request: pytest.FixtureRequest) -> AsyncIterator[Buckets]:
    if request.param == "memory":
        yield MemoryBuckets()
        return
    buckets = RedisBuckets(request.getfixturevalue("redis_server").url)
    yield buckets
    await buckets.close()


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, because the tests share a server."""
    return str(request.node.name)


def account(owner: str, per_minute: int = 600_000, limit: str = "cost") -> Account:
    return Account(limit, owner, per_minute)


async def test_a_bucket_gives_what_it_has(buckets: Buckets, owner: str) -> None:
    size = 6  # which refills by one in ten seconds
    first = await buckets.acquire([account(owner, size)], 5)
    assert first.limit is None
    assert 1 <= first.levels[0] < 3
    second = await buckets.acquire([account(owner, size)], 5)
    assert (second.limit, second.maximum) == ("cost", size)
    assert 20 < second.retry_after_s <= 40
    assert 1 <= second.levels[0] < 3  # nothing was taken
    assert (await buckets.acquire([account(f"{owner} 2", size)], 5)).limit is None
    [level] = await buckets.release([account(owner, size)], 3)
    assert 4 <= level < 6


async def test_a_bucket_refills(buckets: Buckets, owner: str) -> None:
    await buckets.acquire([account(owner)], 600_000)
    assert (await buckets.acquire([account(owner)], 600_000)).limit == "cost"
    [level] = (await buckets.acquire([account(owner)], 0)).levels
    assert level > 0


async def test_a_larger_amount_than_a_bucket_holds_needs_a_full_one(buckets: Buckets, owner: str) -> None:
    assert (await buckets.acquire([account(owner, 6)], 9)).limit is None
    refused = await buckets.acquire([account(owner, 6)], 1)
    assert 20 < refused.retry_after_s <= 40


async def test_what_is_given_back_is_no_more_than_was_taken(buckets: Buckets, owner: str) -> None:
    await buckets.acquire([account(owner, 6)], 1000)
    assert (await buckets.acquire([account(owner, 6)], 1)).retry_after_s <= 120
    [level] = await buckets.release([account(owner, 6)], 997)
    assert 3 <= level < 6
    await buckets.release([account(owner, 6)], -1000)
    [level] = (await buckets.acquire([account(owner, 6)], 1)).levels
    assert -6 <= level < 0


async def test_all_is_taken_or_nothing(buckets: Buckets, owner: str) -> None:
    slots = Slots("running", owner, 1)
    own, tenant = account(owner, 60), account(owner, 60, "tenant cost")
    await buckets.acquire([tenant], 30)
    assert (await buckets.acquire([own, tenant], 60, slots, "r1")).limit == "tenant cost"
    assert (await buckets.acquire([own], 60, slots, "r1")).limit is None


async def test_slots_are_counted_until_they_are_given_back(buckets: Buckets, owner: str) -> None:
    slots = Slots("running", owner, 2)
    verdicts = [await buckets.acquire([], 0, slots, request_id) for request_id in ("r0", "r1", "r2")]
    assert [verdict.limit for verdict in verdicts] == [None, None, "running"]
    await buckets.release([], 0, slots, "r0")
    assert (await buckets.acquire([], 0, slots, "r2")).limit is None
    assert (await buckets.acquire([], 0, slots, "r0")).limit == "running"
    assert (await buckets.acquire([], 0, Slots("running", f"{owner} 2", 2), "r")).limit is None


async def test_concurrent_requests_take_no_more_than_there_is(buckets: Buckets, owner: str) -> None:
    verdicts = await asyncio.gather(*(buckets.acquire([account(owner, 60)], 10) for _ in range(20)))
    assert 6 <= [verdict.limit for verdict in verdicts].count(None) <= 8


async def test_processes_share_the_buckets_of_a_server(redis_server: Server, owner: str) -> None:
    ours, theirs = open_buckets(redis_server.url), open_buckets(redis_server.url)
    slots = Slots("running", owner, 1)
    assert (await ours.acquire([account(owner, 60)], 60, slots, "r1")).limit is None
    assert (await theirs.acquire([account(owner, 60)], 60)).limit == "cost"
    assert (await theirs.acquire([], 0, slots, "r2")).limit == "running"
    await ours.close()
    await theirs.close()


async def test_memory_forgets_owners_that_are_idle() -> None:
    buckets = MemoryBuckets()
    for number in range(10_050):
        await buckets.acquire([account(f"o{number}", 60)], 60)
    assert (await buckets.acquire([account("o10049", 60)], 60)).limit == "cost"
    assert (await buckets.acquire([account("o0", 60)], 60)).limit is None


async def test_while_redis_is_away_each_process_limits_by_itself_and_says_so_once(
    own_redis_server: Server, owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    shared, clock = RedisBuckets(own_redis_server.url), Clock()
    buckets = BucketsWithFallback(shared, MemoryBuckets(), clock)
    own_redis_server.stop()
    caplog.set_level(logging.INFO)
    with pytest.raises(Unavailable):
        await shared.acquire([account(owner, 60)], 1)
    verdicts = await asyncio.gather(*(buckets.acquire([account(owner, 60)], 20) for _ in range(4)))
    assert [verdict.limit for verdict in verdicts] == [None, None, None, "cost"]
    clock.now += 2
    assert (await buckets.acquire([account(owner, 60)], 50)).limit == "cost"
    assert caplog.text.count("each process limits by itself") == 1

    own_redis_server.start()
    assert (await buckets.acquire([account(owner, 60)], 50)).limit == "cost"  # not tried again yet
    clock.now += 2
    assert (await buckets.acquire([account(owner, 60)], 50)).limit is None
    assert caplog.text.count("the budgets are shared") == 1

    own_redis_server.pause()  # it takes connections and answers nothing
    assert (await buckets.acquire([account(f"{owner} 2", 60)], 60)).limit is None
    assert (await buckets.acquire([account(f"{owner} 2", 60)], 60)).limit == "cost"
    own_redis_server.resume()
    await buckets.close()


def test_the_url_of_a_store_is_that_of_a_redis_server() -> None:
    with pytest.raises(ValueError, match="must start with redis://"):
        LimitSettings(store=SecretStr("http://127.0.0.1"))
    store = LimitSettings(store=SecretStr("redis://:secret@127.0.0.1")).store
    assert "secret" not in repr(store)
