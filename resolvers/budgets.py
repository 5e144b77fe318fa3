"""Budgets: how much of the gateway each key, tenant and address may use."""

import hashlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from resolvers.grants import NO_LIMITS, OPEN, Grant
from resolvers.limits import LimitPolicy
from resolvers.metering import Cost, cost_units
from stores.contracts.buckets import Balance, Buckets, Charge, Slot, Verdict
from stores.contracts.errors import LimitExceeded

ADVICE = {
    "cost_per_minute": "The budget of this credential is used up: ask less often, or for less.",
    "tenant_cost_per_minute": "The budget of the organization is used up: ask less often, or for less.",
    "concurrent_requests": "Too many requests of this credential are running: wait for their answers.",
    "address_requests_per_minute": "Too many requests without a credential: send one, or ask less often.",
}


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Cost units and requests that are allowed, None for any number."""

    cost_per_minute: int | None = None
    tenant_cost_per_minute: int | None = None
    concurrent_requests: int | None = None
    address_requests_per_minute: int | None = None

    def of(self, grant: Grant) -> "BudgetLimits":
        """The limits of a credential, which may have some of its own."""
        own = grant.limits
        if own == NO_LIMITS:
            return self
        cost = self.cost_per_minute if own.cost_per_minute is None else own.cost_per_minute
        requests = self.concurrent_requests if own.concurrent_requests is None else own.concurrent_requests
        return replace(self, cost_per_minute=cost, concurrent_requests=requests)


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one application."""

    buckets: Buckets
    limits: BudgetLimits
    policy: LimitPolicy

    def of_request(self, grant: Grant) -> "RequestBudget | None":
        """The budget of a request. None if it has no key: the gateway is open, or its address is counted."""
        if grant == OPEN or not grant.is_authenticated:
            return None
        return RequestBudget(self, grant)

    async def count_address(self, address: str) -> None:
        """Count a request without a credential. Raises `LimitExceeded`."""
        limit = self.limits.address_requests_per_minute
        if limit is not None:
            charge = Charge("address_requests_per_minute", _digest(address), limit, 1)
            self.enforce(await self.buckets.acquire([charge], None))

    def enforce(self, verdict: Verdict) -> None:
        """Raise `LimitExceeded` if a limit forbids the request and does not only warn."""
        if verdict.limit is not None:
            error = LimitExceeded(
                verdict.limit,
                verdict.maximum,
                advice=ADVICE[verdict.limit],
                retry_after_s=verdict.retry_after_s,
            )
            error.headers |= rate_limit_headers(verdict.balances)
            self.policy.enforce(error)


def rate_limit_headers(balances: Sequence[Balance]) -> dict[str, str]:
    """The headers that tell a client the tightest of its budgets per minute."""
    if not balances:
        return {}
    balance = min(balances, key=lambda balance: balance.remaining / balance.per_minute)
    return {
        "X-RateLimit-Limit": str(balance.per_minute),
        "X-RateLimit-Remaining": str(int(balance.remaining)),
        "X-RateLimit-Reset": str(math.ceil(balance.full_after_s)),
    }


class RequestBudget:
    """What one request takes from the budgets of its key and its tenant, and gives back."""

    def __init__(self, budgets: Budgets, grant: Grant) -> None:
        self._budgets = budgets
        limits, key = budgets.limits.of(grant), _digest(grant.subject)
        self._owners = [("cost_per_minute", key, limits.cost_per_minute)]
        if (
            grant.organizations
        ):  # an operator's belongs to no tenant, a key for several has a budget of its own
            tenant = _digest(*sorted(grant.organizations))
            self._owners.append(("tenant_cost_per_minute", tenant, limits.tenant_cost_per_minute))
        self._slot: Slot | None = None
        if limits.concurrent_requests is not None:
            maximum = limits.concurrent_requests
            self._slot = Slot("concurrent_requests", key, maximum, secrets.token_hex(8))
        self._taken: int | None = None  # the estimate, while an operation runs
        self._charged = 0  # for operations of the request that have ended, of which a batch has several
        self._balances: tuple[Balance, ...] = ()

    async def acquire(self, estimate: Cost) -> None:
        """Take what a request may cost. Raises `LimitExceeded`."""
        units = cost_units(estimate)
        verdict = await self._budgets.buckets.acquire(self._charges(units), self._slot)
        self._budgets.enforce(verdict)
        if verdict.limit is None:
            self._taken, self._balances = units, verdict.balances

    async def release(self, actual: Cost) -> None:
        """Give back what the operation did not use. `actual` is what the request has cost until now."""
        if self._taken is not None:
            used = max(cost_units(actual) - self._charged, 1)
            unused, self._taken = self._taken - used, None
            self._charged += used
            self._balances = await self._budgets.buckets.release(self._charges(unused), self._slot)

    def _charges(self, units: int) -> list[Charge]:
        return [
            Charge(limit, owner, per_minute, units)
            for limit, owner, per_minute in self._owners
            if per_minute is not None
        ]

    def limits(self) -> dict[str, int]:
        """The limits in force, by name."""
        limits = {limit: per_minute for limit, _, per_minute in self._owners if per_minute is not None}
        return limits if self._slot is None else {**limits, self._slot.limit: self._slot.maximum}

    def headers(self) -> dict[str, str]:
        """The headers that tell a client the tightest of its budgets per minute."""
        return rate_limit_headers(self._balances)


def _digest(*parts: str) -> str:
    """A name for an owner that tells nothing of the subject, which may be a person, or of the address."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
