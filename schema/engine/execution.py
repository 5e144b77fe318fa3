"""Running an operation: parse and validate once for each document, execute, and say what failed."""

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
from schema.engine.errors import shown_error
from schema.engine.plans import Plan, Unusual

DOCUMENTS = 512  # of the last documents, the parsed ones are kept
PLANS = 512  # of the last operations, the compiled ones are kept
MAX_ERRORS = 20  # of a document


@dataclass(slots=True)
class Answer:
    """The result of one operation. `refused`: the request failed before anything was executed."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False
    refused_mutation: bool = False
    compiled: list[str] | None = None  # the lists that a plan made; None where graphql-core answered


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that is parsed and valid, and the variables that its `@skip`s and `@include`s name."""

    document: DocumentNode
    conditions: tuple[str, ...]


class Executor:
    """Executes operations of one schema. `max_tokens` caps the length of a document.

    An operation that is asked for again is compiled, unless `compiled` is false; what a plan cannot answer,
    graphql-core does.
    """

    def __init__(self, schema: Schema, *, max_tokens: int, compiled: bool = True) -> None:
        self._schema = schema
        self._max_tokens = max_tokens
        self._compiled = compiled
        self._documents: LRUCache[str, Prepared | list[GraphQLError]] = LRUCache(DOCUMENTS)
        self._plans: LRUCache[Hashable, Plan | Literal["seen", "unusual"]] = LRUCache(PLANS)
        self.counts: Counter[str] = Counter()  # what became of operations: see `_plan`

    async def run(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Context,
        *,
        read_only: bool = False,
    ) -> Answer:
        """The answer to one operation of a document; with `read_only` mutations are refused."""
        try:
            prepared = self._document(query)
            operation = _operation(prepared.document, operation_name)
        except GraphQLErrors as refused:
            return _refusal(refused.errors, context)
        if read_only and operation.operation is not OperationType.QUERY:
            error = GraphQLError("a GET request may only query; send a mutation by POST")
            shown = shown_error(error, context.request_id)
            return Answer(errors=[shown], refused=True, refused_mutation=True)
        core = self._schema.execution_context_class.build(
            self._schema._schema,
            prepared.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation_name,
        )
        if isinstance(core, list):  # a variable is not of its type
            return _refusal(core, context)
        try:
            data, errors, compiled = await self._execute(query, prepared, core)
        finally:
            # What was loaded hangs in circles, which the collector would find much later.
            context.viewer.discard_loaded()
            core.async_helpers = None  # type: ignore[assignment]
        shown_errors = [shown_error(error, context.request_id) for error in errors]
        return Answer(data, shown_errors, compiled=compiled)

    async def _execute(
        self, query: str, prepared: Prepared, core: CoreExecutor[Any]
    ) -> tuple[dict[str, Any] | None, Sequence[GraphQLError], list[str] | None]:
        """The data, the errors, and the lists that were compiled."""
        plan = self._plan(query, prepared, core)
        if plan is not None:
            try:
                data, errors = await plan.run(core)
                self.counts["answered_by_plan"] += 1
                return data, errors, plan.lists
            except Unusual:
                self.counts["fell_back"] += 1
                core.context_value.points = 0
        running = core.execute_operation()
        result = await running if isawaitable(running) else running
        assert isinstance(result, ExecutionResult)  # nothing is deferred or streamed
        return result.data, result.errors or (), None

    def _plan(self, query: str, prepared: Prepared, core: CoreExecutor[Any]) -> Plan | None:
        """The plan of an operation that is seen again; None where there is none."""
        operation = core.operation
        if not self._compiled or operation.operation is not OperationType.QUERY or operation.directives:
            return None
        given = core.variable_values.coerced
        name = operation.name.value if operation.name else None
        key = (query, name, tuple(given.get(each) for each in prepared.conditions))
        plan = self._plans.get(key)
        if plan is None:  # it may never come again, and compiling costs more than executing once
            self._plans[key] = "seen"
            self.counts["first_seen"] += 1
        elif plan == "seen":
            try:
                plan = Plan(self._schema, core)
                self.counts["compiled"] += 1
            except Unusual:
                plan = "unusual"
                self.counts["not_compiled"] += 1
            self._plans[key] = plan
        return plan if isinstance(plan, Plan) else None

    def kept(self) -> dict[str, int]:
        """How many documents and operations are kept."""
        return {"documents": len(self._documents), "operations": len(self._plans)}

    def check(self, query: str) -> None:
        """Raise `GraphQLErrors` unless the document fits the schema."""
        self._document(query)

    def _document(self, query: str) -> Prepared:
        """The document, parsed and valid. Raises `GraphQLErrors`."""
        found = self._documents.get(query)
        if found is None:
            found = self._parsed(query)
            self._documents[query] = found
        if isinstance(found, list):
            raise GraphQLErrors(found)
        return found

    def _parsed(self, query: str) -> Prepared | list[GraphQLError]:
        try:
            document = parse(query, max_tokens=self._max_tokens, allow_empty_selection_sets=False)
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("the document is nested too deep")]
        errors = validate(self._schema._schema, document, max_errors=MAX_ERRORS)
        if errors and isinstance(errors[-1], ValidationAbortedError):
            # The library stops comparing fields where that would take quadratic time, or after enough errors.
            errors[-1] = GraphQLError("the document has too many errors, or repeats too many fields")
        return errors or Prepared(document, _conditions(document))


class GraphQLErrors(Exception):
    """A document that is not executed, and why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if name is None and len(operations) > 1:
        raise GraphQLErrors([GraphQLError("the document has several operations: send operationName")])
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    missing = f"no operation named {name!r}" if name else "no operation"
    raise GraphQLErrors([GraphQLError(f"the document has {missing}")])


def _conditions(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide what is selected."""
    found: dict[str, None] = {}

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            for given in node.arguments or ():
                if isinstance(given.value, VariableNode):
                    found[given.value.name.value] = None

    visit(document, Conditions())
    return tuple(found)


def _refusal(errors: list[GraphQLError], context: Context) -> Answer:
    return Answer(errors=[shown_error(error, context.request_id) for error in errors], refused=True)
