"""Moving the series of machines between the databases of the embedded time-series file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import apsw

from stores.backends.sqlite.series_derived import merge_derived
from stores.backends.sqlite.series_rewrites import record_rewrites
from stores.contracts.machine_moves import EarlierMachine, MoveReport
from stores.contracts.rewrites import Rewrite
from stores.contracts.samples import END_OF_TIME


def list_machines(db: apsw.Connection, database: str, after: str, limit: int) -> list[str]:
    """See `MachineMoves.list_machines`."""
    sql = "SELECT DISTINCT machine FROM series WHERE database = ? AND machine > ? ORDER BY machine LIMIT ?"
    return [machine for (machine,) in db.execute(sql, (database, after, limit))]


def list_earlier_machines(db: apsw.Connection, limit: int) -> tuple[list[EarlierMachine], int]:
    """See `MachineMoves.list_earlier_machines`."""
    rows = db.execute("SELECT database, machine FROM earlier_machines LIMIT ?", (limit,))
    machines = [EarlierMachine(*row) for row in rows]
    return machines, int(db.execute("SELECT count(*) FROM earlier_machines").get)


def settle_earlier_machines(db: apsw.Connection, machines: Sequence[EarlierMachine]) -> None:
    """See `MachineMoves.settle_earlier_machines`."""
    db.executemany("DELETE FROM earlier_machines WHERE database = ? AND machine = ?", machines)


def move_machines(db: apsw.Connection, source: str, targets: Mapping[str, str]) -> MoveReport:
    """See `MachineMoves.move_machines`."""
    sql = """SELECT number, machine, measurement, field, tags, kind FROM series
        WHERE database = ? AND machine IN (SELECT value FROM json_each(?))"""
    rows: list[Any] = db.execute(sql, (source, json.dumps(list(targets)))).fetchall()
    conflicts: dict[str, str] = {}
    for _, machine, measurement, field, _, kind in rows:
        other_kind = _find_kind(db, targets[machine], measurement, field)
        if other_kind not in (None, kind):
            conflicts[machine] = f"{measurement}.{field} is {kind}, and {other_kind} in the organization"
    moved = [row for row in rows if row[1] not in conflicts]
    for number, machine, *key, _ in moved:
        _move_series(db, number, (targets[machine], *key))
    changed = {(database, row[1]) for row in moved for database in (source, targets[row[1]])}
    record_rewrites(db, (Rewrite(*machine, -END_OF_TIME, END_OF_TIME) for machine in sorted(changed)))
    settle_earlier_machines(db, [EarlierMachine(source, machine) for machine in targets])
    return MoveReport(len(moved), conflicts)


def _find_kind(db: apsw.Connection, database: str, measurement: str, field: str) -> str | None:
    sql = "SELECT kind FROM series WHERE database = ? AND measurement = ? AND field = ? LIMIT 1"
    return cast(str | None, db.execute(sql, (database, measurement, field)).get)


def _move_series(db: apsw.Connection, number: int, key: tuple[str, ...]) -> None:
    """Move a series to `key`, which is a database, a measurement, a field and tags."""
    sql = "SELECT number FROM series WHERE database = ? AND measurement = ? AND field = ? AND tags = ?"
    twin = db.execute(sql, key).get
    if twin is None:
        db.execute("UPDATE series SET database = ? WHERE number = ?", (key[0], number))
        return
    sql = "INSERT INTO samples SELECT ?, time, value FROM samples WHERE series = ? ON CONFLICT DO NOTHING"
    db.execute(sql, (twin, number))
    merge_derived(db, number, cast(int, twin))
    db.execute("DELETE FROM samples WHERE series = ?", (number,))
    db.execute("DELETE FROM series WHERE number = ?", (number,))
