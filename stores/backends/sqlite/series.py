"""The time-series store on SQLite: one file, one writer, readers beside it.

Every field of every tag set is a series, and a sample a row keyed by series and time: the newest one of a
series is a search in the primary key. How many samples an hour holds is kept by triggers.
"""

import asyncio
import json
import logging
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import apsw

from stores.backends.sqlite.connection import connect
from stores.contracts.errors import Unavailable
from stores.contracts.series import (
    END_OF_TIME,
    MACHINE,
    NUMERIC,
    SECOND,
    Aggregation,
    Kind,
    Occurrence,
    Point,
    Sample,
    SeriesDatabase,
    Source,
    Value,
    Windows,
    WritableSeriesStore,
    too_many_points,
)

T = TypeVar("T")
log = logging.getLogger(__name__)
HOUR = 3600 * SECOND
READERS = 4
VERSION = 1
SCHEMA = f"""
CREATE TABLE series (
    number INTEGER PRIMARY KEY, database TEXT NOT NULL, measurement TEXT NOT NULL, tags TEXT NOT NULL,
    machine TEXT, field TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (database, measurement, field, tags));
CREATE INDEX series_by_machine ON series (database, measurement, field, machine);
CREATE TABLE samples (
    series INTEGER NOT NULL, time INTEGER NOT NULL, value NOT NULL, PRIMARY KEY (series, time)) WITHOUT ROWID;
CREATE TABLE tally (
    series INTEGER NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (series, hour)) WITHOUT ROWID;
CREATE TRIGGER counted AFTER INSERT ON samples BEGIN
    INSERT INTO tally VALUES (NEW.series, (NEW.time - (NEW.time % {HOUR} + {HOUR}) % {HOUR}) / {HOUR}, 1)
    ON CONFLICT DO UPDATE SET n = n + 1; END;
CREATE TRIGGER forgotten AFTER DELETE ON samples BEGIN
    UPDATE tally SET n = n - 1
    WHERE series = OLD.series AND hour = (OLD.time - (OLD.time % {HOUR} + {HOUR}) % {HOUR}) / {HOUR}; END;
"""
KINDS: dict[type, Kind] = {bool: "boolean", int: "integer", float: "float", str: "string"}
IN_RANGE = "series = ? AND time >= ? AND time < ?"


class Kept(NamedTuple):
    """A series as it is kept."""

    number: int
    machine: str | None
    field: str
    kind: Kind
    tags: str

    def value(self, stored: Any) -> Value:
        return bool(stored) if self.kind == "boolean" else cast(Value, stored)

    def samples(self, rows: Iterable[Any]) -> Iterable[Sample]:
        if self.kind == "boolean":
            return (Sample(time, bool(value)) for time, value in rows)
        return map(Sample._make, rows)


