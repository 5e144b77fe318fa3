"""How types declare their fields, and which stored keys a selection of them needs.

A type has no data of its own: its instances are records. A field is either an attribute of the record
(`shown`) or a function of it (`derived`), which says what it `needs` of the stored document.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

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

from resolvers.context import Context
from stores.contracts.records import Record

Info = StrawberryInfo[Context, None]


def shown(description: str, **options: Any) -> Any:
    """A field that is an attribute of the record."""
    return strawberry.field(description=description, **options)


def derived(
    description: str, type: Any = None, *, needs: tuple[str, ...] | None = None, **options: Any
) -> Any:
    """A field that is computed or loaded; `needs` None means the whole stored document."""
    metadata = {"needs": needs}
    return strawberry.field(description=description, graphql_type=type, metadata=metadata, **options)


Many = Callable[..., Awaitable[Sequence[Any]] | Sequence[Any]]


def batched(
    description: str, type: Any, *, needs: tuple[str, ...] | None = None, **options: Any
) -> Callable[[Many], Any]:
    """A field that is loaded or made for many parents in one call.

    What it decorates, asynchronous or not, is given the parents as `strawberry.Parent[Sequence[...]]` and
    answers a value for each, in their order, or the exception of one that fails. graphql-core asks for one
    parent at a time; a plan gives it the whole list.
    """

    def declare(many: Many) -> Any:
        def alone(arguments: dict[str, Any]) -> Any:
            return many(**{**arguments, "parents": [arguments["parents"]]})

        @functools.wraps(many)
        def made(**arguments: Any) -> Any:
            return alone(arguments)[0]

        @functools.wraps(many)
        async def loaded(**arguments: Any) -> Any:
            return (await alone(arguments))[0]

        one = loaded if inspect.iscoroutinefunction(many) else made
        metadata = {"needs": needs, "many": many}
        field = strawberry.field(description=description, graphql_type=type, metadata=metadata, **options)
        return field(one)

    return declare


class _Forget(FieldExtension):
    """After a change, what the request loaded before it is stale."""

    async def resolve_async(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        try:
            return await next_(source, info, **arguments)
        finally:
            info.context.viewer.discard_loaded()


def mutation(description: str) -> Any:
    """A field that changes a store."""
    return strawberry.mutation(description=description, extensions=[_Forget()])


def argument(description: str) -> Any:
    return strawberry.argument(description=description)


def selected_keys(
    info: Info, record: type[Record], name: str, *paths: tuple[str, ...]
) -> frozenset[str] | None:
    """The stored keys of `record` that the selection below the current field needs; None for all.

    `name` is the GraphQL type of the record, `paths` the ways from the field to it:
    `("nodes",)`, `("edges", "node")`; none means that the field itself is of that type.
    """
    raw = info._raw_info
    found: set[str] = set()
    type_ = raw.schema.get_type(name)
    assert isinstance(type_, GraphQLObjectType)
    for path in paths or ((),):
        for node in _below(raw, raw.field_nodes, path):
            definition = type_.fields.get(node.name.value)
            if definition is None:  # __typename
                continue
            keys = stored_keys(record, definition.extensions["strawberry-definition"])
            if keys is None:
                return None
            found.update(keys)
    return frozenset(found)


def stored_keys(record: type[Record], field: Any) -> Iterable[str] | None:
    """The keys of the stored document that one field needs; None for all."""
    if "needs" in field.metadata:
        needs: Iterable[str] | None = field.metadata["needs"]
        return needs
    return record.stored.get(field.python_name)


def _below(
    raw: GraphQLResolveInfo[Context], nodes: Iterable[FieldNode], path: tuple[str, ...]
) -> Iterator[FieldNode]:
    for node in nodes:
        for child in _children(raw, node.selection_set):
            if not path:
                yield child
            elif child.name.value == path[0]:
                yield from _below(raw, [child], path[1:])


def _children(raw: GraphQLResolveInfo[Context], selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    for selection in selections.selections if selections else ():
        match selection:
            case FieldNode():
                yield selection
            case InlineFragmentNode():
                yield from _children(raw, selection.selection_set)
            case FragmentSpreadNode():
                yield from _children(raw, raw.fragments[selection.name.value].selection_set)
