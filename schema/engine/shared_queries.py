"""Equal queries that overlap are executed once: whoever sends one meanwhile gets the same answer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError, OperationType
from graphql.execution.executor import Executor as CoreExecutor

from resolvers.context import Context
from resolvers.grants import NO_LIMITS
from resolvers.metering import Cost
from schema.engine.documents import OperationKey
from schema.engine.introspection import is_introspection
from schema.engine.long_answers import prepare_json
from schema.engine.prepared_operations import discard_executor
from schema.engine.results import Execution
from schema.engine.scalars import to_json
from stores.contracts.errors import LimitExceeded
from stores.wrappers.shared_work import SharedCalls

MIN_UNITS = 5  # of the estimated cost: cheaper queries are over before an equal one comes
PERSONAL_FIELD = "viewer"


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a query has in common with those that it may be shared with, and how long its JSON may be.

    `version` is that of the data: a query that begins after a change must not get an answer from before it.
    """

    query: str
    variables: dict[str, Any] | None
    version: Hashable
    max_bytes: float

    @property
    def is_personal(self) -> bool:
        """Whether the answer may depend on who asks, not only on what they may do."""
        return PERSONAL_FIELD in self.query


class _Answer(NamedTuple):
    """What those get who share a query: hundreds of them in `turns`, so that others are in between."""

    execution: Execution
    cost: Cost
    is_expensive: bool
    turns: asyncio.Lock


class SharedQueries:
    """The queries that are being executed. `counts` gets the number of those that others answered."""

    def __init__(self, counts: Counter[str]) -> None:
        self._calls: SharedCalls[_Answer] = SharedCalls()
        self._counts = counts

    async def run(
        self,
        key: OperationKey,
        core: CoreExecutor[Any],
        sharing: Sharing,
        execute: Callable[[OperationKey, CoreExecutor[Any]], Awaitable[Execution]],
    ) -> Execution:
        """Return what `execute` returns, for an equal query if one is being executed.

        The data of a query that may be shared is ready JSON. Each request is metered as if it alone had been
        executed. Its client and its time end its waiting, but the work only if nobody else waits for it.
        """
        context: Context = core.context_value
        if not _may_share(core):
            return await execute(key, core)
        is_first = False

        def begin() -> Any:
            nonlocal is_first
            is_first = True
            context.turn.detach()
            context.turn.release_task()  # who waits for the work of others as well may leave at once
            return self._execute(key, core, sharing.max_bytes, execute)

        try:
            with context.turn.watch():
                answer = await self._calls.run(
                    _make_key(key, context, sharing), begin, context.turn.leave_background
                )
                if not is_first:
                    if answer.is_expensive:
                        context.turn.go_to_background()
                    async with answer.turns:
                        await asyncio.sleep(0)
        finally:
            context.turn.adopt_task()
            if not is_first:
                discard_executor(core)
        self._counts["shared"] += not is_first
        context.meter.charge(answer.cost)
        return answer.execution

    async def _execute(
        self,
        key: OperationKey,
        core: CoreExecutor[Any],
        max_bytes: float,
        execute: Callable[[OperationKey, CoreExecutor[Any]], Awaitable[Execution]],
    ) -> _Answer:
        context: Context = core.context_value
        context.turn.adopt_task()
        execution = await execute(key, core)
        if execution.data is not None:
            try:
                data = await prepare_json(execution.data, max_bytes, context.turn.pause)
            except LimitExceeded as error:
                execution = Execution(None, [GraphQLError(error.message, original_error=error)])
            else:
                ready = data if isinstance(data, orjson.Fragment) else orjson.Fragment(to_json(data))
                execution = execution._replace(data=ready)
        return _Answer(execution, context.meter.actual, context.turn.is_background, asyncio.Lock())


def _may_share(core: CoreExecutor[Any]) -> bool:
    """Whether a query costs enough to look for an equal one. A trace shows the calls of one request."""
    context: Context = core.context_value
    if context.meter.estimated_units < MIN_UNITS or context.trace is not None:
        return False
    return core.operation.operation is OperationType.QUERY and not is_introspection(core.operation)


def _make_key(key: OperationKey, context: Context, sharing: Sharing) -> Hashable:
    """Return all that the answer depends on."""
    grant = context.viewer.grant
    if not sharing.is_personal:
        grant = replace(grant, subject="", expires_at=None, limits=NO_LIMITS)
    variables = orjson.dumps(sharing.variables or {}, option=orjson.OPT_SORT_KEYS)
    return key.valid.key, key.name, variables, grant, sharing.version
