"""The stored object that a conflict reports, in the shape of the graph."""

from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, get_named_type

from schema.engine.plans.columns import Column
from schema.engine.plans.completion import FallBack


def shape_payload_object(info: GraphQLResolveInfo[Any], record: object) -> dict[str, Any] | None:
    """The leaf fields of a record, as the mutation's payload would show them; None if it shows no such type.

    Fields that take arguments or load something are left out. `__typename` and `id` let a client's cache find
    the object.
    """
    payload = get_named_type(info.return_type)
    if not isinstance(payload, GraphQLObjectType):
        return None
    for field in payload.fields.values():
        type_ = get_named_type(field.type)
        if isinstance(type_, GraphQLObjectType) and type_.is_type_of and type_.is_type_of(record, info):
            return {"__typename": type_.name, **_read_leaves(type_, record)}
    return None


def _read_leaves(type_: GraphQLObjectType, record: object) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, definition in type_.fields.items():
        column = None if definition.args else Column.of(definition)
        if column is not None:
            try:
                [leaves[name]] = column.values([record], type(record))
            except FallBack:  # a stored value that the field cannot show
                leaves[name] = None
    return leaves
