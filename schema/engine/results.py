"""The result of an operation, as the endpoint answers it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, OperationType
from graphql.execution.executor import Executor

from resolvers.context import Context
from resolvers.hints import Hint
from schema.engine.errors import format_errors, sort_errors
from schema.engine.refusals import Refused, find_refusals


@dataclass(slots=True)
class OperationResult:
    """The result of one operation. `rejected`: the request failed before anything was executed."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    rejected: bool = False
    rejected_mutation: bool = False
    is_query: bool = False  # and was executed
    refusals: list[Refused] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    compiled: list[str] | None = None  # the lists that a plan completed; None if graphql-core executed


def make_result(
    core: Executor[Any],
    data: dict[str, Any] | None,
    errors: Sequence[GraphQLError],
    compiled: list[str] | None,
) -> OperationResult:
    """The result of an operation that was executed."""
    context: Context = core.context_value
    return OperationResult(
        data,
        format_errors(sort_errors(errors, data), context),
        is_query=core.operation.operation is OperationType.QUERY,
        refusals=find_refusals(core, errors),
        hints=context.hints.take(),
        compiled=compiled,
    )


def reject(errors: list[GraphQLError], context: Context) -> OperationResult:
    """The result of a request that was rejected before anything was executed."""
    return OperationResult(errors=format_errors(errors, context), rejected=True)


def reject_mutation(context: Context) -> OperationResult:
    """The result of a mutation that was sent where only queries are allowed."""
    result = reject([GraphQLError("A GET request may only query; send a mutation by POST.")], context)
    result.rejected_mutation = True
    return result
