"""The changes of series in pieces of time, which are cached as the values of windows are."""

from array import array
from asyncio import sleep
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TypeAlias, cast

from stores.contracts.errors import make_too_many_changes_error
from stores.contracts.samples import SECOND, ByMachine, ByTags, SampleColumns, Value
from stores.contracts.series_queries import SeriesQuery, Windows

PIECE = 24 * 3600 * SECOND
MAX_TURN_CHANGES = 10_000  # that are split or joined at once, before other requests get a turn
PIECE_BYTES, NUMBER_BYTES, VALUE_BYTES, STRING_BYTES = 350, 8, 40, 60
# Of each piece its index and its changes: they include its first sample
PieceCells: TypeAlias = ByMachine[ByTags[list[tuple[int, SampleColumns]]]]


def make_pieces(query: SeriesQuery) -> Windows:
    """Return the pieces that a range is in: days of UTC."""
    first = query.start // PIECE * PIECE
    return Windows((*range(first, query.stop, PIECE), -(-query.stop // PIECE) * PIECE), PIECE)


def estimate_piece_bytes(piece: SampleColumns) -> int:
    """Return about how much memory a piece takes."""
    if type(piece.values[0]) is str:
        texts = cast(set[str], set(piece.values))
        return PIECE_BYTES + 2 * NUMBER_BYTES * len(piece) + STRING_BYTES * len(texts) + sum(map(len, texts))
    value_bytes = NUMBER_BYTES if isinstance(piece.values, array) else VALUE_BYTES
    return PIECE_BYTES + (NUMBER_BYTES + value_bytes) * len(piece)


async def split_changes(changes: ByMachine[ByTags[SampleColumns]], pieces: Windows) -> PieceCells:
    """Return the changes of each piece."""
    cells: PieceCells = {}
    strings: dict[str, str] = {}  # so that equal ones are one object
    pending = 0
    for machine, by_field in changes.items():
        for field, by_tags in by_field.items():
            for tags, samples in by_tags.items():
                pending += len(samples)
                split = _split(_pack(samples, strings), pieces)
                cells.setdefault(machine, {}).setdefault(field, {})[tags] = split
        if pending > MAX_TURN_CHANGES:
            pending = 0
            await sleep(0)
    return cells


def _pack(samples: SampleColumns, strings: dict[str, str]) -> SampleColumns:
    """Return the samples in less memory, if their values are floats or strings."""
    values, kinds = samples.values, set(map(type, samples.values))
    if kinds == {float}:
        values = array("d", cast(list[float], values))
    elif kinds == {str}:
        values = [strings.setdefault(value, value) for value in cast(list[str], values)]
    return SampleColumns(array("q", samples.times), values)


def _split(samples: SampleColumns, pieces: Windows) -> list[tuple[int, SampleColumns]]:
    cells: list[tuple[int, SampleColumns]] = []
    start = 0
    while start < len(samples):
        index = bisect_right(pieces.edges, samples.times[start]) - 1
        stop = bisect_left(samples.times, pieces.edges[index + 1], start)
        cells.append((index, samples[start:stop]))
        start = stop
    return cells


async def join_pieces(cells: PieceCells, limit: int) -> ByMachine[ByTags[SampleColumns]]:
    """Return the changes of consecutive pieces. Raises `LimitExceeded` if there are more than `limit`."""
    changes: ByMachine[ByTags[SampleColumns]] = {}
    count = pending = 0
    for machine, by_field in cells.items():
        for field, by_tags in by_field.items():
            for tags, of_tags in by_tags.items():
                samples = _join(piece for _, piece in of_tags)
                count, pending = count + len(samples), pending + len(samples)
                changes.setdefault(machine, {}).setdefault(field, {})[tags] = samples
        if count > limit:
            raise make_too_many_changes_error(limit)
        if pending > MAX_TURN_CHANGES:
            pending = 0
            await sleep(0)
    return changes


def _join(pieces: Iterable[SampleColumns]) -> SampleColumns:
    """Return the samples of pieces that differ from the one before."""
    times = array("q")
    values: list[Value] = []
    for piece in pieces:
        repeats = bool(values) and values[-1] == piece.values[0]
        times += array("q", piece.times[repeats:])
        values += piece.values[repeats:]
    return SampleColumns(times, values)
