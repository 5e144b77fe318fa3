"""The databases in memory: tables whose columns grow, as the Arrow batches that DataFusion reads."""

import threading
import time
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tests.servers.influxdb3.line_protocol import LineError, ParsedPoint, parse_lines, to_nanoseconds

ROWS_PER_BATCH = 8192  # only batches with new rows are built again
TAG = "tag"
ARROW_TYPES = {
    TAG: pa.dictionary(pa.int32(), pa.utf8()),
    "timestamp": pa.timestamp("ns"),
    "field::float": pa.float64(),
    "field::integer": pa.int64(),
    "field::uinteger": pa.uint64(),
    "field::string": pa.utf8(),
    "field::boolean": pa.bool_(),
}


class Table:
    """One measurement: `kinds` has the kind of each column, a key of ARROW_TYPES."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {"time": "timestamp"}
        self._columns: dict[str, list[Any]] = {"time": []}
        self._rows: dict[tuple[Any, ...], int] = {}  # by tags and time
        self._batches: list[pa.RecordBatch | None] = []
        self._schema: pa.Schema | None = None

    def add(self, point: ParsedPoint, time_ns: int) -> None:
        """Add a point, or merge it into the one with the same tags and time."""
        for name, kind in kinds_of(point):
            self._add_column(name, kind)
        row = self._rows.get((point.tags, time_ns))
        if row is None:
            row = self._rows[(point.tags, time_ns)] = len(self._rows)
            for values in self._columns.values():
                values.append(None)
            self._columns["time"][row] = time_ns
            for name, tag in point.tags:
                self._columns[name][row] = tag
        for name, (_, value) in point.fields.items():
            self._columns[name][row] = value
        batch = row // ROWS_PER_BATCH
        if batch == len(self._batches):
            self._batches.append(None)
        self._batches[batch] = None

    def _add_column(self, name: str, kind: str) -> None:
        if name not in self.kinds:
            self.kinds[name] = kind
            self._columns[name] = [None] * len(self._rows)
            self._batches = [None] * len(self._batches)
            self._schema = None

    def to_batches(self) -> list[pa.RecordBatch]:
        """The rows as Arrow batches that later writes do not change."""
        names = sorted(self.kinds)
        if self._schema is None:
            types = [(name, ARROW_TYPES[self.kinds[name]]) for name in names]
            self._schema = pa.schema([pa.field(name, type_, name != "time") for name, type_ in types])
        for number, batch in enumerate(self._batches):
            if batch is None:
                rows = slice(number * ROWS_PER_BATCH, (number + 1) * ROWS_PER_BATCH)
                arrays = [_to_arrow(self.kinds[name], self._columns[name][rows]) for name in names]
                self._batches[number] = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        return list(self._batches) or [pa.RecordBatch.from_pylist([], schema=self._schema)]


def _to_arrow(kind: str, values: list[Any]) -> pa.Array:
    return (
        pa.array(values, pa.utf8()).dictionary_encode()
        if kind == TAG
        else pa.array(values, ARROW_TYPES[kind])
    )


def kinds_of(point: ParsedPoint) -> list[tuple[str, str]]:
    """The columns that a point writes, with their kinds."""
    fields = [(name, f"field::{type_}") for name, (type_, _) in point.fields.items()]
    return [(name, TAG) for name, _ in point.tags] + fields


class MemoryStore:
    """All databases. Every method may be called from any thread."""

    def __init__(self, databases: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._databases: dict[str, dict[str, Table]] = {name: {} for name in databases}

    def create(self, database: str) -> bool:
        """Create an empty database; False if it exists."""
        with self._lock:
            is_new = database not in self._databases
            self._databases.setdefault(database, {})
        return is_new

    def write(self, database: str, text: str, unit: int, partial: bool) -> list[dict[str, Any]]:
        """MemoryStore the lines of `text` and return the rejected ones. Unless `partial`, one rejects all."""
        now, errors, accepted = time.time_ns(), [], []
        with self._lock:
            tables = self._databases.setdefault(database, {})
            added: dict[str, dict[str, str]] = {}  # the columns of this request, by table
            for line in parse_lines(text):
                try:
                    if isinstance(line.point, LineError):
                        raise line.point
                    time_ns = to_nanoseconds(line.point.time, unit, now)
                    columns = added.setdefault(line.point.measurement, {})
                    _check_kinds(line.point, tables.get(line.point.measurement), columns)
                    accepted.append((line.point, time_ns))
                except LineError as error:
                    errors.append(
                        {
                            "error_message": str(error),
                            "line_number": line.number,
                            "original_line": line.text[:20],
                        }
                    )
            if errors and not partial:
                return errors
            for point, time_ns in accepted:
                tables.setdefault(point.measurement, Table()).add(point, time_ns)
        return errors

    def read(self, database: str) -> dict[str, list[pa.RecordBatch]] | None:
        """The batches of every table, or None if there is no such database."""
        with self._lock:
            tables = self._databases.get(database)
            return None if tables is None else {name: table.to_batches() for name, table in tables.items()}


def _check_kinds(point: ParsedPoint, table: Table | None, added: dict[str, str]) -> None:
    """Raise LineError if a column has another kind already; else note the point's columns in `added`."""
    kinds = (table.kinds if table else {"time": "timestamp"}) | added
    for name, kind in kinds_of(point):
        existing = kinds.setdefault(name, kind)
        if existing != kind:
            expected, actual = f"iox::column_type::{existing}", f"iox::column_type::{kind}"
            raise LineError(f"invalid column type for column '{name}', expected {expected}, got {actual}")
    added.update(kinds_of(point))
