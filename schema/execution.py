"""Running an operation: parse and validate once for each document, execute, and say what failed."""

from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    validate,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry import Schema

from sync_gateway.resolvers.context import Context
from sync_gateway.schema.errors import shown_error

DOCUMENTS = 512  # of the last documents, the parsed ones are kept
MOST_ERRORS = 20  # of a document


@dataclass(slots=True)
class Answer:
    """The result of one operation. `refused`: the request failed before anything was executed."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False
    refused_mutation: bool = False


class Executor:
    """Executes operations of one schema. `max_tokens` caps the length of a document."""

    def __init__(self, schema: Schema, *, max_tokens: int) -> None:
        self._schema = schema._schema
        self._executor_class = schema.execution_context_class
        self._max_tokens = max_tokens
        self._documents: LRUCache[str, DocumentNode | list[GraphQLError]] = LRUCache(DOCUMENTS)

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
            document = self._document(query)
            operation = _operation(document, operation_name)
        except GraphQLErrors as refused:
            return _refusal(refused.errors, context)
        if read_only and operation.operation is not OperationType.QUERY:
            error = GraphQLError("a GET request may only query; send a mutation by POST")
            shown = shown_error(error, context.request_id)
            return Answer(errors=[shown], refused=True, refused_mutation=True)
        running = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            executor_class=self._executor_class,
        )
        result = running if isinstance(running, ExecutionResult) else await running
        errors = [shown_error(error, context.request_id) for error in result.errors or ()]
        # What fails before execution begins, such as a variable of a wrong type, has no path.
        refused_variables = result.data is None and any("path" not in error for error in errors)
        return Answer(result.data, errors, refused=refused_variables)

    def check(self, query: str) -> None:
        """Raise `GraphQLErrors` unless the document fits the schema."""
        self._document(query)

    def _document(self, query: str) -> DocumentNode:
        """The document, parsed and valid. Raises `GraphQLErrors`."""
        found = self._documents.get(query)
        if found is None:
            found = self._parsed(query)
            self._documents[query] = found
        if isinstance(found, list):
            raise GraphQLErrors(found)
        return found

    def _parsed(self, query: str) -> DocumentNode | list[GraphQLError]:
        try:
            document = parse(query, max_tokens=self._max_tokens, allow_empty_selection_sets=False)
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("the document is nested too deep")]
        errors = validate(self._schema, document, max_errors=MOST_ERRORS)
        if errors and isinstance(errors[-1], ValidationAbortedError):
            # The library stops comparing fields where that would take quadratic time, or after enough errors.
            errors[-1] = GraphQLError("the document has too many errors, or repeats too many fields")
        return errors or document


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


def _refusal(errors: list[GraphQLError], context: Context) -> Answer:
    return Answer(errors=[shown_error(error, context.request_id) for error in errors], refused=True)