class SqliteSeriesStore(WritableSeriesStore):
    """Every database in the one file `path`; `deadline` in seconds bounds a read, waiting included."""

    def __init__(self, path: Path, *, deadline: float = 5.0) -> None:
        self._path = path
        self._deadline = deadline
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="series-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="series-reader")
        self._own = threading.local()
        self._opened: list[apsw.Connection] = []
        self._numbers: dict[tuple[str, str, tuple[tuple[str, str], ...], str], int] = {}
        self._kinds: dict[tuple[str, str, str], Kind] = {}

    def database(self, name: str) -> "SqliteSeriesDatabase":
        return SqliteSeriesDatabase(self, name)

    async def ping(self) -> None:
        await self.read(lambda db: db.execute("SELECT 1").get)

    async def close(self) -> None:
        for executor in (self._readers, self._writer):
            await asyncio.to_thread(executor.shutdown)
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do `work` on a reader's connection, in one snapshot."""
        running: list[apsw.Connection] = []

        def job() -> T:
            db = self._connection()
            running.append(db)
            db.execute("BEGIN")
            try:
                return work(db)
            finally:
                db.execute("COMMIT")

        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.get_running_loop().run_in_executor(self._readers, job)
        except TimeoutError:
            for db in running:
                db.interrupt()
            raise Unavailable("the time-series store does not answer in time") from None
        except (apsw.Error, OSError) as error:
            log.warning("time-series store: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store does not answer") from None

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        return await self._write(lambda db: self._put(db, database, points))

    async def retain(self, cut: int) -> int:
        numbers = await self.read(lambda db: [row[0] for row in db.execute("SELECT number FROM series")])
        deleted = 0
        for number in numbers:  # a transaction each, so that writers wait for one series only

            def forget(db: apsw.Connection, number: int = number) -> int:
                db.execute("DELETE FROM samples WHERE series = ? AND time < ?", (number, cut))
                count = db.changes()
                db.execute("DELETE FROM tally WHERE series = ? AND n = 0", (number,))
                return count

            deleted += await self._write(forget)
        return deleted

    async def _write(self, work: Callable[[apsw.Connection], T]) -> T:
        def transaction() -> T:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
            except BaseException:
                db.execute("ROLLBACK")
                self._numbers.clear()
                self._kinds.clear()
                raise
            db.execute("COMMIT")
            return result

        try:
            # A caller that gives up does not cut a write off between its statements and its answer.
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._writer, transaction))
        except (apsw.Error, OSError) as error:
            log.warning("time-series store: %s: %s", type(error).__name__, error)
            raise Unavailable("the time-series store cannot be written") from None

    def _put(self, db: apsw.Connection, database: str, points: Sequence[Point]) -> list[str | None]:
        results: list[str | None] = []
        rows: list[tuple[int, int, Value]] = []
        for point in points:
            refused = self._conflict(db, database, point)
            results.append(refused)
            if refused is None:
                rows += [
                    (self._number(db, database, point, field), point.time, value)
                    for field, value in point.fields.items()
                ]
        sql = "INSERT INTO samples VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        db.executemany(sql, rows)
        return results

    def _conflict(self, db: apsw.Connection, database: str, point: Point) -> str | None:
        for field, value in point.fields.items():
            kind = KINDS[type(value)]
            place = (database, point.measurement, field)
            known = self._kinds.get(place)
            if known is None:
                sql = "SELECT kind FROM series WHERE database = ? AND measurement = ? AND field = ? LIMIT 1"
                known = self._kinds[place] = db.execute(sql, place).get or kind
            if known != kind:
                return (
                    f'field type conflict: input field "{field}" on measurement "{point.measurement}"'
                    f" is type {kind}, already exists as type {known}"
                )
        return None

    def _number(self, db: apsw.Connection, database: str, point: Point, field: str) -> int:
        key = (database, point.measurement, point.tags, field)
        found = self._numbers.get(key)
        if found is None:
            tags = json.dumps(dict(point.tags))
            place = (database, point.measurement, field, tags)
            kept = (*place, dict(point.tags).get(MACHINE), self._kinds[database, point.measurement, field])
            columns = "database, measurement, field, tags, machine, kind"
            sql = f"INSERT INTO series ({columns}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            db.execute(sql, kept)
            sql = (
                "SELECT number FROM series WHERE database = ? AND measurement = ? AND field = ? AND tags = ?"
            )
            found = self._numbers[key] = int(db.execute(sql, place).get)
        return found

    def _connection(self) -> apsw.Connection:
        if not hasattr(self._own, "connection"):
            db = connect(self._path, self._deadline, schema=SCHEMA, version=VERSION, cache=16384)
            db.pragma("wal_autocheckpoint", 4000)
            self._own.connection = db
            self._opened.append(self._own.connection)
        return cast(apsw.Connection, self._own.connection)


