"""Budgets: how much of the gateway each key, tenant and address may use."""

import asyncio
import hashlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from resolvers.grants import NO_LIMITS, Grant
from resolvers.limits import LimitPolicy
from resolvers.metering import Cost, cost_units
from stores.contracts.buckets import Account, Buckets, Slots, Verdict
from stores.contracts.errors import LimitExceeded

PROCESS = secrets.token_hex(8)  # tells the requests of this process from those of others
REJECTION_S = 1.0  # that the rejection of a request over a budget takes
_numbers = count()

ADVICE = {
    "cost_per_minute": "The budget of this credential is used up: ask less often, or for less.",
    "tenant_cost_per_minute": "The budget of the organization is used up: ask less often, or for less.",
    "concurrent_requests": "Too many requests of this credential are running: wait for their answers.",
    "address_requests_per_minute": "Too many requests without a credential: send one, or ask less often.",
}


class BudgetLimits(NamedTuple):
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
        return self._replace(cost_per_minute=cost, concurrent_requests=requests)


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one application."""

    buckets: Buckets
    limits: BudgetLimits
    policy: LimitPolicy

    def of_request(self, grant: Grant) -> "RequestBudget | None":
        """The budget of a request. None if it has no key: the gateway is open, or its address is counted."""
        if not grant.is_authenticated:
            return None
        return RequestBudget(self, grant)

    async def count_address(self, address: str) -> None:
        """Count a request without a credential. Raises `LimitExceeded`."""
        limit = self.limits.address_requests_per_minute
        if limit is not None:
            account = Account("address_requests_per_minute", _digest(address), limit)
            verdict = await self.buckets.acquire([account], 1)
            try:
                self.enforce(verdict, ())
            except LimitExceeded:
                await delay_rejection()
                raise

    def enforce(self, verdict: Verdict, accounts: Sequence[Account]) -> None:
        """Raise `LimitExceeded` if a limit forbids the request and does not only warn.

        The error has the headers that tell the client what is left in `accounts`.
        """
        if verdict.limit is not None:
            error = LimitExceeded(
                verdict.limit,
                verdict.maximum,
                advice=ADVICE[verdict.limit],
                retry_after_s=verdict.retry_after_s,
            )
            error.headers |= rate_limit_headers(accounts, verdict.levels)
            try:
                self.policy.enforce(error)
            finally:
                del error  # with the frames that it was raised in, it would be a reference cycle


async def delay_rejection() -> None:
    """Wait before a request over a budget is rejected.

    Clients that send the next request as soon as one is rejected would keep the gateway busy with rejections.
    """
    await asyncio.sleep(REJECTION_S)


def rate_limit_headers(accounts: Sequence[Account], levels: Sequence[float]) -> dict[str, str]:
    """The headers that tell a client the tightest of its budgets per minute."""
    if not accounts:
        return {}
    used, size, level = max(
        [
            (1 - level / account.per_minute, account.per_minute, level)
            for account, level in zip(accounts, levels, strict=True)
        ]
    )
    return {
        "X-RateLimit-Limit": str(size),
        "X-RateLimit-Remaining": str(max(int(level), 0)),
        "X-RateLimit-Reset": str(math.ceil(used * 60)),
    }


@lru_cache(maxsize=1024)
def list_accounts(limits: BudgetLimits, grant: Grant) -> tuple[tuple[Account, ...], Slots | None]:
    """The accounts of a credential, and its slots.

    Those of a key for several organizations are one tenant. An operator has none.
    """
    limits, key = limits.of(grant), _digest(grant.subject)
    owners = [("cost_per_minute", key, limits.cost_per_minute)]
    if grant.organizations:
        tenant = _digest(*sorted(grant.organizations))
        owners.append(("tenant_cost_per_minute", tenant, limits.tenant_cost_per_minute))
    accounts = tuple(Account(name, owner, size) for name, owner, size in owners if size is not None)
    maximum = limits.concurrent_requests
    return accounts, None if maximum is None else Slots("concurrent_requests", key, maximum)


class RequestBudget:
    """What one request takes from the budgets of its key and its tenant, and gives back."""

    def __init__(self, budgets: Budgets, grant: Grant) -> None:
        self._budgets = budgets
        self._accounts, self._slots = list_accounts(budgets.limits, grant)
        self._request_id = f"{PROCESS}:{next(_numbers)}"
        self._taken = 0  # the estimates of the operations of the request, of which a batch has several
        self._levels: tuple[float, ...] | None = None

    async def acquire(self, estimate: Cost) -> None:
        """Take what a request may cost. Raises `LimitExceeded`."""
        units = cost_units(estimate)
        buckets = self._budgets.buckets
        slots = None if self._taken else self._slots
        verdict = await buckets.acquire(self._accounts, units, slots, self._request_id)
        if verdict.limit is None:
            self._taken, self._levels = self._taken + units, verdict.levels
        else:
            self._budgets.enforce(verdict, self._accounts)

    async def release(self, actual: Cost) -> None:
        """Give back what the request did not use, when it is over. `actual` is what it has cost."""
        if self._taken:
            unused, self._taken = self._taken - cost_units(actual), 0
            buckets = self._budgets.buckets
            self._levels = await buckets.release(self._accounts, unused, self._slots, self._request_id)

    def limits(self) -> dict[str, int]:
        """The limits in force, by name."""
        limits = {account.limit: account.per_minute for account in self._accounts}
        return limits if self._slots is None else {**limits, self._slots.limit: self._slots.maximum}

    def headers(self) -> dict[str, str]:
        """The headers that tell a client the tightest of its budgets per minute."""
        return {} if self._levels is None else rate_limit_headers(self._accounts, self._levels)


def _digest(*parts: str) -> str:
    """A name for an owner that tells nothing of the subject, which may be a person, or of the address."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
