"""The order of occurrences, which `SeriesDatabase.last` returns."""

from collections.abc import Sequence

from stores.contracts.series import Occurrence


def make_occurrence_order(occurrence: Occurrence) -> tuple[int, int, bool, str]:
    """Return the key that sorts occurrences as `SeriesDatabase.last` orders them."""
    machine = occurrence.machine
    return -occurrence.time, occurrence.source, machine is not None, machine or ""


def select_last_of_each_machine(occurrences: Sequence[Occurrence], limit: int) -> list[Occurrence]:
    """Return the first `limit` occurrences of each machine, by machine id; each machine keeps its order."""
    by_machine: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        by_machine.setdefault(occurrence.machine or "", []).append(occurrence)
    return [occurrence for machine in sorted(by_machine) for occurrence in by_machine[machine][:limit]]
