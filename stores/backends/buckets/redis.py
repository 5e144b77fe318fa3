"""Buckets in a Redis server, for several processes. Each call is one script, by the server's clock."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stores.contracts.buckets import Account, Buckets, Slots, Verdict
from stores.contracts.errors import Unavailable

PREFIX = "sync-gateway:"
TIMEOUT_S = 0.25
# A slot whose process has ended without giving it back is free again after this time.
SLOT_LEASE_S = 120

# KEYS: the bucket of each account, then the set of slots, if there is one. ARGV: the amount, the size of
# each bucket, then the maximum of slots, the lease and the request id. A bucket is a hash of its level and
# the time.
_COMMON = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local amount = tonumber(ARGV[1])
local function level(i)
  local size = tonumber(ARGV[i + 1])
  local bucket = redis.call('HMGET', KEYS[i], 'level', 'time')
  local stored = tonumber(bucket[1] or size)
  return math.min(stored + (now - tonumber(bucket[2] or now)) * size / 60, size), size
end
local function set(i, new)
  redis.call('HSET', KEYS[i], 'level', tostring(new), 'time', tostring(now))
  redis.call('EXPIRE', KEYS[i], 180)
  return tostring(new)
end
local accounts = #ARGV - 1
if #ARGV - 1 > #KEYS then accounts = #KEYS - 1 end
local slots = KEYS[accounts + 1]
local maximum, lease, request = ARGV[accounts + 2], ARGV[accounts + 3], ARGV[accounts + 4]
local results = {}
local function refuse(index, wait)
  for i = 1, accounts do results[i + 2] = tostring((level(i))) end
  results[1], results[2] = index, tostring(wait)
  return results
end
"""
ACQUIRE = (
    _COMMON
    + """
if slots then
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  if redis.call('ZCARD', slots) >= tonumber(maximum) then return refuse(accounts + 1, 1) end
end
for i = 1, accounts do
  local current, size = level(i)
  local missing = math.min(amount, size) - math.max(current, -size)
  if missing > 0 then return refuse(i, missing * 60 / size) end
end
if slots then
  redis.call('ZADD', slots, now + lease, request)
  redis.call('EXPIRE', slots, lease)
end
for i = 1, accounts do results[i + 1] = set(i, level(i) - amount) end
results[1] = 0
return results
"""
)
RELEASE = (
    _COMMON
    + """
if slots then redis.call('ZREM', slots, request) end
for i = 1, accounts do
  local current, size = level(i)
  results[i] = set(i, math.min(math.max(current + amount, -size), size))
end
return results
"""
)


class RedisBuckets(Buckets):
    """The buckets of all processes that use the server at `url`. Opening waits for no server."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._acquire = self._client.register_script(ACQUIRE)
        self._release = self._client.register_script(RELEASE)

    async def acquire(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> Verdict:
        refused, *results = await self._run(self._acquire, accounts, amount, slots, request_id)
        if not refused:
            return Verdict(_read_levels(results))
        wait_s, levels = float(results[0]), _read_levels(results[1:])
        if refused > len(accounts):
            assert slots is not None
            return Verdict(levels, slots.limit, slots.maximum, wait_s)
        account = accounts[refused - 1]
        return Verdict(levels, account.limit, account.per_minute, wait_s)

    async def release(
        self, accounts: Sequence[Account], amount: float, slots: Slots | None = None, request_id: str = ""
    ) -> tuple[float, ...]:
        return _read_levels(await self._run(self._release, accounts, amount, slots, request_id))

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(
        self, script: Any, accounts: Sequence[Account], amount: float, slots: Slots | None, request_id: str
    ) -> list[Any]:
        keys = [f"{PREFIX}{limit}:{owner}" for limit, owner, _ in accounts]
        arguments: list[Any] = [amount, *(account.per_minute for account in accounts)]
        if slots is not None:
            keys.append(f"{PREFIX}{slots.limit}:{slots.owner}")
            arguments += [slots.maximum, SLOT_LEASE_S, request_id]
        try:
            results: list[Any] = await script(keys=keys, args=arguments)
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}", is_outage=True) from error
        return results


def _read_levels(levels: Sequence[bytes]) -> tuple[float, ...]:
    return tuple(map(float, levels))