class SqliteSeriesDatabase(SeriesDatabase):
    """One database of the file."""

    def __init__(self, store: SqliteSeriesStore, database: str) -> None:
        self._store = store
        self.database = database

    async def catalogue(self) -> dict[str, dict[str, Kind]]:
        sql = "SELECT DISTINCT measurement, field, kind FROM series WHERE database = ?"
        rows = await self._store.read(lambda db: list(db.execute(sql, (self.database,))))
        found: defaultdict[str, dict[str, Kind]] = defaultdict(dict)
        for measurement, field, kind in rows:
            found[measurement][field] = kind
        return dict(found)

    async def latest(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str], before: int = END_OF_TIME
    ) -> dict[str, dict[str, Sample]]:
        chosen, values = self._chosen(measurement, fields, machines)
        sql = f"""SELECT machine, field, kind, time, value FROM series JOIN samples ON series = number
            AND time = (SELECT max(time) FROM samples WHERE series = number AND time < ?) WHERE {chosen}"""

        def read(db: apsw.Connection) -> dict[str, dict[str, Sample]]:
            found: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
            for machine, field, kind, time, value in db.execute(sql, (before, *values)):
                sample = Sample(time, bool(value) if kind == "boolean" else value)
                of_machine = found[machine]
                of_machine[field] = max(of_machine[field], sample) if field in of_machine else sample
            return dict(found)

        return await self._store.read(read)

    async def points(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        start: int,
        stop: int,
        limit: int,
    ) -> dict[str, dict[str, list[Sample]]]:
        def read(db: apsw.Connection) -> dict[str, dict[str, list[Sample]]]:
            found: dict[str, dict[str, list[Sample]]] = {}
            left = limit
            for kept in self._series(db, measurement, fields, machines):
                sql = f"SELECT time, value FROM samples WHERE {IN_RANGE} ORDER BY time LIMIT ?"
                rows = db.execute(sql, (kept.number, start, stop, left + 1))
                samples = list(kept.samples(rows))
                left -= len(samples)
                if left < 0:
                    raise too_many_points(limit)
                if samples:
                    of_machine = found.setdefault(kept.machine or "", {})
                    earlier = of_machine.get(kept.field)
                    of_machine[kept.field] = sorted(earlier + samples) if earlier else samples
            return found

        return await self._store.read(read)

    async def windows(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        windows: Windows,
        aggregate: Aggregation,
    ) -> dict[str, dict[str, list[tuple[int, Value]]]]:
        def read(db: apsw.Connection) -> dict[str, dict[str, list[tuple[int, Value]]]]:
            groups: defaultdict[tuple[str, str], list[Kept]] = defaultdict(list)
            for kept in self._series(db, measurement, fields, machines):
                if kept.kind != "string" or aggregate.function not in NUMERIC:
                    groups[kept.machine or "", kept.field].append(kept)
            found: dict[str, dict[str, list[tuple[int, Value]]]] = {}
            for (machine, field), together in groups.items():
                if cells := list(_cells(db, together, windows, aggregate)):
                    found.setdefault(machine, {})[field] = cells
            return found

        return await self._store.read(read)

    async def last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        def read(db: apsw.Connection) -> list[Occurrence]:
            series = [(place, kept) for place, kept in self._of(db, sources, machines)]
            if machines is None:
                heads = [(occurrence, each) for each in series for occurrence in newest(db, *each, 1)]
                heads.sort(key=lambda head: _order(head[0]))
                series = [each for _, each in heads[:limit]]
            found = [occurrence for each in series for occurrence in newest(db, *each, limit)]
            found.sort(key=_order)
            if machines is None:
                return found[:limit]
            by_machine: defaultdict[str, list[Occurrence]] = defaultdict(list)
            for occurrence in found:
                by_machine[occurrence.machine or ""].append(occurrence)
            return [each for machine in sorted(by_machine) for each in by_machine[machine][:limit]]

        def newest(db: apsw.Connection, place: int, kept: Kept, most: int) -> list[Occurrence]:
            sql = f"SELECT time, value FROM samples WHERE {IN_RANGE} ORDER BY time DESC LIMIT ?"
            rows = db.execute(sql, (kept.number, start, stop, most))
            named = json.loads(kept.tags)
            tags = tuple(named.get(tag) for tag in sources[place].tags)
            return [Occurrence(time, kept.machine, place, kept.value(value), tags) for time, value in rows]

        return await self._store.read(read)

    async def counts(
        self, sources: Sequence[Source], machines: Sequence[str] | None, start: int, stop: int
    ) -> dict[str | None, int]:
        def read(db: apsw.Connection) -> dict[str | None, int]:
            series = [kept for _, kept in self._of(db, sources, machines)]
            numbers = _counts(db, [kept.number for kept in series], start, stop)
            found: defaultdict[str | None, int] = defaultdict(int)
            for kept in series:
                found[None if machines is None else kept.machine] += numbers.get(kept.number, 0)
            return {machine: n for machine, n in found.items() if n or machine is None}

        found = await self._store.read(read)
        return {None: found.get(None, 0)} if machines is None else found

    async def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> set[str | None]:
        def read(db: apsw.Connection) -> set[str | None]:
            sql = f"SELECT 1 FROM samples WHERE {IN_RANGE} AND value = ? ORDER BY time DESC LIMIT 1"
            return {
                kept.machine
                for kept in self._series(db, measurement, [field], None)
                if kept.kind == KINDS[type(value)] and db.execute(sql, (kept.number, start, stop, value)).get
            }

        return await self._store.read(read)

    def _series(
        self, db: apsw.Connection, measurement: str, fields: Sequence[str], machines: Sequence[str] | None
    ) -> list[Kept]:
        chosen, values = self._chosen(measurement, fields, machines)
        sql = f"SELECT number, machine, field, kind, tags FROM series WHERE {chosen}"
        return [Kept(*row) for row in db.execute(sql, values)]

    def _chosen(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str] | None
    ) -> tuple[str, list[str]]:
        """The condition that chooses series, and its values."""
        condition = "database = ? AND measurement = ? AND field IN (SELECT value FROM json_each(?))"
        values = [self.database, measurement, json.dumps(list(fields))]
        if machines is not None:
            condition += " AND machine IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(machines)))
        return condition, values

    def _of(
        self, db: apsw.Connection, sources: Sequence[Source], machines: Sequence[str] | None
    ) -> Iterator[tuple[int, Kept]]:
        """The series of each source, with the source's place."""
        for place, source in enumerate(sources):
            for kept in self._series(db, source.measurement, [source.field], machines):
                tags = json.loads(kept.tags) if source.where else {}
                if all(tags.get(tag) in wanted for tag, wanted in source.where):
                    yield place, kept


