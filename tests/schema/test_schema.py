"""The printed schema: committed, described throughout, and the same as the one that is served."""

from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from schema.types.root import schema

PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    assert PRINTED.read_text() == schema.as_str() + "\n", (
        "print it again: sync-gateway schema > schema/schema.graphql"
    )


def test_every_type_field_argument_and_value_is_described() -> None:
    assert schema._schema.description
    missing: list[str] = []
    for name, type_ in schema._schema.type_map.items():
        described: list[tuple[str, str | None]] = [(name, type_.description)]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                described.append((f"{name}.{field_name}", field.description))
                described += [(f"{name}.{field_name}({a})", x.description) for a, x in field.args.items()]
        elif isinstance(type_, GraphQLInputObjectType):
            described += [(f"{name}.{f}", x.description) for f, x in type_.fields.items()]
        elif isinstance(type_, GraphQLEnumType):
            described += [(f"{name}.{v}", x.description) for v, x in type_.values.items()]
        missing += [
            coordinate
            for coordinate, text in described
            if not name.startswith("__") and not (text or "").strip()
        ]
    assert missing == []


@pytest.mark.parametrize(
    "entity",
    [
        "Organization",
        "Application",
        "Device",
        "Connector",
        "EventClass",
        "Function",
        "User",
        "Gateway",
        "Service",
        "Icon",
    ],
)
def test_every_entity_can_be_fetched_again(entity: str) -> None:
    type_ = schema._schema.type_map[entity]
    assert isinstance(type_, GraphQLObjectType)
    assert [interface.name for interface in type_.interfaces] == ["Node"]
