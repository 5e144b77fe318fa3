"""Documents: parsed, measured and validated once, and cached while they are requested."""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

from cachetools import Cache, LRUCache
from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    Source,
    VariableNode,
    Visitor,
    parse,
    visit,
)
from graphql.execution.executor import Executor
from graphql.language.parser import Parser
from graphql.validation.validate import ValidationAbortedError

from resolvers.limits import LimitPolicy
from resolvers.turns import FREE_TURN, ThreadPauses, Turn, Unwanted
from schema.engine.bounded_dict import BoundedDict
from schema.engine.costs.formula import CostFormula
from schema.engine.structure import measure_structure
from schema.engine.structure_limits import StructureLimits
from schema.engine.tokens import PausingLexer, Tokens, unlink_tokens
from schema.engine.validation import RULES, RULES_WITHOUT_INTROSPECTION, release, validate
from stores.contracts.errors import LimitExceeded

T = TypeVar("T")
MAX_ERRORS = 5  # of one document
MAX_FORMULAS = 16  # of one document


# Measured with tracemalloc: 200 to 830 bytes for each token of documents of every shape, with their nodes.
BYTES_PER_TOKEN = 800


@dataclass(frozen=True, slots=True, eq=False)
class ValidDocument:
    """A parsed and valid document, and its memory by estimate. `key` stands for it in caches of its results.

    `conditions` are the variables in its `@skip` and `@include`, `warnings` the limits that it is over and
    that only warn, `operations` what is prepared of its operations, by the name in a request, and `formulas`
    what they cost, by name and conditions.
    """

    document: DocumentNode
    estimated_bytes: int
    conditions: tuple[str, ...]
    warnings: tuple[LimitExceeded, ...] = ()
    key: object = field(default_factory=object)
    operations: dict[str | None, Any] = field(default_factory=dict)
    formulas: BoundedDict[Hashable, CostFormula] = field(default_factory=lambda: BoundedDict(MAX_FORMULAS))


class OperationKey(NamedTuple):
    """An operation of a document, and the values of the variables that decide which fields are selected."""

    valid: ValidDocument
    name: str | None
    conditions: tuple[Any, ...]

    @classmethod
    def of(cls, valid: ValidDocument, core: Executor[Any]) -> "OperationKey":
        """The key of the operation that `core` executes."""
        name = core.operation.name.value if core.operation.name else None
        variables = core.variable_values.coerced
        return cls(valid, name, tuple(variables.get(condition) for condition in valid.conditions))


def find_cached(cache: Cache[Hashable, T], key: Hashable) -> T | None:
    """What a cache has for a key. Its own `get` looks twice."""
    try:
        return cache[key]
    except KeyError:
        return None


