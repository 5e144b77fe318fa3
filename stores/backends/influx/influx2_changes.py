"""The changes of series in Flux, found by the server, so that few other samples are sent.

`difference` finds the numbers that differ from the one before. Strings get numbers first: one script returns
those that occur, and the next one tells them apart by conditions. A string without a number, because there
are too many or because it was written meanwhile, is sent each time: whoever reads the rows drops repetitions.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import starmap

from stores.backends.influx.flux import Script, quote
from stores.contracts.samples import ByMachine, ByTags, Kind, Sample, SampleColumns
from stores.contracts.series_queries import SeriesQuery

MAX_STRINGS = 40  # that get numbers: the server rejects about a hundred nested conditions
DROP_RANGE = 'drop(columns: ["_start", "_stop", "_measurement"])'
COPY = 'duplicate(column: "_value", as: "_number")'
KINDS: tuple[Kind, ...] = ("boolean", "integer", "unsigned", "float", "string")


def select_strings(
    script: Script, query: SeriesQuery, fields: Sequence[str], machines: Sequence[str] | None
) -> str:
    """Return the script for the strings that occur in some fields, each at least once."""
    source = script.read(query.start, query.stop, script.select(query, fields, machines))
    merge = 'keep(columns: ["_value"]) |> group() |> distinct()'
    return f"{source} |> distinct() |> {merge} |> limit(n: {MAX_STRINGS})"


def select_changes(
    script: Script,
    query: SeriesQuery,
    kinds: Mapping[str, Kind],
    machines: Sequence[str] | None,
    strings: Sequence[str],
    limit: int,
) -> str:
    """Return the script for the changes of each field, at most `limit` of each kind.

    Tables of one kind can be one, so that the limit is that of all their series together.
    """
    parts = []
    for kind in KINDS:
        fields = [name for name in kinds if kinds[name] == kind]
        if fields:
            source = script.read(query.start, query.stop, script.select(query, fields, machines))
            merged = f'group() |> limit(n: {limit}) |> yield(name: "{kind}")'
            parts.append(f"{source} |> {_compare(kind, strings)} |> {merged}")
    return "\n".join(parts)


def select_first_samples(
    script: Script, query: SeriesQuery, machines: Sequence[str] | None, period: int
) -> str:
    """Return the script for the first sample of each series in each period, which the storage finds."""
    parts = []
    for start in range(query.start // period * period, query.stop, period):
        part = replace(query, start=max(start, query.start), stop=min(start + period, query.stop))
        first = f'first() |> {DROP_RANGE} |> yield(name: "{start}")'
        parts.append(f"{script.read_series(part, machines)} |> {first}")
    return "\n".join(parts)


def add_first_samples(
    changes: ByMachine[ByTags[SampleColumns]], first_samples: ByMachine[ByTags[list[Sample]]]
) -> ByMachine[ByTags[SampleColumns]]:
    """Return changes with the first samples of periods.

    These have the values that are in force at their times: the storage may return the one before instead, if
    some strings are empty.
    """
    for machine, by_field in first_samples.items():
        for field, by_tags in by_field.items():
            for tags, samples in by_tags.items():
                of_series = changes.get(machine, {}).get(field, {}).get(tags)
                if of_series is None:  # written meanwhile
                    continue
                values = dict(zip(of_series.times, of_series.values, strict=True))
                for time, _ in samples:
                    index = bisect_right(of_series.times, time) - 1
                    if index >= 0:
                        values.setdefault(time, of_series.values[index])
                changes[machine][field][tags] = SampleColumns.of(
                    list(starmap(Sample, sorted(values.items())))
                )
    return changes


def _compare(kind: Kind, strings: Sequence[str]) -> str:
    """Return the operations that leave the first sample of each table and the changes."""
    # Tags that begin with an underscore are reserved, so that the columns are of no tag.
    zero = "0.0" if kind == "float" else "0"
    changed = f"not exists r._step or r._step != {zero}"
    if kind == "string":
        changed += " or r._number == 0"
    steps = 'duplicate(column: "_number", as: "_step") |> difference(columns: ["_step"], keepFirst: true)'
    drop = 'drop(columns: ["_start", "_stop", "_measurement", "_step", "_number"])'
    return f"{_number(kind, strings)} |> {steps} |> filter(fn: (r) => {changed}) |> {drop}"


def _number(kind: Kind, strings: Sequence[str]) -> str:
    """Return the operation that adds a number for each value; for a string that is not listed it is 0.

    The conditions name literals: with bound values, the server would evaluate them row by row, which takes
    many times as long.
    """
    if kind == "boolean":
        number = "if r._value then 1 else 0"
    elif kind == "string":
        number = "0"
        for i, text in enumerate(strings, 1):
            number = f"if r._value == {quote(text)} then {i} else {number}"
    else:
        return COPY
    # Sorted first, because the server panics on tables with empty strings as its storage returns them.
    return f'sort(columns: ["_time"]) |> map(fn: (r) => ({{r with _number: {number}}}))'
