"""Documents: parsed, measured and validated once, and cached while they are requested."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from cachetools import LRUCache
from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    VariableNode,
    Visitor,
    validate,
    visit,
)
from graphql.language.parser import Parser
from graphql.validation.validate import ValidationAbortedError

from resolvers.limits import LimitPolicy
from schema.engine.structure import StructureLimits, measure_structure
from stores.contracts.errors import LimitExceeded

MAX_ERRORS = 5  # of one document


# Measured with tracemalloc: 200 to 830 bytes for each token of documents of every shape, with their nodes.
BYTES_PER_TOKEN = 800


@dataclass(frozen=True, slots=True, eq=False)
class ValidDocument:
    """A parsed and valid document, and its memory by estimate.

    `conditions` are the variables in its `@skip` and `@include`, `warnings` the limits that it is over and
    that only warn.
    """

    document: DocumentNode
    estimated_bytes: int
    conditions: tuple[str, ...]
    warnings: tuple[LimitExceeded, ...] = ()


class DocumentErrors(Exception):
    """The document is not valid, or has no such operation."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


class Documents:
    """Finds the valid document of a text. The cache holds `max_bytes` of memory at most, by estimate.

    Invalid documents are not cached: they would displace those that are used.
    """

    def __init__(self, limits: StructureLimits, max_bytes: int) -> None:
        self._limits = limits
        self._cache: LRUCache[Hashable, ValidDocument] = LRUCache(max_bytes, _estimated_bytes)
        self._own: dict[str, ValidDocument] = {}

    def find(self, text: str, view: GraphQLSchema, policy: LimitPolicy) -> ValidDocument:
        """The valid document of a text. Raises `DocumentErrors` and `LimitExceeded`."""
        valid = self._own.get(text) or self._cache.get((view, text))
        if valid is None:
            valid = self._read(text, view, policy)
            if valid.estimated_bytes <= self._cache.maxsize:
                self._cache[view, text] = valid
        else:
            for warning in valid.warnings:
                policy.enforce(warning)
        return valid

    def add_own(self, text: str, schema: GraphQLSchema) -> None:
        """Cache a document of the application itself for ever; no limit applies. Raises `DocumentErrors`."""
        self._own[text] = _read_own(text, schema)

    def cached_bytes(self) -> int:
        """The memory of the cached documents, by estimate."""
        return int(self._cache.currsize)

    def _read(self, text: str, view: GraphQLSchema, policy: LimitPolicy) -> ValidDocument:
        warnings: list[LimitExceeded] = []
        try:
            document, tokens = self._parse(text, self._limits.tokens)
        except LimitExceeded as too_long:
            policy.enforce(too_long)
            warnings.append(too_long)
            document, tokens = self._parse(text, None)
        for error in measure_structure(document, view, self._limits):
            policy.enforce(error)
            warnings.append(error)
        return _validate(document, tokens, text, view, warnings)

    def _parse(self, text: str, max_tokens: int | None) -> tuple[DocumentNode, int]:
        """The document and the number of its tokens. Raises `DocumentErrors` and `LimitExceeded`."""
        parser = Parser(text, max_tokens=max_tokens, allow_empty_selection_sets=False)
        error: GraphQLError | None = None
        try:
            return parser.parse_document(), parser.token_count
        except RecursionError:  # handled below, because its traceback holds every frame
            pass
        except GraphQLError as syntax_error:
            error = syntax_error
        if error is None:
            raise LimitExceeded("depth", self._limits.depth, advice="Nest fewer fields or values.")
        # The library has no class for this error, which names the number that it was given.
        if f"Document contains more than {max_tokens} tokens." in error.message:
            advice = "Send a shorter document (graphql.max_tokens)."
            raise LimitExceeded("tokens", self._limits.tokens, advice=advice)
        raise DocumentErrors([error])


@cache
def _read_own(text: str, schema: GraphQLSchema) -> ValidDocument:
    """A document of the application itself, which all applications of a process share."""
    parser = Parser(text, allow_empty_selection_sets=False)
    return _validate(parser.parse_document(), parser.token_count, text, schema, ())


def _estimated_bytes(valid: ValidDocument) -> int:
    return valid.estimated_bytes


def _validate(
    document: DocumentNode,
    tokens: int,
    text: str,
    view: GraphQLSchema,
    warnings: Iterable[LimitExceeded],
) -> ValidDocument:
    """The document if it is valid. Raises `DocumentErrors`."""
    errors = validate(view, document, max_errors=MAX_ERRORS - 1)
    if errors and isinstance(errors[-1], ValidationAbortedError):
        # The library stops comparing fields where that would take quadratic time, or after enough errors.
        errors[-1] = GraphQLError("the document has too many errors, or repeats too many fields")
    if errors:
        raise DocumentErrors(errors)
    estimated_bytes = len(text) + tokens * BYTES_PER_TOKEN
    return ValidDocument(document, estimated_bytes, _conditions(document), tuple(warnings))


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
