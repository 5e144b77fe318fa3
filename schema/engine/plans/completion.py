"""Turning the values that resolvers return into the values of a response, for leaf types."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import repeat
from operator import is_
from typing import Any, TypeAlias

from graphql import GraphQLError, GraphQLList, GraphQLNonNull, GraphQLOutputType, Undefined, is_leaf_type

from stores.contracts.errors import GatewayError
from stores.contracts.lazy_lists import LazyList

# The failures that a plan answers or leaves to graphql-core. Any other exception ends the plan.
EXPECTED = (GatewayError, GraphQLError)

LEAVES_PER_SLICE = 1000  # that are completed before other requests get a turn

Complete: TypeAlias = Callable[[Any], Any]


class FallBack(Exception):
    """A plan does not handle this: graphql-core executes the whole query instead."""


def make_leaf_completer(type_: GraphQLOutputType) -> Complete | None:
    """A function that completes a leaf or a list of leaves and raises `FallBack`; None for object types."""
    nullable, inner = split_nullable(type_)
    if isinstance(inner, GraphQLList):
        complete_item = make_leaf_completer(inner.of_type)
        if complete_item is None:
            return None
        complete = _list_completer(complete_item)
    elif is_leaf_type(inner):
        complete = _make_scalar_completer(inner.coerce_output_value)
    else:
        return None

    def complete_value(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise FallBack
        return complete(value)

    return complete_value


class CompletedList(list[Any]):
    """A list of leaves as they are in the response: a plan does not complete each of them."""


def _list_completer(complete_item: Complete) -> Complete:
    def complete_list(values: Any) -> Any:
        if type(values) is CompletedList:
            return values
        if type(values) not in (list, tuple):
            raise FallBack
        return [complete_item(value) for value in values]

    return complete_list


def _make_scalar_completer(coerce: Complete) -> Complete:
    def complete_scalar(value: Any) -> Any:
        try:
            coerced = coerce(value)
        except EXPECTED as error:  # graphql-core calls the same function, and reports what it raises
            raise FallBack from error
        if coerced is None or coerced is Undefined or isinstance(value, Exception):
            raise FallBack
        return coerced

    return complete_scalar


def split_nullable(type_: GraphQLOutputType) -> tuple[bool, Any]:
    """Whether the type allows null, and the type without its non-null wrapper."""
    return (False, type_.of_type) if isinstance(type_, GraphQLNonNull) else (True, type_)


async def complete_leaves(
    complete: Complete, values: Sequence[Any], pause: Callable[[], Awaitable[None]]
) -> list[Any]:
    """Complete values, which may be lists of leaves, and pause after each thousand leaves."""
    results: list[Any] = []
    count = 0  # of leaves since the last pause
    for value in values:
        length = len(value) if type(value) in (list, tuple) else 1
        if count and count + length > LEAVES_PER_SLICE:
            await pause()
            count = 0
        count += length
        if length <= LEAVES_PER_SLICE:
            results.append(complete(value))
            continue
        leaves = complete(value[:LEAVES_PER_SLICE])
        for start in range(LEAVES_PER_SLICE, length, LEAVES_PER_SLICE):
            await pause()
            leaves += complete(value[start : start + LEAVES_PER_SLICE])
        results.append(leaves)
    return results


def contains_none(values: Sequence[Any]) -> bool:
    """Whether a value is None. `None in values` would ask each of them whether it equals None."""
    return not isinstance(values, LazyList) and any(map(is_, values, repeat(None)))


def contains_exception(values: Sequence[Any]) -> bool:
    """Whether a value is an exception."""
    return not isinstance(values, LazyList) and any(
        issubclass(type_, Exception) for type_ in set(map(type, values))
    )


def list_examples(objects: Sequence[Any]) -> dict[type, Any]:
    """One of the objects of each class, on which alone depends whether they are of a type."""
    if isinstance(objects, LazyList):
        return {objects.class_: objects[0]}
    return dict(zip(map(type, objects), objects, strict=True))


def raise_unexpected(values: Sequence[Any]) -> None:
    """Raise the first exception among the values that is not an expected failure."""
    for value in values:
        if isinstance(value, Exception) and not isinstance(value, EXPECTED):
            raise value
