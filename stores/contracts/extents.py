"""Which series machines have: what is in them, and from when to when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import Kind, Tags, Where


class SeriesExtent(NamedTuple):
    """One series of a machine, and the times of its first and its last sample in a range."""

    machine: str
    measurement: str
    field: str
    kind: Kind
    tags: Tags
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ExtentQuery:
    """The series of some machines that have samples with `start <= time < stop`.

    `fields` are pairs of a measurement and a field; None means all of them. `where` restricts the series by
    tag, as that of a `SeriesQuery` does.
    """

    machines: Sequence[str]
    fields: Sequence[tuple[str, str]] | None
    start: int
    stop: int
    where: Where = ()


def make_too_many_series_error(limit: int) -> LimitExceeded:
    """Return the error of `SeriesDatabase.extents`."""
    return LimitExceeded(
        "series", limit, advice="The machines have too many series: ask about fewer machines."
    )
