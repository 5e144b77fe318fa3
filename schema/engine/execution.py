"""Executing operations: each document is parsed and validated once, executed, and its errors formatted."""

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Literal

from cachetools import LRUCache
from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution.executor import Executor as CoreExecutor
from graphql.validation.validate import ValidationAbortedError
from strawberry import Schema

from resolvers.context import Context
from schema.engine.errors import format_error, sort_errors
from schema.engine.plans.compiler import Plan, compile_plan
from schema.engine.plans.completion import FallBack

log = logging.getLogger(__name__)
MAX_DOCUMENTS = 512  # parsed documents that are cached
MAX_PLANS = 512  # compiled operations that are cached
MAX_ERRORS = 20  # of the validation of one document


@dataclass(slots=True)
class OperationResult:
    """The result of one operation. `rejected`: the request failed before anything was executed."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    rejected: bool = False
    rejected_mutation: bool = False
    compiled: list[str] | None = None  # the lists that a plan completed; None if graphql-core executed


@dataclass(frozen=True, slots=True)
class ValidDocument:
    """A parsed and valid document, and the variables in the conditions of its `@skip` and `@include`."""

    document: DocumentNode
    conditions: tuple[str, ...]


class DocumentErrors(Exception):
    """The document is not valid, or has no such operation."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


