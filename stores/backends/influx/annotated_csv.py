"""The annotated CSV (`#datatype`) that InfluxDB 2 answers a Flux script with."""

import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from stores.backends.influx.flux import parse_time
from stores.contracts.series import MACHINE, Kind

KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "long": "integer",
    "unsignedLong": "unsigned",
    "double": "float",
    "string": "string",
}


class Row(NamedTuple):
    """A row of a table: the kind of its value, and its columns as strings."""

    kind: Kind
    columns: dict[str, str]

    @property
    def time(self) -> int:
        return parse_time(self.columns["_time"])

    @property
    def machine(self) -> str | None:
        return self.columns.get(MACHINE) or None

    @property
    def value(self) -> Any:
        return parse_value(self.columns["_value"], self.kind)


class FailedQuery(Exception):
    """The answer is an error in the place of a table, or not annotated CSV at all."""


def parse_rows(answer: str) -> Iterator[Row]:
    """Yield the rows of all tables. Raises `FailedQuery`."""
    types: list[str] = []
    names: list[str] = []
    # The server ends each line with both characters, and also the lines within a string.
    for cells in csv.reader(io.StringIO(answer.replace("\r\n", "\n"), newline="\n")):
        if not cells:
            continue
        if cells[0] == "#datatype":
            types, names = cells, []
        elif not names:
            names = cells
            if "error" in names and "reference" in names:
                types = []
            elif not types:
                raise FailedQuery("the answer is not annotated CSV")
        elif not types:
            raise FailedQuery(cells[1] if len(cells) > 1 else "")
        else:
            columns = dict(zip(names, cells, strict=False))
            yield Row(KINDS.get(dict(zip(names, types, strict=False)).get("_value", ""), "string"), columns)


def parse_value(text: str, kind: Kind) -> Any:
    """Return a value of its kind. Raises `ValueError`."""
    match kind:
        case "boolean":
            return text == "true"
        case "integer" | "unsigned":
            return int(text)
        case "float":
            return float(text)
    return text
