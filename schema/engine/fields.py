"""How types declare their fields, and which stored keys a selection of them needs.

A GraphQL type has no data of its own: its instances are records. A field is either an attribute of the record
(`attribute`) or a function of it (`derived`, `batched`), which declares the stored keys that it `needs`.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionSetNode,
)
from strawberry.extensions import FieldExtension
from strawberry.types import Info as StrawberryInfo
from strawberry.utils.str_converters import to_camel_case

from resolvers.context import Context
from schema.engine.conflicts import shape_payload_object
from stores.contracts.errors import Conflict, Unavailable
from stores.contracts.outcomes import track_writes
from stores.contracts.records import Record

T = TypeVar("T")
Info = StrawberryInfo[Context, None]


def attribute(description: str, **options: Any) -> Any:
    """A field that is an attribute of the record."""
    return strawberry.field(description=description, **options)


def derived(
    description: str, type: Any = None, *, needs: tuple[str, ...] | None = None, **options: Any
) -> Any:
    """A field that is computed or loaded. `needs` are the stored keys it reads; None means all of them."""
    metadata = {"needs": needs}
    return strawberry.field(description=description, graphql_type=type, metadata=metadata, **options)


BatchResolver = Callable[..., Awaitable[Sequence[Any]] | Sequence[Any]]


def batched(
    description: str, type: Any, *, needs: tuple[str, ...] | None = None, **options: Any
) -> Callable[[BatchResolver], Any]:
    """A field that is loaded or computed for many parents in one call.

    The decorated function, asynchronous or not, takes the parents as `strawberry.Parent[Sequence[...]]` and
    returns a value for each of them, in their order. A parent that fails has an exception in place of its
    value. graphql-core resolves one parent at a time; a plan passes the whole list.
    """

    def declare(resolve_batch: BatchResolver) -> Any:
        def call_with_one(arguments: dict[str, Any]) -> Any:
            return resolve_batch(**{**arguments, "parents": [arguments["parents"]]})

        @functools.wraps(resolve_batch)
        def resolve_one(**arguments: Any) -> Any:
            return call_with_one(arguments)[0]

        @functools.wraps(resolve_batch)
        async def load_one(**arguments: Any) -> Any:
            return (await call_with_one(arguments))[0]

        resolver = load_one if inspect.iscoroutinefunction(resolve_batch) else resolve_one
        metadata = {"needs": needs, "resolve_batch": resolve_batch}
        field = strawberry.field(description=description, graphql_type=type, metadata=metadata, **options)
        return field(resolver)

    return declare


class _Mutation(FieldExtension):
    """What every mutation does around its resolver.

    It records what is changed in the audit log, reports whether a write that failed may have been applied,
    shapes the object of a conflict, and drops what the request has loaded, which a change makes stale.
    """

    async def resolve_async(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        journal = info.context.start_journal(info.field_name)
        with track_writes() as writes:
            try:
                payload = await next_(source, info, **arguments)
                if journal is not None and not journal.is_used:  # what it has changed is no document
                    await journal.add_action(_find_entity(payload), _list_arguments(arguments))
                return payload
            except Conflict as conflict:
                if "current" in conflict.extensions:
                    record = conflict.extensions["current"]
                    conflict.extensions["current"] = shape_payload_object(info._raw_info, record)
                raise
            except Unavailable as error:
                # Also if a write was applied and then, for example, reading it again failed.
                error.extensions["outcome"] = writes.outcome
                raise
            finally:
                info.context.viewer.forget_owners()
                info.context.viewer.discard_loaded()


def _find_entity(payload: Any) -> Any:
    """What a payload returns, which has a global id if it is a node."""
    return next((value for value in _list_members(payload).values() if value is not None), None)


def _list_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """The simple values among the arguments of a mutation and in its inputs, by their names in the graph."""
    inputs = [arguments, *map(_list_members, arguments.values())]
    return {
        to_camel_case(name): value
        for input_ in inputs
        for name, value in input_.items()
        if isinstance(value, str | bool | float | datetime)
    }


def _list_members(value: object) -> dict[str, Any]:
    return getattr(value, "__dict__", {})


def mutation(description: str) -> Any:
    """A field that changes a store."""
    return strawberry.mutation(description=description, extensions=[_Mutation()])


def argument(description: str) -> Any:
    """The description of an argument, for `Annotated`."""
    return strawberry.argument(description=description)


def as_type(type_: type[T], record: object) -> T:
    """The record, typed as the GraphQL type whose instances are such records."""
    return cast(T, record)


def as_types(type_: type[T], records: Sequence[object]) -> list[T]:
    """The records, typed as the GraphQL type whose instances are such records."""
    return cast(list[T], records)


def find_selected_keys(
    info: Info, record: type[Record], name: str, *paths: tuple[str, ...]
) -> frozenset[str] | None:
    """The stored keys of `record` that the selection below the current field needs; None means all.

    `name` is the GraphQL type of the record. `paths` lead from the field to it, such as `("nodes",)` and
    `("edges", "node")`; without paths the field itself is of that type.
    """
    raw = info._raw_info
    selected: set[str] = set()
    type_ = raw.schema.get_type(name)
    assert isinstance(type_, GraphQLObjectType)
    for path in paths or ((),):
        for node in _find_selected_below(raw, raw.field_nodes, path):
            definition = type_.fields.get(node.name.value)
            if definition is None:  # __typename
                continue
            keys = find_stored_keys(record, definition.extensions["strawberry-definition"])
            if keys is None:
                return None
            selected.update(keys)
    return frozenset(selected)


def find_stored_keys(record: type[Record], field: Any) -> Iterable[str] | None:
    """The keys of the stored document that one field needs; None means all."""
    if "needs" in field.metadata:
        needs: Iterable[str] | None = field.metadata["needs"]
        return needs
    return record.stored.get(field.python_name)


def _find_selected_below(
    raw: GraphQLResolveInfo[Context], nodes: Iterable[FieldNode], path: tuple[str, ...]
) -> Iterator[FieldNode]:
    for node in nodes:
        for child in _list_children(raw, node.selection_set):
            if not path:
                yield child
            elif child.name.value == path[0]:
                yield from _find_selected_below(raw, [child], path[1:])


def _list_children(
    raw: GraphQLResolveInfo[Context], selections: SelectionSetNode | None
) -> Iterator[FieldNode]:
    for selection in selections.selections if selections else ():
        match selection:
            case FieldNode():
                yield selection
            case InlineFragmentNode():
                yield from _list_children(raw, selection.selection_set)
            case FragmentSpreadNode():
                yield from _list_children(raw, raw.fragments[selection.name.value].selection_set)
