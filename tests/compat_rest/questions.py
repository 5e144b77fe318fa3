"""Operations and paths that ask for everything: every field of the schema, every argument, every old route."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

# What values of arguments and input fields are made of, by name.
Values = dict[str, Any]


def literal(type_: Any, name: str, values: Values, depth: int = 0) -> str:
    """A value of an input type, with the ids of `values` wherever their names occur."""
    type_ = get_nullable_type(type_)
    if is_list_type(type_):
        return f"[{literal(type_.of_type, name, values, depth)}]"
    if isinstance(type_, GraphQLEnumType):
        return str(values[name] if values.get(name) in type_.values else next(iter(type_.values)))
    if name in values:
        return json.dumps(values[name])
    if isinstance(type_, GraphQLInputObjectType):
        fields = {
            key: literal(field.type, key, values, depth + 1)
            for key, field in type_.fields.items()
            if is_required_input_field(field) or key in values
        }
        if type_.name == "TimeRange":
            fields["last"] = '"P30D"'
        return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"
    plain = {"Int": "10", "Float": "1", "Boolean": "true", "JSON": "{}", "Duration": '"PT1H"'}
    return plain.get(type_.name, '"execution"' if name == "field" else '"state"')


def arguments(field: GraphQLField, values: Values) -> str:
    def is_given(name: str, argument: GraphQLArgument) -> bool:
        has_filter = name == "filter" and "machineIds" in values
        return is_required_argument(argument) or name in values or name in ("first", "range") or has_filter

    arguments = [f"{n}: {literal(a.type, n, values)}" for n, a in field.args.items() if is_given(n, a)]
    return f"({', '.join(arguments)})" if arguments else ""


def selection(view: GraphQLSchema, type_: Any, values: Values, expanded: set[str]) -> str:
    """Everything below a type. The objects below a type are selected once, where it occurs first."""
    if is_leaf_type(type_):
        return ""
    if isinstance(type_, GraphQLInterfaceType):
        possible = view.get_possible_types(type_)
        return (
            "{ __typename "
            + " ".join(f"... on {t.name} {selection(view, t, values, expanded)}" for t in possible)
            + " }"
        )
    assert isinstance(type_, GraphQLObjectType)
    is_first = type_.name not in expanded
    expanded.add(type_.name)
    parts = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if is_first or is_leaf_type(named):
            alias = f"{name}_{type_.name}"  # fields of one name differ in their types between types
            below = selection(view, named, values, expanded)
            parts.append(f"{alias}: {name}{arguments(field, values)} {below}")
    return "{ " + " ".join(parts) + " }"


def questions(view: GraphQLSchema, values: Values, operation: str) -> Iterator[tuple[str, str]]:
    """An operation for each root field of a view, by its name; one for each kind that it accepts."""
    root = view.query_type if operation == "query" else view.mutation_type
    for name, field in root.fields.items() if root else ():
        enums = {n: get_nullable_type(a.type) for n, a in field.args.items() if is_required_argument(a)}
        kinds = {n: list(type_.values) for n, type_ in enums.items() if isinstance(type_, GraphQLEnumType)}
        for kind in product(*kinds.values()):
            chosen = {**values, **dict(zip(kinds, kind, strict=True))}
            below = "{ __typename }"  # of what a mutation must not change
            if operation == "query":
                below = selection(view, get_named_type(field.type), chosen, set())
            yield name, f"{operation} {{ {name}{arguments(field, chosen)} {below} }}"


def fill_path(path: str, values: Values) -> str:
    """The path of an old route with the ids of `values`."""
    fixed = {"format": "svg", "category": "drivers", "name": "x", "eventClassId": "e", "functionId": "f"}
    for key, value in {**values, "connectorId": values["documentId"], **fixed}.items():
        path = path.replace(f"{{{key}}}", str(value))
    assert "{" not in path, path
    return path
