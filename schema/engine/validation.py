"""The validation of a document, which leaves little to the garbage collector.

graphql-core's `validate` leaves 1,100 objects of 80 KB in reference cycles for each document. The collector
of a serving process would free them after thousands of documents, and hold up all requests meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    NoSchemaIntrospectionCustomRule,
    OverlappingFieldsCanBeMergedRule,
    ParallelVisitor,
    TypeInfo,
    TypeInfoVisitor,
    ValidationContext,
    Visitor,
    specified_rules,
    visit,
)
from graphql.validation.validate import (
    FragmentNestingVisitor,
    ValidationAbortedError,
    query_document_keys_to_validate,
)
from graphql.validation.validation_context import NodeWithSelectionSet, VariableUsage, VariableUsageVisitor

COMPARISONS = 100_000  # of fields that may conflict, in the library's units: about 40 ms


class _BoundedOverlappingFields(OverlappingFieldsCanBeMergedRule):
    """The library's rule with a smaller budget: it compares each field with each that has the same name."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = COMPARISONS


RULES = tuple(
    _BoundedOverlappingFields if rule is OverlappingFieldsCanBeMergedRule else rule
    for rule in specified_rules
)
RULES_WITHOUT_INTROSPECTION = (*RULES, NoSchemaIntrospectionCustomRule)


@contextmanager
def release(*visitors: Visitor) -> Iterator[None]:
    """A block after which the visitors are empty: they refer to themselves by their own methods."""
    try:
        yield
    finally:
        for visitor in visitors:
            vars(visitor).clear()


class _Context(ValidationContext):
    """The library's context, without reference cycles."""

    def get_variable_usages(self, node: NodeWithSelectionSet) -> list[VariableUsage]:
        if node not in self._variable_usages:
            definition = node if isinstance(node, FragmentDefinitionNode) else None
            visitor = VariableUsageVisitor(self._type_info, definition)
            root = TypeInfoVisitor(self._type_info, visitor)
            with release(root, visitor):
                visit(node, root)
                self._variable_usages[node] = visitor.usages
        return self._variable_usages[node]


class _PausingVisitor(TypeInfoVisitor):
    """Calls `pause` before each node."""

    def __init__(self, type_info: TypeInfo, visitor: Visitor, pause: Callable[[], None]) -> None:
        super().__init__(type_info, visitor)
        self._pause = pause

    def enter(self, node: Node, *arguments: Any) -> Any:
        self._pause()
        return super().enter(node, *arguments)


def validate(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: Sequence[type[ASTValidationRule]],
    *,
    max_errors: int,
    hide_suggestions: bool,
    pause: Callable[[], None] = lambda: None,
) -> list[GraphQLError]:
    """The errors of a document, as graphql-core returns them.

    The last one is a `ValidationAbortedError` if there are more than `max_errors`, or if fragments are nested
    more deeply than the interpreter can follow. `pause` is called between short pieces of the work.
    """
    errors: list[GraphQLError] = []

    def add(error: GraphQLError) -> None:
        if len(errors) >= max_errors:
            raise ValidationAbortedError("The document has too many errors.")
        errors.append(error)

    type_info = TypeInfo(schema)
    context = _Context(schema, document, type_info, add, hide_suggestions)
    visitors: list[Visitor] = [rule(context) for rule in rules]
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    if fragments:
        visitors.insert(0, FragmentNestingVisitor(fragments))
    together = ParallelVisitor(visitors)
    root = _PausingVisitor(type_info, together, pause)
    with release(root, together, *visitors):
        try:
            visit(document, root, query_document_keys_to_validate)
        except ValidationAbortedError as error:
            error.__context__ = None  # it leads to the frames of the validation, as the traceback does
            errors.append(error.with_traceback(None))
        except RecursionError:
            errors.append(ValidationAbortedError("The fragments are nested too deeply."))
    return errors
