"""The meter of a request: it counts what the request reads and answers, and stops it at the limits."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from resolvers.limits import LimitPolicy
from resolvers.turns import FREE_TURN, Turn
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import Collection, Document, Query
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import SampleColumns
from stores.wrappers.documents import WrappedDocumentDatabase, WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall

T = TypeVar("T")


class Cost(NamedTuple):
    """Store calls, documents and points that are read from the stores, and objects of the answer."""

    calls: int
    documents: int
    points: int
    objects: int


def cost_units(cost: Cost) -> int:
    """The cost of a request as one number, at least 1: about the milliseconds of a core that it takes."""
    calls, documents, points, objects = cost
    return calls + math.ceil(documents / 100 + points / SAMPLES_PER_UNIT + objects / 1000) or 1


EXPENSIVE_UNITS = 200  # more may take long: such requests have a lane of their own, and are compiled at once
SAMPLES_PER_UNIT = 1000
UNLIMITED = Cost(*[2**62] * 4)
ADVICE = {
    "calls": "Request fewer things of their own: a list instead of its items one by one.",
    "documents": "Request shorter pages (`first`), or fewer levels of lists.",
    "points": "Request a shorter range, a wider `every`, or fewer machines.",
    "objects": "Request shorter pages (`first`), or fewer levels of lists.",
}


def exceeded_limit(cost: Cost, limits: Cost) -> LimitExceeded | None:
    """The error for the first number of a cost that is over its limit."""
    if cost[0] <= limits[0] and cost[1] <= limits[1] and cost[2] <= limits[2] and cost[3] <= limits[3]:
        return None
    for name, number, limit in zip(Cost._fields, cost, limits, strict=True):
        if number > limit:
            return LimitExceeded(name, limit, number, f"{ADVICE[name]} (limits.{name})")
    return None


class Meter(Interceptor):
    """Counts the calls of a request to its stores, what they return, and the objects of the answer.

    Over a limit, `policy` rejects the request or lets it pass. If it is rejected, `error` is the error, and
    every further call is rejected, too. With `stops` false, as for a mutation, the meter only counts.

    A request that turns out to be expensive goes on in its `turn` as one: before it reads samples for which
    there is no estimate, if they are likely to be many, and after it has read much.
    """

    def __init__(
        self, limits: Cost = UNLIMITED, policy: LimitPolicy | None = None, turn: Turn = FREE_TURN
    ) -> None:
        self._limits, self._policy, self._turn = limits, policy or LimitPolicy(), turn
        self._presumed_samples = 0
        self.calls = self.documents = self.points = self.objects = 0
        self.stops = True
        self.estimate: Cost | None = None
        self.estimated_units = 0  # of the estimate
        self.by_path: dict[str, Cost] | None = None  # the estimate, if the client asks for it
        self.is_shown = False  # whether the client asks for the cost
        self.error: LimitExceeded | None = None

    @property
    def limits(self) -> Cost:
        return self._limits

    @property
    def actual(self) -> Cost:
        """What the request has cost so far."""
        return Cost(self.calls, self.documents, self.points, self.objects)

    @property
    def is_expensive(self) -> bool:
        """Whether the request may take long, by its estimate."""
        return self.estimated_units > EXPENSIVE_UNITS

    def report(self) -> dict[str, Any]:
        """The cost as the client sees it who asks for it."""
        return {
            "estimate": self.estimate and self.estimate._asdict(),
            "actual": self.actual._asdict(),
            "limit": self._limits._asdict(),
            "byPath": {path: cost._asdict() for path, cost in (self.by_path or {}).items()},
        }

    def accept(self, estimate: Cost) -> None:
        """Remember what the request may cost. Raises `LimitExceeded` if that is over a limit."""
        self.estimate, self.estimated_units = estimate, cost_units(estimate)
        error = exceeded_limit(estimate, self._limits)
        if error is not None:
            self._policy.enforce(error)

    def charge(self, actual: Cost) -> None:
        """Count what the answer has cost another request, which shares it, as the cost of this one."""
        self.calls, self.documents, self.points, self.objects = actual

    def count_objects(self, number: int) -> None:
        """Count objects that the answer gets. Raises `LimitExceeded`."""
        self.objects += number
        if self.objects > self._limits.objects:
            self._check()

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self.calls += 1
        self._check()
        self._presumed_samples += call.presume_samples()
        if self._presumed_samples:
            await self._give_way(self._presumed_samples / SAMPLES_PER_UNIT)
        result = await proceed()
        if call.operation == "find":
            self.documents += count_documents(result)
        elif call.operation == "latest":
            self.points += _count_latest(result)
        elif call.operation in SAMPLING:
            self.points += count_samples(result)
        self._check()
        units = self.calls + self.documents / 100 + self.points / SAMPLES_PER_UNIT + self.objects / 1000
        if units > EXPENSIVE_UNITS:
            await self._give_way(units)
        return result

    async def _give_way(self, units: float) -> None:
        """Go on as an expensive request if it costs so much. Raises `LimitExceeded` if none may begin."""
        if self.stops and units > EXPENSIVE_UNITS:
            try:
                await self._turn.become_expensive()
            except LimitExceeded as error:
                self.error = error
                raise

    def bound(self, query: Query) -> Query:
        """The query; one that reads a whole collection reads one document more than the request still may."""
        if query.limit is not None or query.where or not self.stops or self._policy.only_warns("documents"):
            return query
        return replace(query, limit=max(self._limits.documents - self.documents, 0) + 1)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
        calls, documents, points, objects = self._limits
        is_within = (
            self.calls <= calls
            and self.documents <= documents
            and self.points <= points
            and self.objects <= objects
        )
        if is_within or not self.stops:
            return
        error = exceeded_limit(self.actual, self._limits)
        if error is not None:
            self.error = error
            self._policy.enforce(error)
            # The limit only warns, and it does so once.
            self.error, self._limits = None, self._limits._replace(**{error.name: UNLIMITED[0]})


def count_documents(results: Any) -> int:
    """The number of documents that a `find` returned: lists, or exceptions in their places."""
    number = 0
    for documents in results:
        if not isinstance(documents, Exception):
            number += len(documents)
    return number


def _count_latest(by_machine: Any) -> int:
    """As `count_samples`, of the one sample of each field of a machine."""
    return sum(map(len, by_machine.values()))


def count_samples(result: Any) -> int:
    """The number of samples in a result of the time-series store: by machine, field and perhaps tags."""
    if isinstance(result, dict):
        return sum(map(count_samples, result.values()))
    if isinstance(result, list) and result and isinstance(result[0], list):  # pages of occurrences
        return sum(map(len, result))
    return len(result) if isinstance(result, (list, SampleColumns)) else 1


# The calls to a time-series store that return samples. Others return names and numbers of machines.
SAMPLING = frozenset(
    ("latest", "points", "changes", "neighbours", "windows", "areas", "counters", "last", "last_by_machine")
)


class MeteredDocumentStore(WrappedDocumentStore):
    """A document store whose calls a meter counts. A whole collection is not read further than the limit."""

    def __init__(self, store: DocumentStore, meter: Meter) -> None:
        super().__init__(store, meter)
        self._meter = meter

    def database(self, name: str) -> DocumentDatabase:
        return _MeteredDocumentDatabase(self._store.database(name), self._meter)


class _MeteredDocumentDatabase(WrappedDocumentDatabase):
    def __init__(self, documents: DocumentDatabase, meter: Meter) -> None:
        super().__init__(documents, meter)
        self._meter = meter

    async def find_many(self, collection: Collection, queries: Sequence[Query]) -> list[list[Document]]:
        return await super().find_many(collection, [self._meter.bound(query) for query in queries])

    async def find_columns(
        self, collection: Collection, queries: Sequence[Query]
    ) -> list[Sequence[Document]]:
        return await super().find_columns(collection, [self._meter.bound(query) for query in queries])
