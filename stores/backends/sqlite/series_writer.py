"""How points are written into the embedded time-series file, on the connection of the writer."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Hashable, Sequence

import apsw

from stores.backends.sqlite.series_derived import write_samples
from stores.backends.sqlite.series_rewrites import record_late_points
from stores.contracts.samples import KINDS, MACHINE, Kind, Point, Unsigned, Value

MAX_CACHED_BYTES = 32 * 1024 * 1024  # by estimate
BYTES_PER_ENTRY = 400  # of a cache, beside the characters of its names and values
MAX_INTEGER = 2**63 - 1
SeriesKey = tuple[str, str, tuple[tuple[str, str], ...], str]  # database, measurement, tags, field
FieldKey = tuple[str, str, str]  # database, measurement, field
# Database, measurement, tags, fields and types of values: points of one shape are of the same series.
Shape = tuple[Hashable, ...]


@dataclasses.dataclass(slots=True)
class SeriesCache:
    """The numbers of series and the kinds of fields that are stored in the file, and both for each shape."""

    numbers: dict[SeriesKey, int] = dataclasses.field(default_factory=dict)
    kinds: dict[FieldKey, Kind] = dataclasses.field(default_factory=dict)
    shapes: dict[Shape, list[int]] = dataclasses.field(default_factory=dict)
    estimated_bytes: int = 0

    def __len__(self) -> int:
        return len(self.numbers) + len(self.kinds) + len(self.shapes)

    def add(self, other: "SeriesCache") -> None:
        """Add what a transaction has looked up or created, after its commit."""
        added_bytes = (
            sum(map(_estimate_series_bytes, other.numbers))
            + sum(map(_estimate_field_bytes, other.kinds))
            + sum(BYTES_PER_ENTRY * len(shape) for shape in other.shapes)
        )
        if self.estimated_bytes + added_bytes > MAX_CACHED_BYTES:
            self.numbers.clear()
            self.kinds.clear()
            self.shapes.clear()
            self.estimated_bytes = 0
        if added_bytes <= MAX_CACHED_BYTES:
            self.numbers.update(other.numbers)
            self.kinds.update(other.kinds)
            self.shapes.update(other.shapes)
            self.estimated_bytes += added_bytes


def _estimate_series_bytes(key: SeriesKey) -> int:
    database, measurement, tags, field = key
    characters = sum(len(name) + len(value) + BYTES_PER_ENTRY // 2 for name, value in tags)
    return BYTES_PER_ENTRY + len(database) + len(measurement) + len(field) + characters


def _estimate_field_bytes(key: FieldKey) -> int:
    return BYTES_PER_ENTRY + sum(map(len, key))


class SqlitePointWriter:
    """Writes points within one transaction. `new` is what may be added to the cache after its commit."""

    def __init__(self, db: apsw.Connection, cache: SeriesCache) -> None:
        self._db, self._cache = db, cache
        self.new = SeriesCache()

    def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write points. Return for each None, or why it was rejected."""
        results: list[str | None] = []
        samples: defaultdict[int, dict[int, Value]] = defaultdict(dict)
        cached, new = self._cache.shapes, self.new.shapes
        for point in points:
            values = point.fields.values()
            shape = database, point.measurement, point.tags, *point.fields, *map(type, values)
            numbers = cached.get(shape) or new.get(shape)
            conflict = self._find_conflict(database, point) if numbers is None else None
            results.append(conflict)
            if conflict is None:
                if numbers is None:
                    numbers = [self._find_number(database, point, field) for field in point.fields]
                    new[shape] = numbers
                at = point.time
                for number, value in zip(numbers, values, strict=True):
                    samples[number][at] = value if type(value) is not Unsigned else to_stored(value)
        write_samples(self._db, samples)
        stored = (
            points
            if not any(results)
            else [point for point, conflict in zip(points, results, strict=True) if conflict is None]
        )
        record_late_points(self._db, database, stored)
        return results

    def _find_conflict(self, database: str, point: Point) -> str | None:
        """Return which field of a point has another kind than it is stored with, if any.

        Only a point without a conflict determines the kinds of fields that were never written.
        """
        new_kinds: dict[FieldKey, Kind] = {}
        for field, value in point.fields.items():
            kind = KINDS[type(value)]
            key = (database, point.measurement, field)
            stored = self._find_kind(key)
            if stored is None:
                new_kinds[key] = kind
            elif stored != kind:
                return (
                    f'field type conflict: input field "{field}" on measurement "{point.measurement}"'
                    f" is type {kind}, already exists as type {stored}"
                )
        self.new.kinds.update(new_kinds)
        return None

    def _find_kind(self, key: FieldKey) -> Kind | None:
        kind = self._cache.kinds.get(key) or self.new.kinds.get(key)
        if kind is None:
            sql = "SELECT kind FROM series WHERE database = ? AND measurement = ? AND field = ? LIMIT 1"
            kind = self._db.execute(sql, key).get
            if kind is not None:
                self.new.kinds[key] = kind
        return kind

    def _find_number(self, database: str, point: Point, field: str) -> int:
        """Return the number of a series, which is created if it does not exist."""
        key = (database, point.measurement, point.tags, field)
        number = self._cache.numbers.get(key) or self.new.numbers.get(key)
        if number is None:
            by_name = dict(point.tags)
            unique = (database, point.measurement, field, json.dumps(by_name))
            kind = KINDS[type(point.fields[field])]
            columns = "database, measurement, field, tags, machine, kind, is_behind"
            sql = f"INSERT INTO series ({columns}) VALUES (?, ?, ?, ?, ?, ?, false) ON CONFLICT DO NOTHING"
            self._db.execute(sql, (*unique, by_name.get(MACHINE), kind))
            sql = (
                "SELECT number FROM series WHERE database = ? AND measurement = ? AND field = ? AND tags = ?"
            )
            number = self.new.numbers[key] = int(self._db.execute(sql, unique).get)
        return number


def to_stored(value: Value) -> Value:
    """Return a value as SQLite stores it: an integer of more than 63 bits is a string of 20 digits."""
    return f"{value:020}" if type(value) is Unsigned and value > MAX_INTEGER else value
