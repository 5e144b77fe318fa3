"""Views of a schema: the same types and resolvers without the fields that a caller must not see.

A document is validated, executed and introspected against the caller's view, so that a hidden field is an
unknown field.
"""

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_input_object_type,
    is_leaf_type,
    is_object_type,
)
from graphql.utilities.map_schema_config import ConfigMapperMap, MappedSchemaContext, map_schema_config

# Whether a field of an object type is in the view: by the names of the type and of the field.
IsVisible = Callable[[str, str], bool]


def restrict_schema(schema: GraphQLSchema, is_visible: IsVisible) -> GraphQLSchema:
    """The view with the visible fields, and the types that they need.

    An object type without a visible field is not in the view, and neither are the fields that return it.
    """
    hidden = {
        name
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLObjectType)
        and not name.startswith("__")
        and not any(is_visible(name, field) for field in type_.fields)
    }

    def is_in_view(type_name: str, field_name: str, field: GraphQLField) -> bool:
        return is_visible(type_name, field_name) and get_named_type(field.type).name not in hidden

    def map_object(config: Any) -> Any:
        map_fields = config["fields"]

        def fields() -> dict[str, GraphQLField]:
            type_name = config["name"]
            return {name: f for name, f in map_fields().items() if is_in_view(type_name, name, f)}

        return {**config, "fields": fields}

    def map_schema(config: Any, context: MappedSchemaContext) -> Any:
        for type_ in schema.type_map.values():
            if is_leaf_type(type_) or is_input_object_type(type_):
                context.set_named_type(type_)  # as it is: copies would lose Strawberry's ways of parsing
        mutation = None if config["mutation"] and config["mutation"].name in hidden else config["mutation"]
        # The others are found from the root types; only implementations of interfaces may not be.
        types = [type_ for type_ in config["types"] if _implements(type_) and type_.name not in hidden]
        return {**config, "mutation": mutation, "types": types}

    def mappers(context: MappedSchemaContext) -> ConfigMapperMap:
        return {"OBJECT": map_object, "SCHEMA": lambda config: map_schema(config, context)}

    return GraphQLSchema(**map_schema_config(schema.to_kwargs(), mappers))


def _implements(type_: GraphQLNamedType) -> bool:
    return is_object_type(type_) and bool(type_.interfaces)