def _order(occurrence: Occurrence) -> tuple[int, int, bool, str]:
    machine = occurrence.machine
    return -occurrence.time, occurrence.source, machine is not None, machine or ""


def _counts(db: apsw.Connection, numbers: Sequence[int], start: int, stop: int) -> dict[int, int]:
    """By series how many samples: whole hours from the tally, the hours that are cut from the samples."""
    first, last = -(-start // HOUR), stop // HOUR
    among = f"series IN ({','.join(map(str, numbers))})"
    samples = f"SELECT series, count(*) FROM samples WHERE {among} AND time >= ? AND time < ? GROUP BY series"
    tally = f"SELECT series, sum(n) FROM tally WHERE {among} AND hour >= ? AND hour < ? GROUP BY series"
    if first >= last:
        return dict(db.execute(samples, (start, stop)))
    found: defaultdict[int, int] = defaultdict(int)
    parts = [(tally, first, last), (samples, start, first * HOUR), (samples, last * HOUR, stop)]
    for sql, low, high in parts:
        if low < high:
            for number, n in db.execute(sql, (low, high)):
                found[number] += n
    return found


def _cells(
    db: apsw.Connection, series: Sequence[Kept], windows: Windows, aggregate: Aggregation
) -> Iterator[tuple[int, Value]]:
    """The windows that hold samples of any of the series, and what these come to."""
    if windows.step is not None:
        yield from _regular(
            db, series, windows.start, windows.stop, windows.edges[0], windows.step, aggregate
        )
        return
    for number, (edge, following) in enumerate(pairwise(windows.edges)):
        start, stop = max(edge, windows.start), min(following, windows.stop)
        for _, value in _regular(db, series, start, stop, edge, following - edge, aggregate):
            yield number, value


def _regular(
    db: apsw.Connection,
    series: Sequence[Kept],
    start: int,
    stop: int,
    origin: int,
    step: int,
    asked: Aggregation,
) -> Iterator[tuple[int, Value]]:
    kind = series[0].kind
    rows = f"""SELECT (time - {origin}) / {step} AS n, time, value FROM samples
        WHERE series IN ({",".join(str(kept.number) for kept in series)}) AND time >= ? AND time < ?"""
    values: tuple[Any, ...] = (start, stop)
    whole = kind in ("integer", "boolean")
    match asked.function:
        case "mean" | "min" | "max":
            function = {"mean": "avg", "min": "min", "max": "max"}[asked.function]
            yield from db.execute(f"SELECT n, {function}(value) FROM ({rows}) GROUP BY n ORDER BY n", values)
        case "count":
            yield from db.execute(f"SELECT n, count(*) FROM ({rows}) GROUP BY n ORDER BY n", values)
        case "sum" if whole:  # in halves, because the sum may have more than 64 bits
            halves = "sum(value >> 32), sum(value & 4294967295)"
            for n, high, low in db.execute(f"SELECT n, {halves} FROM ({rows}) GROUP BY n ORDER BY n", values):
                yield n, (high << 32) + low
        case "sum":
            yield from db.execute(f"SELECT n, total(value) FROM ({rows}) GROUP BY n ORDER BY n", values)
        case "first" | "last":
            edge = "min(time)" if asked.function == "first" else "max(time)"
            sql = f"""WITH r AS MATERIALIZED ({rows}), e AS (SELECT n, {edge} AS time FROM r GROUP BY n)
                SELECT n, max(r.value) FROM e JOIN r USING (n, time) GROUP BY n ORDER BY n"""
            for n, value in db.execute(sql, values):
                yield n, series[0].value(value)
        case "stddev":
            means = f"SELECT n, value, avg(value) OVER (PARTITION BY n) AS mean FROM ({rows})"
            sql = f"""SELECT n, total((value - mean) * (value - mean)) / (count(*) - 1) FROM ({means})
                GROUP BY n HAVING count(*) > 1 ORDER BY n"""
            for n, variance in db.execute(sql, values):
                yield n, math.sqrt(variance)
        case "quantile":
            ranked = f"""SELECT n, value, row_number() OVER (PARTITION BY n ORDER BY value) AS place,
                count(*) OVER (PARTITION BY n) AS size FROM ({rows})"""
            q = asked.q or 0.0
            sql = f"SELECT n, value, place, size FROM ({ranked}) WHERE abs(place - ? * size) <= 1 ORDER BY n"
            for n, value, place, size in db.execute(sql, (*values, q)):
                if place == max(1, math.ceil(q * size)):
                    yield n, float(value)
