"""The structure of a document: how deep, how wide and how repetitive it is, measured before it is validated.

The selections are walked as they will be executed: fields with one response name are merged, and a fragment
is entered wherever it is spread. The walk ends after `selections` steps, so that fragments which multiply
each other cost no more than a long document.
"""

from collections import Counter
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from schema.engine.structure_limits import StructureLimits
from stores.contracts.errors import LimitExceeded

INTROSPECTION_FIELDS = ("__schema", "__type")


class _Level(NamedTuple):
    """A selection set and the name of the type whose fields it selects, if that is known."""

    type_name: str | None
    selection_set: SelectionSetNode


class _TooManySelections(Exception):
    pass


def measure_structure(
    document: DocumentNode, schema: GraphQLSchema, limits: StructureLimits, *, directives: int = 0
) -> list[LimitExceeded]:
    """An error for each limit that the document is over. The parser has counted its directives."""
    measure = _Measure(document, schema, limits)
    measure.measure_definitions(directives)
    measure.measure_selections()
    return list(measure.exceeded.values())


class _Measure:
    def __init__(self, document: DocumentNode, schema: GraphQLSchema, limits: StructureLimits) -> None:
        self._document, self._schema, self._limits = document, schema, limits
        self._operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        self._fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self._path: Counter[tuple[str, str]] = Counter()  # the fields around the present one
        self.steps = 0  # selections that were walked
        self.exceeded: dict[str, LimitExceeded] = {}  # by the name of the limit

    def measure_definitions(self, directives: int) -> None:
        """Check what the definitions say without regard to where fragments are spread."""
        self._check("operations", len(self._operations), "Send fewer operations in one document.")
        variables = max((len(o.variable_definitions or ()) for o in self._operations), default=0)
        self._check("variables", variables, "Declare fewer variables.")
        self._check("directives", directives, "Use fewer directives.")

    def measure_selections(self) -> None:
        """Check the selections of every operation."""
        try:
            for operation in self._operations:
                root = self._schema.get_root_type(operation.operation)
                level = _Level(root.name if root else None, operation.selection_set)
                self._measure_fields([level], 1)
        except _TooManySelections:
            self._exceed("selections", "Select fewer fields, or spread fragments less often.")

    def _measure_fields(self, levels: list[_Level], depth: int) -> None:
        """Check the fields of one object of the response, and of the objects in it."""
        fields = self._merge(levels)
        if depth == 1:
            self._check_root(fields)
        if depth > self._limits.depth:
            self._exceed("depth", "Nest fewer fields.")
            return
        aliases: Counter[tuple[str | None, str]] = Counter()
        for nodes in fields.values():
            aliases.update({(type_name, node.name.value) for type_name, node in nodes})
        repetitions = max(map(len, fields.values()), default=0)
        self._check("repetitions", repetitions, "Select the same field less often.")
        self._check("aliases", max(aliases.values(), default=0), "Select a field under fewer aliases.")
        for nodes in fields.values():
            self._measure_objects(nodes, depth)

    def _measure_objects(self, nodes: list[tuple[str | None, FieldNode]], depth: int) -> None:
        """Check what is selected of one field, whose nodes are merged."""
        levels = [
            _Level(self._find_type_of(type_name, node.name.value), node.selection_set)
            for type_name, node in nodes
            if node.selection_set
        ]
        if not levels:
            return
        coordinates = {
            (type_name, node.name.value)
            for type_name, node in nodes
            if type_name is not None and not type_name.startswith("__")  # graphql-core limits introspection
        }
        self._path.update(coordinates)
        if any(self._path[coordinate] > self._limits.recursion for coordinate in coordinates):
            self._exceed("recursion", "Select the same field less often within itself.")
        else:
            self._measure_fields(levels, depth + 1)
        self._path.subtract(coordinates)

    def _merge(self, levels: list[_Level]) -> dict[str, list[tuple[str | None, FieldNode]]]:
        """The fields of one object by response name, each with the type that it is selected of."""
        fields: dict[str, list[tuple[str | None, FieldNode]]] = {}
        spread: set[str] = set()
        pending = levels[::-1]
        while pending:
            type_name, selection_set = pending.pop()
            for selection in selection_set.selections:
                self.steps += 1
                if self.steps > self._limits.selections:
                    raise _TooManySelections
                if isinstance(selection, FieldNode):
                    key = (selection.alias or selection.name).value
                    fields.setdefault(key, []).append((type_name, selection))
                elif isinstance(selection, InlineFragmentNode):
                    condition = selection.type_condition
                    inner = condition.name.value if condition else type_name
                    pending.append(_Level(inner, selection.selection_set))
                elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                    spread.add(selection.name.value)
                    fragment = self._fragments.get(selection.name.value)
                    if fragment:
                        pending.append(_Level(fragment.type_condition.name.value, fragment.selection_set))
        return fields

    def _check_root(self, fields: dict[str, list[tuple[str | None, FieldNode]]]) -> None:
        self._check("root_fields", len(fields), "Select fewer fields of the root, or send several requests.")
        introspections = sum(nodes[0][1].name.value in INTROSPECTION_FIELDS for nodes in fields.values())
        self._check("introspections", introspections, "Select __schema and __type less often.")

    def _find_type_of(self, type_name: str | None, field_name: str) -> str | None:
        """The name of a field's type; None if the validation will reject the field."""
        if field_name in INTROSPECTION_FIELDS:
            return f"__{field_name[2:].title()}"
        type_ = self._schema.type_map.get(type_name or "")
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            return None
        field = type_.fields.get(field_name)
        return get_named_type(field.type).name if field else None

    def _check(self, name: str, actual: int, advice: str) -> None:
        if actual > getattr(self._limits, name) and name not in self.exceeded:
            self._exceed(name, advice, actual)

    def _exceed(self, name: str, advice: str, actual: int | None = None) -> None:
        maximum = getattr(self._limits, name)
        self.exceeded.setdefault(name, LimitExceeded(name, maximum, actual, f"{advice} (limits.{name})"))