class DocumentKey(NamedTuple):
    """The text of a document, the fields that its sender sees, and whether the sender may introspect.

    Who may not introspect gets no suggestions either, which would tell the names of the schema.
    """

    view: GraphQLSchema
    may_introspect: bool
    text: str


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
        self._cache: LRUCache[Hashable, ValidDocument] = LRUCache(
            max_bytes, lambda valid: valid.estimated_bytes
        )
        # A thread reads a document, so that others have their turns meanwhile. More threads at a time would
        # read no more, under the one lock of the interpreter, and others would wait longer for it.
        self._reading = asyncio.Lock()
        self._own: dict[tuple[GraphQLSchema, str], ValidDocument] = {}

    def find_known(self, key: DocumentKey) -> ValidDocument | None:
        """The valid document of a text that was read before."""
        return self._own.get((key.view, key.text)) or find_cached(self._cache, key)

    async def read(self, key: DocumentKey, policy: LimitPolicy, turn: Turn = FREE_TURN) -> ValidDocument:
        """The valid document of a text that may be new. Raises `DocumentErrors` and `LimitExceeded`."""
        async with self._reading:
            valid = find_cached(self._cache, key)  # another request may have read it meanwhile
            if valid is None:
                valid = await self._read_in_thread(key, policy, turn)
                if valid.estimated_bytes <= self._cache.maxsize:
                    self._cache[key] = valid
                return valid
        for warning in valid.warnings:
            policy.enforce(warning)
        return valid

    async def _read_in_thread(self, key: DocumentKey, policy: LimitPolicy, turn: Turn) -> ValidDocument:
        pauses = ThreadPauses(turn)
        try:
            return await asyncio.to_thread(self._read_and_free, key, policy, pauses)
        except asyncio.CancelledError:
            pauses.is_abandoned = True
            raise

    def add_own(self, text: str, schema: GraphQLSchema) -> None:
        """Cache a document of the application itself for ever; no limit applies. Raises `DocumentErrors`.

        It is for requests with this schema: others may send the same text, and see less of the graph.
        """
        self._own[schema, text] = _read_own(text, schema)

    def __len__(self) -> int:
        return len(self._cache)

    def get_cached_bytes(self) -> int:
        """The memory of the cached documents, by estimate."""
        return int(self._cache.currsize)

    def _read_and_free(
        self, key: DocumentKey, policy: LimitPolicy, pause: Callable[[], None]
    ) -> ValidDocument:
        """What `_read` returns or raises, without the frames that hold a document that is rejected.

        A long one takes milliseconds to be freed, which this thread does.
        """
        try:
            return self._read(key, policy, pause)
        except (DocumentErrors, LimitExceeded, Unwanted) as error:
            raise error.with_traceback(None) from None

    def _read(self, key: DocumentKey, policy: LimitPolicy, pause: Callable[[], None]) -> ValidDocument:
        view, may_introspect, text = key
        warnings: list[LimitExceeded] = []
        try:
            document, tokens = self._parse(text, self._limits.tokens, pause)
        except LimitExceeded as too_long:
            policy.enforce(too_long)
            warnings.append(too_long)
            document, tokens = self._parse(text, None, pause)
        for error in measure_structure(document, view, self._limits, directives=tokens.directives):
            policy.enforce(error)
            warnings.append(error)
        if _validate(document, view, may_introspect=may_introspect, pause=pause):
            advice = "Select the same fields less often (limits.repetitions)."
            raise LimitExceeded("repetitions", self._limits.repetitions, advice=advice)
        return _make_valid(document, tokens, text, warnings)

    def _parse(
        self, text: str, max_tokens: int | None, pause: Callable[[], None]
    ) -> tuple[DocumentNode, Tokens]:
        """The document and its tokens. Raises `DocumentErrors` and `LimitExceeded`."""
        lexer = PausingLexer(Source(text), pause)
        parser = Parser(lexer.source, max_tokens=max_tokens, lexer=lexer, allow_empty_selection_sets=False)
        error: GraphQLError | None = None
        try:
            return parser.parse_document(), unlink_tokens(lexer.token)
        except RecursionError:  # handled below, because its traceback holds every frame
            pass
        except GraphQLError as syntax_error:
            error = syntax_error.with_traceback(None)  # which holds what was parsed until then
        except Unwanted:
            unlink_tokens(lexer.token)
            raise
        unlink_tokens(lexer.token)
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
    document = parse(text, allow_empty_selection_sets=False)
    assert document.loc is not None
    _validate(document, schema, may_introspect=True)
    return _make_valid(document, unlink_tokens(document.loc.start_token), text, ())


def _validate(
    document: DocumentNode,
    view: GraphQLSchema,
    *,
    may_introspect: bool,
    pause: Callable[[], None] = lambda: None,
) -> bool:
    """Whether the validation was given up, because it would take quadratic time. Raises `DocumentErrors`."""
    rules = RULES if may_introspect else RULES_WITHOUT_INTROSPECTION
    errors = validate(
        view,
        document,
        rules=rules,
        max_errors=MAX_ERRORS - 1,
        hide_suggestions=not may_introspect,
        pause=pause,
    )
    is_aborted = bool(errors) and isinstance(errors[-1], ValidationAbortedError)
    if is_aborted and len(errors) == 1:
        return True
    if is_aborted:
        errors[-1] = GraphQLError("The document has further errors.")
    if errors:
        raise DocumentErrors(errors)
    return False


def _make_valid(
    document: DocumentNode, tokens: Tokens, text: str, warnings: Iterable[LimitExceeded]
) -> ValidDocument:
    estimated_bytes = len(text) + tokens.total * BYTES_PER_TOKEN
    return ValidDocument(document, estimated_bytes, _find_conditions(document), tuple(warnings))


class _Conditions(Visitor):
    """Collects the names of the variables in the arguments of directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names[argument.value.name.value] = None


def _find_conditions(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide which fields are selected."""
    conditions = _Conditions()
    with release(conditions):
        visit(document, conditions)
        return tuple(conditions.names)


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of a document that has this name, or its only one. Raises `DocumentErrors`."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if name is None and len(operations) > 1:
        raise DocumentErrors([GraphQLError("The document has several operations: send operationName.")])
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    missing = f"no operation named {name!r}" if name else "no operation"
    raise DocumentErrors([GraphQLError(f"The document has {missing}.")])
