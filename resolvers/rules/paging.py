"""Pages of long lists, by keyset: a page follows the position of a document in its list, never an offset."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stores.contracts.documents import Document, Order
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.ordering import get_order_value

R = TypeVar("R")
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A part of a list. `encode_cursor` gives the cursor of a node, `count` the length of the whole list."""

    nodes: Sequence[R]
    encode_cursor: Callable[[R], str]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]


def page_size(first: int | None) -> int:
    """The number of nodes of a page. Raises `BadUserInput` or `LimitExceeded` for a number out of range."""
    if first is None:
        return DEFAULT_PAGE_SIZE
    if first < 0:
        raise BadUserInput("first must not be negative.", fields=["first"])
    if first > MAX_PAGE_SIZE:
        raise LimitExceeded(
            "page_size", MAX_PAGE_SIZE, first, "Request the list page by page.", fields=["first"]
        )
    return first


def sort_key(document: Document, order: Order) -> tuple[Any, Any]:
    """The position of a document in a list: the value that it is ordered by, and its id."""
    return get_order_value(document, order.path), document["_id"]
