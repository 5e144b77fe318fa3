"""What series consist of: points that are written, samples that are read, and their values.

A point has a measurement, tags (strings), fields and a time; the tag `machine_id` names its machine. Points
with the same measurement, tag set and time are one point: their fields are merged, and a later write of a
field wins. A time is an `int`: nanoseconds since 1970, UTC. A value is a `bool`, `int`, `float` or `str`; a
field that was not written has no value, while an empty string is a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, TypeVar, overload

T = TypeVar("T")
Value: TypeAlias = bool | int | float | str
Kind = Literal["boolean", "integer", "unsigned", "float", "string"]
Catalogue: TypeAlias = Mapping[str, Mapping[str, Kind]]  # by measurement and field, the kind of the values
ByMachine: TypeAlias = dict[str, dict[str, T]]  # by machine id and field
Cell: TypeAlias = tuple[int, Value]  # the index of a window and its aggregated value

Tags: TypeAlias = tuple[tuple[str, str], ...]  # of one series: names and values by name, without the machine
ByTags: TypeAlias = dict[Tags, T]
Where: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]  # of each tag, the values that are allowed

MACHINE = "machine_id"
SECOND = 1_000_000_000
END_OF_TIME = 2**63 - 1


class Unsigned(int):
    """A value below 2**64 that is written to a field of unsigned integers. Such values are read as `int`."""


KINDS: dict[type, Kind] = {
    bool: "boolean",
    int: "integer",
    Unsigned: "unsigned",
    float: "float",
    str: "string",
}


class Sample(NamedTuple):
    """A value and its time."""

    time: int
    value: Value


class SampleColumns(Sequence[Sample]):
    """The samples of a series, oldest first, as columns, which are made faster than objects."""

    __slots__ = ("times", "values")

    def __init__(self, times: Sequence[int], values: Sequence[Value]) -> None:
        self.times, self.values = times, values

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "SampleColumns":
        return cls(*zip(*samples, strict=True)) if samples else cls((), ())

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "SampleColumns": ...
    def __getitem__(self, index: int | slice) -> "Sample | SampleColumns":
        if isinstance(index, slice):
            return SampleColumns(self.times[index], self.values[index])
        return Sample(self.times[index], self.values[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(Sample, self.times, self.values)

    def __eq__(self, other: object) -> bool:
        """Whether the other one is a sequence of the same samples."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __repr__(self) -> str:
        return repr(list(self))


class Neighbours(NamedTuple):
    """The last sample before a range and the first one after it."""

    before: Sample | None = None
    after: Sample | None = None


class Occurrence(NamedTuple):
    """One value of one of the requested sources, with the tags that its source lists."""

    time: int
    machine: str | None
    source: int  # the index of its source in the request
    value: Value
    tags: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A point to write. Whoever makes it leaves out empty tags and fields without a value."""

    measurement: str
    tags: tuple[tuple[str, str], ...]  # sorted by name
    fields: Mapping[str, Value]
    time: int
