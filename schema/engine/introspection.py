"""Introspection: an operation about the schema alone is executed once for each view; the answer is cached."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from cachetools import LRUCache
from graphql import ExecutionResult, FieldNode, GraphQLError, OperationDefinitionNode
from graphql.execution.executor import Executor as CoreExecutor

from schema.engine.documents import ValidDocument
from schema.engine.structure import INTROSPECTION_FIELDS

# Of an answer in memory to its JSON. Measured: 3, because the names of the fields are shared.
MEMORY_FACTOR = 4


def is_introspection(operation: OperationDefinitionNode) -> bool:
    """Whether an operation selects nothing of its root but the schema."""
    selects_schema = False
    for selection in operation.selection_set.selections:
        name = selection.name.value if isinstance(selection, FieldNode) else ""
        if name in INTROSPECTION_FIELDS:
            selects_schema = True
        elif name != "__typename":
            return False
    return selects_schema


class PreparedAnswers:
    """The answers to introspections, by document and variables: `max_bytes` at most, by estimate."""

    def __init__(self, max_bytes: int) -> None:
        self._answers: LRUCache[Any, tuple[dict[str, Any], int]] = LRUCache(max_bytes, lambda item: item[1])
        self.executed = 0  # how many answers were prepared

    async def answer(
        self, valid: ValidDocument, core: CoreExecutor[Any]
    ) -> tuple[dict[str, Any] | None, Sequence[GraphQLError]]:
        """The data and the errors of an operation for which `is_introspection` is true."""
        operation, variables = core.operation, core.variable_values.coerced
        name = operation.name.value if operation.name else None
        key = (valid.key, name, hashlib.sha256(orjson.dumps(variables, default=str)).digest())
        prepared = self._answers.get(key)
        if prepared is not None:
            return prepared[0], ()
        self.executed += 1
        result = await asyncio.to_thread(core.execute_operation)  # tens of milliseconds, without a store call
        assert isinstance(result, ExecutionResult)  # nothing in it is asynchronous
        if result.data is None or result.errors:
            return result.data, result.errors or ()
        memory = len(orjson.dumps(result.data)) * MEMORY_FACTOR
        if memory <= self._answers.maxsize:
            self._answers[key] = result.data, memory
        return result.data, ()

    def __len__(self) -> int:
        return len(self._answers)

    def get_cached_bytes(self) -> int:
        """The memory of the cached answers, by estimate."""
        return int(self._answers.currsize)
