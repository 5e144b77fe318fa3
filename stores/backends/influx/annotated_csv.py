"""The annotated CSV (`#datatype`) that InfluxDB 2 answers a Flux script with."""

import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from stores.backends.influx.flux import parse_time
from stores.backends.influx.transport import UnreadableAnswer
from stores.contracts.samples import MACHINE, Kind, Tags

KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "long": "integer",
    "unsignedLong": "unsigned",
    "double": "float",
    "string": "string",
}


NO_TAGS = {"", "result", "table", MACHINE, "_field", "_time", "_value"}
BOOLEANS = {"true": True, "false": False}


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
    def tags(self) -> Tags:
        """The tags of the row's series, without the machine; a script has to drop other columns."""
        items = self.columns.items()
        return tuple(sorted(item for item in items if item[1] and item[0] not in NO_TAGS))

    @property
    def value(self) -> Any:
        return parse_value(self.columns["_value"], self.kind)


class FailedQuery(Exception):
    """The answer is an error in place of a table."""


def parse_rows(answer: str) -> Iterator[Row]:
    """Yield the rows of all tables. Raises `FailedQuery` and `UnreadableAnswer`."""
    if answer and not answer.endswith("\n"):
        raise UnreadableAnswer("the answer is cut off")
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
                raise UnreadableAnswer("the answer is not annotated CSV")
        elif not types:
            raise FailedQuery(cells[1] if len(cells) > 1 else "")
        else:
            if not len(types) == len(names) == len(cells):
                raise UnreadableAnswer("the columns of a table differ")
            columns = dict(zip(names, cells, strict=True))
            yield Row(KINDS.get(dict(zip(names, types, strict=True)).get("_value", ""), "string"), columns)


def parse_value(text: str, kind: Kind) -> Any:
    """Return a value of its kind. Raises `ValueError` and `KeyError`."""
    match kind:
        case "boolean":
            return BOOLEANS[text]
        case "integer" | "unsigned":
            return int(text)
        case "float":
            return float(text)
    return text
