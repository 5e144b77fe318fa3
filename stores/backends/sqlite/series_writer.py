"""How points are written into the embedded time-series file. It is used by one thread, the writer's."""

import json
from collections.abc import Sequence

import apsw

from stores.contracts.series import KINDS, MACHINE, Kind, Point, Value

SeriesKey = tuple[str, str, tuple[tuple[str, str], ...], str]  # database, measurement, tags, field
FieldKey = tuple[str, str, str]  # database, measurement, field


class SeriesWriter:
    """Writes points within a transaction of the caller. It caches series numbers and the kinds of fields."""

    def __init__(self) -> None:
        self._numbers: dict[SeriesKey, int] = {}
        self._kinds: dict[FieldKey, Kind] = {}

    def clear(self) -> None:
        """Clear the caches: the transaction was rolled back."""
        self._numbers.clear()
        self._kinds.clear()

    def write(self, db: apsw.Connection, database: str, points: Sequence[Point]) -> list[str | None]:
        """Write points. Return for each None, or why it was rejected."""
        results: list[str | None] = []
        rows: list[tuple[int, int, Value]] = []
        for point in points:
            conflict = self._find_conflict(db, database, point)
            results.append(conflict)
            if conflict is None:
                rows += [
                    (self._number(db, database, point, field), point.time, value)
                    for field, value in point.fields.items()
                ]
        sql = "INSERT INTO samples VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        db.executemany(sql, rows)
        return results

    def _find_conflict(self, db: apsw.Connection, database: str, point: Point) -> str | None:
        """Return which field of a point has another kind than it is stored with, if any."""
        for field, value in point.fields.items():
            kind = KINDS[type(value)]
            key = (database, point.measurement, field)
            stored = self._kinds.get(key)
            if stored is None:
                sql = "SELECT kind FROM series WHERE database = ? AND measurement = ? AND field = ? LIMIT 1"
                stored = self._kinds[key] = db.execute(sql, key).get or kind
            if stored != kind:
                return (
                    f'field type conflict: input field "{field}" on measurement "{point.measurement}"'
                    f" is type {kind}, already exists as type {stored}"
                )
        return None

    def _number(self, db: apsw.Connection, database: str, point: Point, field: str) -> int:
        """Return the number of a series, which is created if it does not exist."""
        key = (database, point.measurement, point.tags, field)
        number = self._numbers.get(key)
        if number is None:
            by_name = dict(point.tags)
            unique = (database, point.measurement, field, json.dumps(by_name))
            columns = "database, measurement, field, tags, machine, kind"
            sql = f"INSERT INTO series ({columns}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            db.execute(sql, (*unique, by_name.get(MACHINE), self._kinds[database, point.measurement, field]))
            sql = (
                "SELECT number FROM series WHERE database = ? AND measurement = ? AND field = ? AND tags = ?"
            )
            number = self._numbers[key] = int(db.execute(sql, unique).get)
        return number


def list_series(db: apsw.Connection) -> list[int]:
    """Return the numbers of all series of all databases."""
    return [number for (number,) in db.execute("SELECT number FROM series")]


def delete_older(db: apsw.Connection, number: int, cutoff: int) -> int:
    """Delete the samples of a series that are older than `cutoff`. Return how many they were."""
    db.execute("DELETE FROM samples WHERE series = ? AND time < ?", (number, cutoff))
    count = db.changes()
    db.execute("DELETE FROM tally WHERE series = ? AND n = 0", (number,))
    return count
