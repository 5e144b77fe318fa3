"""Columns: fields that need nothing but their object, read and completed for many objects at once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from types import NoneType
from typing import Any

from graphql import GraphQLField, GraphQLList, GraphQLOutputType
from strawberry.types.field import StrawberryField

from schema.engine.plans.completion import EXPECTED, FallBack, make_leaf_completer, split_nullable
from schema.engine.plans.run import PlanRun
from schema.engine.scalars import format_datetimes
from stores.contracts.records import Attribute


class Column:
    """A leaf field that needs nothing but its object."""

    def __init__(self, attribute: str | None, read: Callable[[Any], Any], type_: GraphQLOutputType) -> None:
        self._attribute = attribute  # None where a function reads the value
        self._read = read
        self._complete = make_leaf_completer(type_)
        nullable, inner = split_nullable(type_)
        self.holds_lists = isinstance(inner, GraphQLList)
        scalar = getattr(inner, "name", "")
        self._are_times = scalar == "DateTime"
        unchanged = {"String": str, "ID": str, "Boolean": bool}.get(scalar)
        self._unchanged = {unchanged, NoneType} if nullable else {unchanged}

    @classmethod
    def of(cls, definition: GraphQLField) -> "Column | None":
        """The column of a field; None if the field needs more than its object, or holds objects."""
        declared = definition.extensions["strawberry-definition"]
        read = find_object_reader(declared)
        if read is None or make_leaf_completer(definition.type) is None:
            return None
        return cls(declared.python_name if declared.is_basic_field else None, read, definition.type)

    def values(self, objects: Sequence[Any], class_: type) -> Sequence[Any]:
        """The response values of objects. All of them are of `class_`, unless that is `object`."""
        attribute = getattr(class_, self._attribute, None) if self._attribute else None
        values: Sequence[Any]
        if isinstance(attribute, Attribute):
            values, classes = attribute.read_typed(objects)
        else:
            values = read_objects(self._read, objects)
            classes = set(map(type, values))
        if classes <= self._unchanged:
            return values
        if self._are_times and classes == {datetime}:
            return format_datetimes(values)
        assert self._complete is not None
        return list(map(self._complete, values))


def find_object_reader(declared: StrawberryField) -> Callable[[Any], Any] | None:
    """How a field is read that needs nothing but its object: an attribute, or a function of the object."""
    if "resolve_batch" in declared.metadata:
        return None
    if declared.is_basic_field:
        return attrgetter(declared.python_name)
    resolver = declared.base_resolver
    if declared.is_async or resolver is None or declared.extensions:
        return None
    needs_object_only = resolver.parent_parameter is not None and len(resolver.signature.parameters) == 1
    return resolver.wrapped_func if needs_object_only else None  # type: ignore[return-value]  # no class method


def read_objects(read: Callable[[Any], Any], objects: Sequence[Any]) -> list[Any]:
    """The value of each object. Raises `FallBack` if one cannot be read, as it may be expected."""
    try:
        return list(map(read, objects))
    except EXPECTED as error:  # graphql-core calls the same function, and reports what it raises
        raise FallBack from error


async def read_in_slices(read: Callable[[Any], Any], objects: Sequence[Any], run: PlanRun) -> list[Any]:
    """As `read_objects`, for functions that make a long list of an object: with pauses between objects."""
    values: list[Any] = []
    for index in range(len(objects)):
        if index and run.is_due:
            await run.pause()
        values += read_objects(read, objects[index : index + 1])
    return values
