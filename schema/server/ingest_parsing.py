"""From the body of a write to points, batch by batch, in a thread, and what is wrong with its lines."""

import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from schema.server.bodies import decompress
from schema.server.line_protocol import ParsedLine, parse_lines
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import SECOND, Point

MAX_BYTES = 32 * 1024 * 1024  # of a body, before and after decompression
MAX_RATIO = 200  # of the content of a compressed body to its size, above `MIN_LIMITED_BYTES`
MIN_LIMITED_BYTES = 1024 * 1024
BATCH = 10_000  # lines that are written at once
BATCH_VALUES = 20_000  # of their fields
MAX_INVALID = 10_000  # lines, after which no more are read
MAX_HELD_VALUES = 200_000  # of a body that is checked before it is written; a longer one is parsed twice
MAX_REPORTED, MAX_CHARACTERS = 10, 200  # of the lines with problems

Batch = list[ParsedLine]


class Problem(NamedTuple):
    """A line that is not stored, and why."""

    number: int
    text: str
    message: str


class Problems:
    """The first lines that are not stored, and how many there are altogether."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.count = 0

    def add(self, line: ParsedLine, message: str) -> None:
        self.count += 1
        if len(self.first) < MAX_REPORTED:
            text = line.text[:MAX_CHARACTERS].encode(errors="replace").decode()
            self.first.append(Problem(line.number, text, message))


class Writes(Enum):
    """What is written of a body that has problems."""

    ALL_VALID = 1  # each valid line
    IF_VALID = 2  # nothing if a line is not valid; otherwise all points that are not rejected
    ALL_OR_NOTHING = 3


class Findings:
    """The lines of a body that are not valid, and the points that are rejected although their lines are."""

    def __init__(self) -> None:
        self.invalid, self.rejected = Problems(), Problems()

    def __bool__(self) -> bool:
        return bool(self.invalid.count or self.rejected.count)

    def forbid(self, writes: Writes) -> bool:
        """Whether nothing is written."""
        rejected = self.rejected.count if writes is Writes.ALL_OR_NOTHING else 0
        return writes is not Writes.ALL_VALID and bool(self.invalid.count or rejected)

    def collect(self, batch: Batch) -> None:
        """Add the lines of a batch that have no point."""
        for line in batch:
            if line.point is None:
                if line.error:
                    self.invalid.add(line, line.error)
                else:
                    self.rejected.add(line, line.rejection)


class PointBody:
    """The content of a body in line protocol. Its methods run in a thread.

    `unit` is the unit of times in nanoseconds, or `GUESSED`. Points that are more than `future_tolerance`
    nanoseconds ahead are rejected. The parsing ends early once `is_cancelled` says so.
    """

    def __init__(
        self,
        unit: int,
        future_tolerance: int = 300 * SECOND,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._unit, self._tolerance, self._is_cancelled = unit, future_tolerance, is_cancelled
        self._now = time.time_ns()
        self._content = b""

    def decode(self, body: bytes, encoding: str) -> None:
        """Take the body. Raises `BadRequest` and `LimitExceeded`."""
        content = decompress(body, encoding, MAX_BYTES)
        if len(content) > max(MAX_RATIO * len(body), MIN_LIMITED_BYTES):
            raise LimitExceeded(
                "compression_ratio", MAX_RATIO, len(content) // len(body), "The body is compressed too well."
            )
        self._content = content

    def batches(self) -> Iterator[Batch]:
        """Yield the lines. They are parsed as they are requested."""
        latest = self._now + self._tolerance
        batch: Batch = []
        values = invalid = 0
        for line in parse_lines(self._content, self._unit, self._now, self._is_cancelled):
            batch.append(line)
            if line.point is not None:
                values += len(line.point.fields)
                if line.point.time > latest:
                    batch[-1] = line._replace(point=None, rejection=self._describe_early(line.point))
            elif line.error:
                invalid += 1
                if invalid >= MAX_INVALID:
                    batch[-1] = line._replace(error=f"{line.error}; nothing after it was read")
                    break
            if len(batch) >= BATCH or values >= BATCH_VALUES:
                yield batch
                batch, values = [], 0
        yield batch

    def check(self) -> tuple[Findings, Callable[[], Iterator[Batch]]]:
        """Parse the lines. Return what is found, and a function that yields the batches."""
        findings = Findings()
        held: list[Batch] | None = []
        values = 0
        for batch in self.batches():
            findings.collect(batch)
            if findings.invalid.count >= MAX_REPORTED:  # nothing is written, and no more are reported
                break
            values += sum(len(line.point.fields) for line in batch if line.point)
            held = [*held, batch] if held is not None and values <= MAX_HELD_VALUES else None
        return findings, self.batches if held is None else held.__iter__

    def _describe_early(self, point: Point) -> str:
        return (
            f"a point of measurement {point.measurement!r} has the time {point.time}, more than"
            f" {self._tolerance // SECOND} s ahead of this server's clock (series.future_tolerance)"
        )
