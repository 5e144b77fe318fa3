"""Names and values in the statements for InfluxDB 3."""

import sys
from collections.abc import Sequence
from typing import Any

from stores.contracts.samples import END_OF_TIME, Kind


class BoundValues:
    """The values of a statement, each under a name of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: Any, kind: Kind = "integer") -> str:
        """Add a value; `kind` is that of an integer. Return the expression for it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        # The server would take a non-negative integer for an unsigned one.
        type_ = "BIGINT UNSIGNED" if kind == "unsigned" else "BIGINT"
        return f"CAST(${name} AS {type_})" if type(value) is int else f"${name}"

    def one_of(self, column: str, values: Sequence[Any], kind: Kind = "integer") -> str:
        """Return the condition that a column has one of the values; `kind` is that of integers."""
        return f"{column} IN ({', '.join(self.bind(value, kind) for value in values)})" if values else "FALSE"

    def within(self, start: int, stop: int) -> list[str]:
        """Return the conditions of a range; an open end has none, which spares the server a scan."""
        conditions = []
        if start > -END_OF_TIME:
            conditions.append(f"time >= to_timestamp_nanos({self.bind(start)})")
        if stop < END_OF_TIME:
            conditions.append(f"time < to_timestamp_nanos({self.bind(stop)})")
        return conditions


def quote(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def keep_finite(expression: str) -> str:
    """Return the expression for a float that is null where it is infinite or not a number.

    The server would write these as they are, and no parser would read its JSON.
    """
    return f"CASE WHEN abs({expression}) <= {sys.float_info.max!r} THEN {expression} END"
