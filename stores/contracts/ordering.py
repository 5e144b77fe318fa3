"""The order of values of all BSON types, as MongoDB sorts them: the reference for every backend.

MinKey < null < numbers < strings < objects < arrays < binary data < object ids < booleans < dates
< timestamps < regular expressions < code < code with scope < MaxKey
(https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/).
"""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp

from stores.contracts.documents import Document, Path, to_milliseconds


def get_order_value(document: Document, path: Path) -> Any:
    """The value by which the order of `path` sorts a document: a scalar, or None for anything else."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return None if isinstance(value, dict | list | DBRef) else value


def order_key(value: Any) -> tuple[int, Any]:
    """A key that sorts values in memory as stores do, and is equal for values that stores find equal."""
    rank, get_key = RANKS.get(type(value)) or _rank_of_subclass(value)
    return rank + (rank == CODE and value.scope is not None), get_key(value)


def _rank_of_subclass(value: Any) -> tuple[int, Callable[[Any], Any]]:
    return next((rank for kind, rank in RANKS.items() if isinstance(value, kind)), (0, _make_null_key))


def _make_null_key(_: Any) -> int:
    return 0


def _make_number_key(value: float) -> tuple[int, float]:
    return (0, 0) if math.isnan(value) else (1, value)  # NaN is below all numbers


def _make_decimal_key(value: Decimal128) -> tuple[int, Any]:
    number = value.to_decimal()
    return (0, 0) if number.is_nan() else (1, number)


def _make_object_key(value: dict[str, Any]) -> tuple[Any, ...]:
    """Objects are compared key by key: first the type of the value, then the name, then the value."""
    return tuple((order_key(item)[0], name, order_key(item)) for name, item in value.items())


def _make_code_key(value: Code) -> tuple[str, Any]:
    return str(value), None if value.scope is None else order_key(dict(value.scope))


def _make_binary_key(value: bytes) -> tuple[int, int, bytes]:
    return len(value), value.subtype if isinstance(value, Binary) else 0, bytes(value)


CODE = 11  # with a scope, it is one more
# For each type its place among the types, and what sorts its values.
RANKS: dict[type, tuple[int, Callable[[Any], Any]]] = {
    MinKey: (-1, _make_null_key),
    type(None): (0, _make_null_key),
    bool: (7, bool),
    int: (1, lambda number: (1, number)),
    float: (1, _make_number_key),
    Decimal128: (1, _make_decimal_key),
    Code: (CODE, _make_code_key),  # before strings, whose subclass it is
    str: (2, lambda text: text.encode(errors="surrogatepass")),
    dict: (3, _make_object_key),
    DBRef: (3, lambda reference: _make_object_key(dict(reference.as_doc()))),
    list: (4, lambda items: tuple(map(order_key, items))),
    bytes: (5, _make_binary_key),
    ObjectId: (6, lambda object_id: object_id.binary),
    datetime: (8, to_milliseconds),
    DatetimeMS: (8, to_milliseconds),
    Timestamp: (9, lambda timestamp: (timestamp.time, timestamp.inc)),
    Regex: (10, lambda regex: (str(regex.pattern), regex.flags)),
    MaxKey: (13, _make_null_key),
}
