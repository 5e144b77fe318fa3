"""The order of occurrences, which `SeriesDatabase.last` returns, and positions in it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from stores.contracts.samples import Kind, Occurrence, Value
from stores.contracts.series_queries import OccurrencePosition, SourceQuery

Order: TypeAlias = tuple[int, int, str, tuple[str, ...]]
TYPES: dict[Kind, type] = {"boolean": bool, "integer": int, "unsigned": int, "float": float, "string": str}
INTEGERS: dict[Kind, range] = {"integer": range(-(2**63), 2**63), "unsigned": range(2**64)}


def make_occurrence_order(occurrence: Occurrence | OccurrencePosition) -> Order:
    """Return the key that sorts occurrences as `SeriesDatabase.last` orders them.

    No machine id and no value of a tag is an empty string.
    """
    tags = tuple(value or "" for value in occurrence.tags)
    return -occurrence.time, occurrence.source, occurrence.machine or "", tags


def drop_passed(occurrences: Iterable[Occurrence], after: OccurrencePosition | None) -> Iterator[Occurrence]:
    """Yield the occurrences behind a position. They are in their order."""
    remaining = iter(occurrences)
    if after is None:
        yield from remaining
        return
    last, passed = make_occurrence_order(after), after.passed
    for occurrence in remaining:
        order = make_occurrence_order(occurrence)
        if order < last:
            continue
        if order > last:
            yield occurrence
            break
        if passed is not None and passed <= 0:
            yield occurrence
        elif passed is not None:
            passed -= 1
    yield from remaining


def take_page(occurrences: Iterable[Occurrence], query: SourceQuery, limit: int) -> list[Occurrence]:
    """Return the first `limit` occurrences behind the position of a query. They are in their order."""
    return list(islice(drop_passed(occurrences, query.after), limit))


def group_by_machine(occurrences: Iterable[Occurrence], limit: int) -> dict[str, list[Occurrence]]:
    """Return the first `limit` occurrences of each machine."""
    by_machine: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        of_machine = by_machine.setdefault(occurrence.machine or "", [])
        if len(of_machine) < limit:
            of_machine.append(occurrence)
    return by_machine


def find_stop(query: SourceQuery) -> int:
    """Return the time before which everything is that a page may hold."""
    return query.stop if query.after is None else min(query.stop, query.after.time + 1)


def select_values(values: Sequence[Value], kind: Kind) -> list[Value]:
    """Return the values that a field of a kind may have."""
    return [
        value
        for value in values
        if type(value) is TYPES[kind] and (kind not in INTEGERS or value in INTEGERS[kind])
    ]