class Executor:
    """Executes operations of one schema. `max_tokens` limits the length of a document.

    An operation that is requested again is compiled, unless `compiled` is false. graphql-core executes what a
    plan does not handle.
    """

    def __init__(self, schema: Schema, *, max_tokens: int, compiled: bool = True) -> None:
        self._schema = schema
        self._max_tokens = max_tokens
        self._compiled = compiled
        self._documents: LRUCache[Hashable, ValidDocument | list[GraphQLError]] = LRUCache(MAX_DOCUMENTS)
        self._plans: LRUCache[Hashable, Plan | Literal["seen", "not compiled"]] = LRUCache(MAX_PLANS)
        self.counts: Counter[str] = Counter()  # how operations were executed, by event

    async def run(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Context,
        *,
        read_only: bool = False,
        view: GraphQLSchema | None = None,
    ) -> OperationResult:
        """The result of one operation of a document. With `read_only`, mutations are rejected.

        The document sees the fields of `view` (see `views.py`); None is the whole schema.
        """
        view = view or self._schema._schema
        try:
            valid = self._get_valid_document(query, view)
            operation = _find_operation(valid.document, operation_name)
        except DocumentErrors as invalid:
            return _reject(invalid.errors, context)
        if read_only and operation.operation is not OperationType.QUERY:
            result = _reject([GraphQLError("a GET request may only query; send a mutation by POST")], context)
            result.rejected_mutation = True
            return result
        core = self._schema.execution_context_class.build(
            view,
            valid.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation_name,
        )
        if isinstance(core, list):  # a variable is not of its type
            return _reject(core, context)
        try:
            data, errors, compiled = await self._execute(query, valid, core)
        finally:
            # These hold loaded data in reference cycles, which the garbage collector would free much later.
            context.viewer.discard_loaded()
            core.async_helpers = None  # type: ignore[assignment]
        formatted = [format_error(error, context.request_id) for error in sort_errors(errors, data)]
        return OperationResult(data, formatted, compiled=compiled)

    async def _execute(
        self, query: str, valid: ValidDocument, core: CoreExecutor[Any]
    ) -> tuple[dict[str, Any] | None, Sequence[GraphQLError], list[str] | None]:
        """The data, the errors, and the lists that a plan completed."""
        plan = self._plan(query, valid, core)
        if plan is not None:
            result = await self._run_plan(plan, core)
            if result is not None:
                return *result, plan.lists
            core.context_value.points = 0
        running = core.execute_operation()
        executed = await running if isawaitable(running) else running
        assert isinstance(executed, ExecutionResult)  # nothing is deferred or streamed
        return executed.data, executed.errors or (), None

    async def _run_plan(
        self, plan: Plan, core: CoreExecutor[Any]
    ) -> tuple[dict[str, Any], list[GraphQLError]] | None:
        """The data and the errors; None if graphql-core has to execute the operation."""
        try:
            result = await plan.run(core)
        except FallBack:
            self.counts["fell_back"] += 1
            return None
        except Exception:  # a fault of the plan must not cost the request, which graphql-core can answer
            self.counts["plan_failed"] += 1
            if not plan.failure_logged:
                plan.failure_logged = True
                log.exception("a plan failed; graphql-core executes its operation: %s", _name(core))
            return None
        self.counts["answered_by_plan"] += 1
        return result

    def _plan(self, query: str, valid: ValidDocument, core: CoreExecutor[Any]) -> Plan | None:
        """The plan of an operation that is requested again; None if there is none."""
        operation = core.operation
        if not self._compiled or operation.operation is not OperationType.QUERY or operation.directives:
            return None
        variables = core.variable_values.coerced
        name = operation.name.value if operation.name else None
        key = (core.schema, query, name, tuple(variables.get(condition) for condition in valid.conditions))
        plan = self._plans.get(key)
        if plan is None:  # it may never be requested again, and compiling costs more than executing once
            self._plans[key] = "seen"
            self.counts["first_seen"] += 1
        elif plan == "seen":
            plan = self._plans[key] = self._compile(core)
        return plan if isinstance(plan, Plan) else None

    def _compile(self, core: CoreExecutor[Any]) -> Plan | Literal["not compiled"]:
        try:
            plan = compile_plan(self._schema, core)
        except FallBack:
            self.counts["not_compiled"] += 1
            return "not compiled"
        except Exception:  # as in `_run_plan`
            self.counts["plan_failed"] += 1
            log.exception("an operation could not be compiled; graphql-core executes it: %s", _name(core))
            return "not compiled"
        self.counts["compiled"] += 1
        return plan

    def get_cache_sizes(self) -> dict[str, int]:
        """How many documents and operations are cached."""
        return {"documents": len(self._documents), "operations": len(self._plans)}

    def check(self, query: str) -> None:
        """Raise `DocumentErrors` unless the document is valid."""
        self._get_valid_document(query, self._schema._schema)

    def _get_valid_document(self, query: str, view: GraphQLSchema) -> ValidDocument:
        valid = self._documents.get((view, query))
        if valid is None:
            valid = self._documents[view, query] = self._parse(query, view)
        if isinstance(valid, list):
            raise DocumentErrors(valid)
        return valid

    def _parse(self, query: str, view: GraphQLSchema) -> ValidDocument | list[GraphQLError]:
        try:
            document = parse(query, max_tokens=self._max_tokens, allow_empty_selection_sets=False)
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("the document is nested too deeply")]
        errors = validate(view, document, max_errors=MAX_ERRORS)
        if errors and isinstance(errors[-1], ValidationAbortedError):
            # The library stops comparing fields where that would take quadratic time, or after enough errors.
            errors[-1] = GraphQLError("the document has too many errors, or repeats too many fields")
        return errors or ValidDocument(document, _conditions(document))


def _find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if name is None and len(operations) > 1:
        raise DocumentErrors([GraphQLError("the document has several operations: send operationName")])
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    missing = f"no operation named {name!r}" if name else "no operation"
    raise DocumentErrors([GraphQLError(f"the document has {missing}")])


def _conditions(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide which fields are selected."""
    names: dict[str, None] = {}

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names[argument.value.name.value] = None

    visit(document, Conditions())
    return tuple(names)


def _name(core: CoreExecutor[Any]) -> str:
    """The operation as the log names it: without literals, which may be secret."""
    operation = core.operation
    return operation.name.value if operation.name else "an operation without a name"


def _reject(errors: list[GraphQLError], context: Context) -> OperationResult:
    formatted = [format_error(error, context.request_id) for error in errors]
    return OperationResult(errors=formatted, rejected=True)
