"""The result of an operation, as the endpoint answers it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import GraphQLError, OperationType
from graphql.execution.executor import Executor

from resolvers.context import Context
from resolvers.hints import Hint
from schema.engine.errors import format_errors
from schema.engine.refusals import Refused, find_refusals


class Execution(NamedTuple):
    """The data, the errors in their order, the hints, and the lists that a plan completed, if one did."""

    data: Any
    errors: Sequence[GraphQLError] = ()
    hints: Sequence[Hint] = ()
    compiled: list[str] | None = None


@dataclass(slots=True)
class OperationResult:
    """The result of one operation. `rejected`: the request failed before anything was executed."""

    data: Any = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    rejected: bool = False
    rejected_mutation: bool = False
    is_query: bool = False  # and was executed
    type: str | None = None  # query or mutation, if it was executed
    operation: str | None = None  # its name, if it has one
    refusals: list[Refused] = field(default_factory=list)
    hints: Sequence[Hint] = ()
    compiled: list[str] | None = None  # the lists that a plan completed; None if graphql-core executed


def make_result(core: Executor[Any], execution: Execution) -> OperationResult:
    """The result of an operation that was executed, for the client whose request `core` is about."""
    context: Context = core.context_value
    return OperationResult(
        execution.data,
        format_errors(execution.errors, context),
        is_query=core.operation.operation is OperationType.QUERY,
        type=core.operation.operation.value,
        operation=core.operation.name.value if core.operation.name else None,
        refusals=find_refusals(core, execution.errors),
        hints=execution.hints,
        compiled=execution.compiled,
    )


def reject(errors: list[GraphQLError], context: Context) -> OperationResult:
    """The result of a request that was rejected before anything was executed."""
    return OperationResult(errors=format_errors(errors, context), rejected=True)


def reject_mutation(context: Context) -> OperationResult:
    """The result of a mutation that was sent where only queries are allowed."""
    result = reject([GraphQLError("A GET request may only query; send a mutation by POST.")], context)
    result.rejected_mutation = True
    return result
