"""The plans of operations that are requested again, bounded by their memory."""

import logging
from collections import Counter
from collections.abc import Hashable
from typing import Any, NamedTuple

from cachetools import LRUCache
from graphql import OperationType
from graphql.execution.executor import Executor
from strawberry import Schema

from schema.engine.documents import OperationKey, find_cached
from schema.engine.plans.compiler import Plan, compile_plan
from schema.engine.plans.completion import FallBack

log = logging.getLogger(__name__)
MAX_PLAN_BYTES = 16 * 1024 * 1024  # of compiled operations that are cached, with their documents


class CachedPlan(NamedTuple):
    """The plan of an operation, or None if it has none, and the memory that it and its document take."""

    plan: Plan | None
    memory: int


SEEN = CachedPlan(None, 512)  # of an operation that was requested once


class CompiledOperations:
    """The plans of one schema. `counts` count what becomes of operations."""

    def __init__(self, schema: Schema, counts: Counter[str]) -> None:
        self._schema, self._counts = schema, counts
        self._plans: LRUCache[Hashable, CachedPlan] = LRUCache(MAX_PLAN_BYTES, lambda cached: cached.memory)

    def __len__(self) -> int:
        return len(self._plans)

    def get_cached_bytes(self) -> int:
        """The memory of the plans, by estimate."""
        return int(self._plans.currsize)

    def find(self, key: OperationKey, core: Executor[Any]) -> Plan | None:
        """The plan of an operation that is requested again or is expensive; None if there is none."""
        operation = core.operation
        if operation.operation is not OperationType.QUERY or operation.directives:
            return None
        plan_key = (key.valid.key, *key[1:])
        cached = find_cached(self._plans, plan_key)
        if cached is None and core.context_value.meter.is_expensive:
            cached = SEEN
        if cached is None:  # it may never be requested again, and compiling costs more than executing once
            self._plans[plan_key] = SEEN
            self._counts["first_seen"] += 1
            return None
        if cached is SEEN:
            plan = self._compile(core)
            memory = SEEN.memory if plan is None else key.valid.estimated_bytes + plan.estimated_bytes
            cached = CachedPlan(plan, memory)
            if memory <= self._plans.maxsize:
                self._plans[plan_key] = cached
        return cached.plan

    def _compile(self, core: Executor[Any]) -> Plan | None:
        try:
            plan = compile_plan(self._schema, core)
        except FallBack:
            self._counts["not_compiled"] += 1
            return None
        except Exception:  # a fault of the compiler must not cost the request, which graphql-core can answer
            self._counts["plan_failed"] += 1
            message = "an operation could not be compiled; graphql-core executes it: %s"
            log.exception(message, name_operation(core))
            return None
        self._counts["compiled"] += 1
        return plan


def name_operation(core: Executor[Any]) -> str:
    """The operation as the log names it: without literals, which may be secret."""
    operation = core.operation
    return operation.name.value if operation.name else "an operation without a name"
