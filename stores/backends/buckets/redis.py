"""Buckets in a Redis server, for several processes. Each call is one script, by the server's clock."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stores.contracts.buckets import Balance, Buckets, Charge, Slot, Verdict
from stores.contracts.errors import Unavailable

PREFIX = "sync-gateway:"
TIMEOUT_S = 0.25
# A slot whose process has ended without giving it back is free again after this time.
SLOT_LEASE_S = 120

# KEYS: the bucket of each charge, then the set of the slot, if there is one. ARGV: for each charge its size
# and amount, then the slot's maximum, lease and request id. A bucket is a hash of its level and the time.
_COMMON = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function level(i)
  local size = tonumber(ARGV[2 * i - 1])
  local bucket = redis.call('HMGET', KEYS[i], 'level', 'time')
  local stored = tonumber(bucket[1] or size)
  return math.min(stored + (now - tonumber(bucket[2] or now)) * size / 60, size), size
end
local function change(i, amount)
  local current, size = level(i)
  local new = math.min(math.max(current + amount, -size), size)
  redis.call('HSET', KEYS[i], 'level', tostring(new), 'time', tostring(now))
  redis.call('EXPIRE', KEYS[i], 180)
  return tostring(math.max(new, 0))
end
local charges = math.floor(#ARGV / 2)
if #KEYS > 0 and #ARGV % 2 == 1 then charges = (#ARGV - 3) / 2 end
local slot = KEYS[charges + 1]
local maximum, lease, request = ARGV[2 * charges + 1], ARGV[2 * charges + 2], ARGV[2 * charges + 3]
local results = {}
local function refuse(index, wait)
  for i = 1, charges do results[i + 2] = tostring(math.max((level(i)), 0)) end
  results[1], results[2] = index, tostring(wait)
  return results
end
"""
ACQUIRE = (
    _COMMON
    + """
if slot then
  redis.call('ZREMRANGEBYSCORE', slot, '-inf', now)
  if redis.call('ZCARD', slot) >= tonumber(maximum) then return refuse(charges + 1, 1) end
end
for i = 1, charges do
  local current, size = level(i)
  local missing = math.min(tonumber(ARGV[2 * i]), size) - current
  if missing > 0 then return refuse(i, missing * 60 / size) end
end
if slot then
  redis.call('ZADD', slot, now + lease, request)
  redis.call('EXPIRE', slot, lease)
end
for i = 1, charges do results[i + 1] = change(i, -tonumber(ARGV[2 * i])) end
results[1] = 0
return results
"""
)
RELEASE = (
    _COMMON
    + """
if slot then redis.call('ZREM', slot, request) end
for i = 1, charges do results[i] = change(i, tonumber(ARGV[2 * i])) end
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

    async def acquire(self, charges: Sequence[Charge], slot: Slot | None) -> Verdict:
        refused, *results = await self._run(self._acquire, charges, slot)
        if refused:
            wait_s, balances = float(results[0]), _balances(charges, results[1:])
            if refused > len(charges):
                assert slot is not None
                return Verdict(balances, slot.limit, slot.maximum, wait_s)
            charge = charges[refused - 1]
            return Verdict(balances, charge.limit, charge.per_minute, wait_s)
        return Verdict(_balances(charges, results))

    async def release(self, refunds: Sequence[Charge], slot: Slot | None) -> tuple[Balance, ...]:
        return _balances(refunds, await self._run(self._release, refunds, slot))

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, script: Any, charges: Sequence[Charge], slot: Slot | None) -> list[Any]:
        keys = [f"{PREFIX}{charge.limit}:{charge.owner}" for charge in charges]
        arguments: list[Any] = [number for charge in charges for number in (charge.per_minute, charge.amount)]
        if slot is not None:
            keys.append(f"{PREFIX}{slot.limit}:{slot.owner}")
            arguments += [slot.maximum, SLOT_LEASE_S, slot.request_id]
        try:
            results: list[Any] = await script(keys=keys, args=arguments)
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}", is_outage=True) from error
        return results


def _balances(charges: Sequence[Charge], levels: Sequence[bytes]) -> tuple[Balance, ...]:
    return tuple(
        Balance(charge.per_minute, float(level)) for charge, level in zip(charges, levels, strict=True)
    )
