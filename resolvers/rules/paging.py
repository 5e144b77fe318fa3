"""Pages of long lists, by keyset: a cursor is the place of a document in its list, never an offset."""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import bson

from stores.contracts.documents import CODEC, Document, Order, order_value
from stores.contracts.errors import BadUserInput, LimitExceeded, NotFound

R = TypeVar("R")
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some records of a list, where each stands in it, and how to count the whole when that is asked for."""

    nodes: list[R]
    encode_cursor: Callable[[R], str]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]


def page_size(first: int | None) -> int:
    """How many to read. Raises where the caller asks for less than none or more than the cap."""
    if first is None:
        return DEFAULT_PAGE_SIZE
    if first < 0:
        raise BadUserInput("first must not be negative", fields=["first"])
    if first > MAX_PAGE_SIZE:
        raise LimitExceeded(f"first must be at most {MAX_PAGE_SIZE}", fields=["first"], limit=MAX_PAGE_SIZE)
    return first


def sort_key(document: Document, order: Order) -> tuple[Any, Any]:
    return order_value(document, order.path), document["_id"]


def encode_cursor(place: Sequence[str], at: tuple[Any, Any]) -> str:
    """The cursor of a position; `place` names the list, so that no other list takes it for its own."""
    raw = _digest(place) + bson.encode({"v": at[0], "i": at[1]})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(place: Sequence[str], cursor: str | None) -> tuple[Any, Any] | None:
    """The position of a cursor. Raises `NotFound` for what is no cursor of this list."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if raw[:8] != _digest(place):
            raise ValueError
        at = bson.decode(raw[8:], CODEC)
        return at["v"], at["i"]
    except (binascii.Error, ValueError, KeyError, bson.errors.BSONError):
        raise NotFound("after: there is no such cursor in this list", fields=["after"]) from None


def _digest(place: Sequence[str]) -> bytes:
    return hashlib.blake2b("\0".join(place).encode(), digest_size=8).digest()
