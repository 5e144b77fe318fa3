"""The formula of an operation: what it may cost, as a function of its variables."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeAlias

import orjson
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
    visit,
)
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from resolvers.metering import Cost
from schema.engine.bounded_dict import BoundedDict
from schema.engine.costs.declarations import (
    OBJECT,
    PAGE,
    SATURATED,
    Amount,
    Arguments,
    Basis,
    Costs,
    CostScope,
    FieldCost,
    Terms,
)
from schema.engine.validation import release

CALLS, DOCUMENTS, POINTS, OBJECTS = range(4)
MAX_MERGED = 4_000  # selections whose fields are merged exactly; beyond, they are added, which costs more
MAX_EVALUATIONS = 64  # of a formula, which are cached

# For each dimension of a cost, the number for each unit of each basis.
Functional: TypeAlias = list[list[int]]


@dataclass(slots=True)
class CostedField:
    """A selected field, and the selections of its value: one for each type that the value may have."""

    key: str
    node: FieldNode
    definition: GraphQLField
    cost: FieldCost
    selections: "list[CostedSelection]" = field(default_factory=list)

    def arguments(self, core: Executor[Any]) -> Arguments | None:
        """The coerced arguments; None if they are not valid, so that the field only fails."""
        if not self.cost.depends_on_arguments:
            return {}
        try:
            return get_argument_values(self.definition, self.node, core.variable_values)
        except GraphQLError:
            return None


@dataclass(slots=True, eq=False)
class CostedSelection:
    """The fields that are selected of the objects of one type."""

    fields: list[CostedField] = field(default_factory=list)


class CostFormula:
    """The cost of one operation. `core` is an executor of any request with the same `@skip` conditions."""

    def __init__(self, core: Executor[Any], costs: Costs) -> None:
        compiler = _Compiler(core, costs)
        self.root = compiler.compile_operation()
        self._variables = sorted(compiler.variables)
        self._evaluated: BoundedDict[Hashable, Cost] = BoundedDict(MAX_EVALUATIONS)

    def evaluate(self, core: Executor[Any], scope: CostScope) -> Cost:
        """The upper bound on what a request costs, whose executor is `core`."""
        values = core.variable_values.coerced
        key: Hashable = scope
        if self._variables:
            used = [values.get(name) for name in self._variables]
            key = (scope, sha256(orjson.dumps(used, default=repr)).digest())  # the values may be long
        cost = self._evaluated.get(key)
        if cost is None:
            calls, documents, points, objects = map(sum, _Evaluation(core, scope).evaluate(self.root))
            read = (calls * scope.fan_out, documents * scope.fan_out, points, objects)
            cost = self._evaluated[key] = Cost(*(min(number, SATURATED) for number in read))
        return cost


class _Evaluation:
    def __init__(self, core: Executor[Any], scope: CostScope) -> None:
        self._core, self._scope = core, scope
        self._done: dict[CostedSelection, Functional] = {}

    def evaluate(self, selection: CostedSelection) -> Functional:
        """The cost of a selection as a function of the numbers at its path, for each selection once."""
        done = self._done.get(selection)
        if done is None:
            done = _zero()
            shared: set[int] = set()
            for costed in selection.fields:
                self._add_field(done, costed, shared)
            self._done[selection] = done = [[min(n, SATURATED) for n in row] for row in done]
        return done

    def _add_field(self, total: Functional, costed: CostedField, shared: set[int]) -> None:
        arguments = costed.arguments(self._core)
        if arguments is None:
            return
        for dimension, terms in own_terms(costed.cost, arguments, shared):
            for basis, amount in terms.items():
                total[dimension][basis] += resolve(amount, arguments, self._scope)
        if not costed.selections:
            return
        rows = transition(costed.cost, arguments, self._scope)
        for basis, number in rows[PAGE if costed.cost.holds_pages else OBJECT].items():
            total[OBJECTS][basis] += number
        below = [self.evaluate(selection) for selection in costed.selections]
        for dimension in range(4):
            for basis in Basis:
                largest = max(functional[dimension][basis] for functional in below)
                if largest:
                    for parent_basis, number in rows[basis].items():
                        total[dimension][parent_basis] += largest * number


def own_terms(cost: FieldCost, arguments: Arguments, shared: set[int]) -> Iterator[tuple[int, Terms]]:
    """The terms of a field by dimension. Reads in `shared` are already counted; others are added to it."""
    yield CALLS, cost.calls
    yield DOCUMENTS, cost.documents
    yield POINTS, cost.points
    for declared in cost.shared:
        reads = declared(arguments) if callable(declared) else declared
        if reads is not None and id(reads) not in shared:
            shared.add(id(reads))
            yield CALLS, reads.calls
            yield DOCUMENTS, reads.documents


def transition(cost: FieldCost, arguments: Arguments, scope: CostScope) -> dict[Basis, dict[Basis, int]]:
    """For each basis at the path of a field, how many there are for each unit at the path of its parents."""
    rows: dict[Basis, dict[Basis, int]] = {basis: {basis: 1} for basis in Basis}
    rows[OBJECT] = {OBJECT: resolve(cost.size, arguments, scope)}
    for basis, terms in cost.below.items():
        rows[basis] = {parent: resolve(amount, arguments, scope) for parent, amount in terms.items()}
    return rows


def resolve(amount: Amount, arguments: Arguments, scope: CostScope) -> int:
    """The number that an amount is for these arguments."""
    return amount if isinstance(amount, int) else amount(arguments, scope)


def _zero() -> Functional:
    return [[0] * len(Basis) for _ in range(4)]


class _Compiler:
    """Collects the selected fields of an operation, for each selection on a type once."""

    def __init__(self, core: Executor[Any], costs: Costs) -> None:
        self._core, self._costs = core, costs
        self._schema: GraphQLSchema = core.schema
        self._selections: dict[tuple[Any, ...], CostedSelection] = {}
        self.variables: set[str] = set()  # that amounts depend on

    def compile_operation(self) -> CostedSelection:
        operation = self._core.operation
        root = self._schema.get_root_type(operation.operation)
        assert root is not None
        return self._compile([operation.selection_set], root)

    def _compile(self, sets: Sequence[SelectionSetNode], type_: GraphQLObjectType) -> CostedSelection:
        """The fields of selection sets that are merged."""
        key = (type_.name, *map(id, sets))
        selection = self._selections.get(key)
        if selection is None:
            selection = self._selections[key] = CostedSelection()
            nodes: dict[str, list[FieldNode]] = {}
            visited: set[str] = set()
            for selection_set in sets:
                self._collect(selection_set, type_, nodes, visited)
            for response_key, same in nodes.items():
                name = same[0].name.value
                if not name.startswith("__"):
                    selection.fields.append(self._compile_field(type_, name, response_key, same))
        return selection

    def _compile_field(
        self, parent: GraphQLObjectType, name: str, key: str, nodes: list[FieldNode]
    ) -> CostedField:
        definition = parent.fields[name]
        costed = CostedField(key, nodes[0], definition, self._costs[f"{parent.name}.{name}"])
        if costed.cost.depends_on_arguments:
            for argument in nodes[0].arguments or ():
                self.variables |= _variables_in(argument.value)
        type_ = get_named_type(definition.type)
        if not is_leaf_type(type_):
            sets = list({id(node.selection_set): node.selection_set for node in nodes}.values())
            for possible in self._possible_types(type_):
                costed.selections += self._compile_below([s for s in sets if s is not None], possible)
        return costed

    def _compile_below(self, sets: list[SelectionSetNode], type_: GraphQLObjectType) -> list[CostedSelection]:
        if len(sets) == 1 or len(self._selections) < MAX_MERGED:
            return [self._compile(sets, type_)]
        # Too many combinations of fragments: their fields are added up instead of merged.
        added = CostedSelection([f for one in sets for f in self._compile([one], type_).fields])
        return [added]

    def _possible_types(self, type_: GraphQLNamedType) -> list[GraphQLObjectType]:
        if is_abstract_type(type_):
            return list(self._schema.get_possible_types(type_))
        assert is_object_type(type_)
        return [type_]

    def _collect(
        self,
        selection_set: SelectionSetNode,
        type_: GraphQLObjectType,
        nodes: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for node in selection_set.selections:
            if not self._is_selected(node):
                continue
            if isinstance(node, FieldNode):
                nodes.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition.name.value if node.type_condition else type_.name
                if self._applies(condition, type_):
                    self._collect(node.selection_set, type_, nodes, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._core.fragments[node.name.value].definition
                if self._applies(fragment.type_condition.name.value, type_):
                    self._collect(fragment.selection_set, type_, nodes, visited)

    def _is_selected(self, node: Any) -> bool:
        if not node.directives:
            return True
        values = self._core.variable_values
        try:
            skip = get_directive_values(GraphQLSkipDirective, node, values)
            include = get_directive_values(GraphQLIncludeDirective, node, values)
        except GraphQLError:  # a condition is null: the field fails, and so does what is above it
            return True
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _applies(self, condition: str, type_: GraphQLObjectType) -> bool:
        if condition == type_.name:
            return True
        abstract = self._schema.get_type(condition)
        return is_abstract_type(abstract) and self._schema.is_sub_type(abstract, type_)


class _Variables(Visitor):
    """Collects the names of the variables in a value."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.names.add(node.name.value)


def _variables_in(value: Any) -> set[str]:
    variables = _Variables()
    with release(variables):
        visit(value, variables)
        return variables.names
