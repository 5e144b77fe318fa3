"""What all executions of one operation have in common: its definition and its fragments."""

from typing import Any

from graphql import GraphQLError, GraphQLSchema
from graphql.execution.executor import Executor
from graphql.execution.values import get_variable_values

from resolvers.context import Context
from schema.engine.documents import MAX_ERRORS, ValidDocument, find_operation


class PreparedOperation:
    """One operation of a valid document. `executor_class` is that of the schema."""

    def __init__(
        self, valid: ValidDocument, name: str | None, executor_class: type[Executor[Any]], view: GraphQLSchema
    ) -> None:
        self.definition = find_operation(valid.document, name)
        self._document, self._name = valid.document, name  # not `valid`, which holds this object
        self._class, self._view = executor_class, view
        # The arguments of the first executor that are the same for every request.
        self._fragments: tuple[Any, Any] | None = None
        self._resolvers: tuple[Any, Any, Any] | None = None

    def make_executor(
        self, context: Context, variables: dict[str, Any] | None, *, hide_suggestions: bool
    ) -> Executor[Any] | list[GraphQLError]:
        """The executor of a request, or the errors if a variable is not of its type."""
        if self._fragments is None or self._resolvers is None:
            return self._make_first(context, variables, hide_suggestions=hide_suggestions)
        values = get_variable_values(
            self._view,
            self.definition.variable_definitions or (),
            variables or {},
            max_errors=MAX_ERRORS - 1,
            hide_suggestions=hide_suggestions,
        )
        if isinstance(values, list):
            return values
        return self._class(
            self._view,
            *self._fragments,
            None,
            context,
            self.definition,
            values,
            *self._resolvers,
            hide_suggestions=hide_suggestions,
        )

    def _make_first(
        self, context: Context, variables: dict[str, Any] | None, *, hide_suggestions: bool
    ) -> Executor[Any] | list[GraphQLError]:
        core = self._class.build(
            self._view,
            self._document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=self._name,
            max_coercion_errors=MAX_ERRORS - 1,
            hide_suggestions=hide_suggestions,
        )
        if not isinstance(core, list):
            self._fragments = core.fragment_definitions, core.fragments
            self._resolvers = core.field_resolver, core.type_resolver, core.subscribe_field_resolver
        return core


def prepare_operation(
    valid: ValidDocument, name: str | None, executor_class: type[Executor[Any]], view: GraphQLSchema
) -> PreparedOperation:
    """The operation of a document that has this name, or its only one. Raises `DocumentErrors`."""
    prepared: PreparedOperation | None = valid.operations.get(name)
    if prepared is None:
        prepared = valid.operations[name] = PreparedOperation(valid, name, executor_class, view)
    return prepared


def discard_executor(core: Executor[Any]) -> None:
    """Free an executor that is not used again. It holds the context of its request in a reference cycle.

    The garbage collector would free it, and all that the request has loaded, much later.
    """
    core.async_helpers = None  # type: ignore[assignment]  # which has the executor's methods
