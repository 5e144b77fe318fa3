"""Queries made at random from the schema, with arguments that mean something to a plant."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

MAX_FIELDS = 4  # of one selection
RANGES = [
    {"last": "PT1H"},
    {"last": "P2D"},
    {"current": "MONTH", "timeZone": "Europe/Berlin"},
    {"current": "DAY"},
    {"current": "SHIFT"},
    {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
]

ENUMS = ("unit", "current")  # keys of inputs whose values are enums
Values = dict[str, Callable[[Random], Any]]


class RandomQuery:
    """One query of a schema: its `text` and `variables`. `values` makes the arguments, by their names."""

    def __init__(self, random: Random, schema: GraphQLSchema, values: Values, depth: int) -> None:
        self._random, self._schema, self._values = random, schema, values
        self._fragments: list[str] = []
        self._declarations: list[str] = []
        self._aliases = 0
        self.variables: dict[str, Any] = {}
        selection = self._selection(schema.type_map["Query"], depth)
        declared = f"({', '.join(self._declarations)})" if self._declarations else ""
        self.text = " ".join([f"query Q{declared} {selection}", *self._fragments])

    def _selection(self, type_: GraphQLNamedType, depth: int) -> str:
        if is_abstract_type(type_):
            kinds = self._random.sample(list(self._schema.get_possible_types(type_)), 3)
            fields = [f"... on {kind.name} {self._selection(kind, depth)}" for kind in kinds]
            return "{ __typename " + " ".join(fields) + " }"
        assert isinstance(type_, GraphQLObjectType)
        candidates = [
            (name, field)
            for name, field in type_.fields.items()
            if depth > 1 or is_leaf_type(get_named_type(field.type))
        ]
        if not candidates:
            return "{ __typename }"
        # Lists and objects more often than scalars, which cost nothing
        weights = [1 if is_leaf_type(get_named_type(field.type)) else 3 for _, field in candidates]
        number = self._random.randint(1, MAX_FIELDS)
        chosen = self._random.choices(candidates, weights, k=number)
        fields = [self._field(name, field, depth) for name, field in chosen]
        fields += fields[:1] * (self._random.random() < 0.2)  # the same once more, which is merged
        body = "{ " + " ".join(fields) + " }"
        if self._random.random() < 0.15:
            fragment = f"F{len(self._fragments)}"
            self._fragments.append(f"fragment {fragment} on {type_.name} {body}")
            return "{ ..." + fragment + " }"
        return body

    def _field(self, name: str, field: GraphQLField, depth: int) -> str:
        arguments = [
            f"{argument_name}: {self._argument(argument_name, argument)}"
            for argument_name, argument in field.args.items()
            if is_required_argument(argument) or self._random.random() < self._share(argument_name)
        ]
        called = f"({', '.join(arguments)})" if arguments else ""
        below = get_named_type(field.type)
        nested = "" if is_leaf_type(below) else f" {self._selection(below, depth - 1)}"
        self._aliases += 1
        return f"f{self._aliases}: {name}{called}{nested}"

    def _share(self, argument: str) -> float:
        return {"first": 0.7, "every": 0.6, "aggregate": 0.8}.get(argument, 0.1) * (argument in self._values)

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        type_ = get_named_type(argument.type)
        if isinstance(type_, GraphQLEnumType):
            value = self._random.choice(list(type_.values))
        else:
            value = self._values[name](self._random)
        if self._random.random() < 0.5:
            variable = f"v{len(self.variables)}"
            self.variables[variable] = value
            self._declarations.append(f"${variable}: {argument.type}")
            return f"${variable}"
        return _literal(value, is_enum=isinstance(type_, GraphQLEnumType))


def _literal(value: Any, *, is_enum: bool = False) -> str:
    if isinstance(value, dict):
        members = [f"{key}: {_literal(item, is_enum=key in ENUMS)}" for key, item in value.items()]
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return str(value) if is_enum else json.dumps(value)
