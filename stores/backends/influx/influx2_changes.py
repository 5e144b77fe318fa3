"""The changes of series in Flux, found by the server, so that few other samples are sent.

`difference` finds the numbers that differ from the one before. Strings get numbers first: one script returns
those that occur, and the next one tells them apart by conditions. A string without a number, because there
are too many or because it was written meanwhile, is sent each time: whoever reads the rows drops repetitions.
"""

from collections.abc import Mapping, Sequence

from stores.backends.influx.flux import Script, quote
from stores.contracts.samples import Kind
from stores.contracts.series_queries import SeriesQuery

MAX_STRINGS = 40  # that get numbers: the server rejects about a hundred nested conditions
COPY = 'duplicate(column: "_value", as: "_number")'
DROP = 'drop(columns: ["_start", "_stop", "_measurement", "_step", "_turn", "_number"])'
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
    period: int | None,
) -> str:
    """Return the script for the changes of each field, at most `limit` of each kind.

    Tables of one kind can be one, so that the limit is that of all their series together. The first samples
    of periods are results of their own, because the storage finds them by itself: some of them are sent
    twice. For strings it would return wrong ones if some are empty.
    """
    parts = []
    start = 0 if period is None else query.start // period * period
    turn = None if period is None else f"(int(v: r._time) - ({start})) / {period}"
    for kind in KINDS:
        fields = [name for name in kinds if kinds[name] == kind]
        if fields:
            source = script.read(query.start, query.stop, script.select(query, fields, machines))
            merged = f'group() |> limit(n: {limit}) |> yield(name: "{kind}")'
            parts.append(f"{source} |> {_compare(kind, strings, turn)} |> {merged}")
            if period is not None and kind != "string":
                first = f"window(every: {period}ns) |> first() |> {DROP} |> group()"
                parts.append(f'{source} |> {first} |> yield(name: "first {kind}")')
    return "\n".join(parts)


def _compare(kind: Kind, strings: Sequence[str], turn: str | None) -> str:
    """Return the operations that leave the first sample of each table and the changes.

    Of strings, also the first one with each value of the expression `turn`.
    """
    # Tags that begin with an underscore are reserved, so that the columns are of no tag.
    columns = '"_step"'
    zero = "0.0" if kind == "float" else "0"
    changed = f"not exists r._step or r._step != {zero}"
    if kind == "string":
        changed += " or r._number == 0"
        if turn is not None:
            columns = '"_step", "_turn"'
            changed += " or r._turn != 0"
    steps = f'duplicate(column: "_number", as: "_step") |> difference(columns: [{columns}], keepFirst: true)'
    return f"{_number(kind, strings, turn)} |> {steps} |> filter(fn: (r) => {changed}) |> {DROP}"


def _number(kind: Kind, strings: Sequence[str], turn: str | None) -> str:
    """Return the operation that adds a number for each value; for a string that is not listed it is 0.

    The conditions name literals: with bound values, the server would evaluate them row by row, which takes
    many times as long.
    """
    others = ""
    if kind == "boolean":
        number = "if r._value then 1 else 0"
    elif kind == "string":
        number = "0"
        others = "" if turn is None else f", _turn: {turn}"
        for i, text in enumerate(strings, 1):
            number = f"if r._value == {quote(text)} then {i} else {number}"
    else:
        return COPY
    # Sorted first, because the server panics on tables with empty strings as its storage returns them.
    return f'sort(columns: ["_time"]) |> map(fn: (r) => ({{r with _number: {number}{others}}}))'
