"""Long answers are encoded piece by piece: other requests get their turns, and a limit ends the work."""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson

from schema.engine.scalars import to_json
from stores.contracts.errors import LimitExceeded

PIECE = 5_000  # leaf values that are encoded at once, less than a millisecond
SLICE_S = 0.002  # of encoding before other requests get a turn
SAMPLED_ITEMS = 8
CONTAINERS = (dict, list, tuple, str)
CHARACTERS_PER_LEAF = 32  # longer strings count as several leaf values


async def prepare_json(value: Any, max_bytes: float, pause: Callable[[], Awaitable[None]]) -> Any:
    """What `to_json` encodes to the JSON of a value: a short value itself, of a long one the ready JSON.

    Raises `LimitExceeded` as soon as the JSON is longer than `max_bytes`; a short value may be longer.
    """
    if estimate_leaves(value) <= PIECE:
        return value
    pieces: list[bytes] = []
    size, turn_began = 0, time.perf_counter()
    for piece in _encode_pieces(value):
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise make_length_error(max_bytes, size)
        if time.perf_counter() - turn_began > SLICE_S:
            await pause()
            turn_began = time.perf_counter()
    return orjson.Fragment(b"".join(pieces))


def make_length_error(max_bytes: float, size: int) -> LimitExceeded:
    """The error of an answer of at least `size` bytes."""
    advice = "The answer is too long (graphql.max_answer_bytes): request fewer objects or fields."
    return LimitExceeded("answer_bytes", max_bytes, size, advice)


def estimate_leaves(value: Any) -> int:
    """About how many leaf values a value has: a few items of a list stand for all of them."""
    if isinstance(value, str):
        return 1 + len(value) // CHARACTERS_PER_LEAF
    if isinstance(value, dict):
        leaves = 1
        for member in value.values():  # most are leaves, and a call for each of them would be the whole cost
            if type(member) is str:
                leaves += 1 + len(member) // CHARACTERS_PER_LEAF
            else:
                leaves += estimate_leaves(member) if isinstance(member, CONTAINERS) else 1
        return leaves
    if isinstance(value, list | tuple) and value:
        sample = value[:: len(value) // SAMPLED_ITEMS] if len(value) > SAMPLED_ITEMS else value
        if isinstance(sample[0], dict | list | tuple | str):
            return len(value) * sum(map(estimate_leaves, sample)) // len(sample) + 1
        return len(value)
    return 1


def _encode_pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict) and estimate_leaves(value) > PIECE:
        separator = b"{"
        for key, member in value.items():
            yield separator + to_json(key) + b":"
            yield from _encode_pieces(member)
            separator = b","
        yield b"}"
    elif isinstance(value, list | tuple) and estimate_leaves(value) > PIECE:
        yield b"["
        yield from _encode_items(value)
        yield b"]"
    else:
        yield to_json(value)


def _encode_items(items: list[Any] | tuple[Any, ...]) -> Iterator[bytes]:
    """The JSON of the items of a list, with commas between them."""
    if len(items) == 1:
        yield from _encode_pieces(items[0])
    elif estimate_leaves(items) > PIECE:
        middle = len(items) // 2
        yield from _encode_items(items[:middle])
        yield b","
        yield from _encode_items(items[middle:])
    else:
        yield to_json(items)[1:-1]
