"""The schema of the embedded time-series file, and what one of its series looks like.

Every field of every tag set is a series, and every sample is a row with the key (series, time): the newest
sample of a series is found by a search in the primary key. See series_derived.py for the other tables.
"""

import json
import logging
from array import array
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

from stores.backends.sqlite.connection import FileFormat
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Kind, Sample, SampleColumns, Tags, Value

log = logging.getLogger(__name__)
HOUR = 3600 * SECOND
FIRST_HOUR = -(END_OF_TIME // HOUR)  # the first whole one of all times
CONVERT: dict[Kind, Callable[[Any], Value]] = {"boolean": bool, "unsigned": int}
# The types of the stored values of each kind, and the SQL condition on them; other values are damaged. SQLite
# sorts numbers before strings, and strings before bytes.
TYPES: dict[str, set[type]] = {
    "integer": {int},
    "float": {int, float},
    "boolean": {int},
    "string": {str},
    "unsigned": {int, str},
}
IS_NUMBER = "value < ''"
CONDITIONS: dict[str, str] = {
    "integer": IS_NUMBER,
    "float": IS_NUMBER,
    "boolean": IS_NUMBER,
    "string": "value >= '' AND value < x''",
    "unsigned": f"({IS_NUMBER} OR (value GLOB '[0-9]*' AND value NOT GLOB '*[^0-9]*'))",
}
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
# Earlier versions stored the points of all organizations in one database. Their machines are listed until it
# is settled whose they are.
LIST_EARLIER_MACHINES = """
CREATE TABLE earlier_machines (
    database TEXT NOT NULL, machine TEXT NOT NULL, PRIMARY KEY (database, machine)) WITHOUT ROWID;
INSERT INTO earlier_machines SELECT DISTINCT database, machine FROM series WHERE machine IS NOT NULL;
"""
# Which points of the past were written late, deleted or moved: see series_rewrites.py. A repeated rewrite
# replaces its earlier row; AUTOINCREMENT, because no position may be used twice.
LOG_REWRITES = """
CREATE TABLE rewrites (
    position INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, machine TEXT NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, UNIQUE (database, machine, start, stop));
"""
# Rollups, which also count the samples, and changes: see series_derived.py.
DERIVE = f"""
DROP TABLE tally;
DROP TRIGGER counted;
DROP TRIGGER forgotten;
ALTER TABLE series ADD COLUMN rolled_until INTEGER NOT NULL DEFAULT {FIRST_HOUR};
ALTER TABLE series ADD COLUMN is_behind INTEGER NOT NULL DEFAULT 1;
ALTER TABLE series ADD COLUMN points_from INTEGER NOT NULL DEFAULT {-END_OF_TIME};
CREATE INDEX series_behind ON series (number) WHERE is_behind;
CREATE INDEX series_of_machine ON series (database, machine);
CREATE TABLE rollups (
    series INTEGER NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, sum, low, squares, min, max,
    first, last, first_time INTEGER NOT NULL, last_time INTEGER NOT NULL,
    PRIMARY KEY (series, hour)) WITHOUT ROWID;
CREATE TABLE changes (
    series INTEGER NOT NULL, time INTEGER NOT NULL, value NOT NULL, PRIMARY KEY (series, time)) WITHOUT ROWID;
"""
# Areas in rollups: see series_areas.py. The index has the rollups of earlier versions, which have none yet.
DERIVE_AREAS = """
ALTER TABLE rollups ADD COLUMN step;
ALTER TABLE rollups ADD COLUMN linear;
ALTER TABLE rollups ADD COLUMN longest;
CREATE INDEX rollups_without_areas ON rollups (series, hour) WHERE longest IS NULL;
"""
FORMAT = FileFormat(
    application_id=0x53475453,  # "SGTS"
    schema=SCHEMA,
    upgrades=(LIST_EARLIER_MACHINES, LOG_REWRITES, DERIVE, DERIVE_AREAS),
    tables=frozenset({"series", "samples"}),
    checkpoint_pages=16_000,
)


class StoredSeries(NamedTuple):
    """A row of the table `series`; `tags` is a JSON object. See series_derived.py for the last columns."""

    number: int
    machine: str | None
    field: str
    kind: Kind
    tags: str
    rolled_until: int = FIRST_HOUR
    is_behind: bool = True
    points_from: int = -END_OF_TIME

    @property
    def condition(self) -> str:
        """The SQL condition on a sample that is not damaged."""
        return CONDITIONS.get(self.kind, "false")

    def has_damaged(self, rows: Sequence[Any]) -> bool:
        """Whether one of the rows of (time, stored value) has a value that is not of the series' kind."""
        values = map(itemgetter(1), rows)
        if self.kind == "unsigned":
            return not all(type(value) is int or (type(value) is str and value.isdigit()) for value in values)
        return not set(map(type, values)) <= TYPES.get(self.kind, set())

    def value(self, stored: Any) -> Value:
        """Return a stored value with its type.

        SQLite stores booleans as integers, and unsigned integers of 64 bits as strings of 20 digits: these
        are sorted after all integers, and in their order.
        """
        return CONVERT[self.kind](stored) if self.kind in CONVERT else cast(Value, stored)

    def tag_values(self) -> dict[str, str]:
        """Return the values of the tags by name; none if the row is damaged."""
        try:
            return cast(dict[str, str], json.loads(self.tags))
        except (ValueError, TypeError):
            log.error("the tags of series %d are damaged; run `sync-gateway check`", self.number)
            return {}

    def identify(self) -> Tags:
        """Return the tags that tell the series of a machine apart."""
        return tuple(sorted(item for item in self.tag_values().items() if item[0] != MACHINE))

    def samples(self, rows: Iterable[Any]) -> Iterable[Sample]:
        """Return the samples of rows of (time, stored value)."""
        if self.kind in CONVERT:
            convert = CONVERT[self.kind]
            return (Sample(time, convert(value)) for time, value in rows)
        return map(Sample._make, rows)

    def make_columns(self, rows: Sequence[Any]) -> SampleColumns:
        """Return the same as columns, in less time."""
        times = array("q", map(itemgetter(0), rows))
        stored = map(itemgetter(1), rows)
        return SampleColumns(times, list(map(CONVERT[self.kind], stored) if self.kind in CONVERT else stored))


STORED_COLUMNS = ", ".join(StoredSeries._fields)


class SampleDamage:
    """Reports damaged samples, which are left out of results: each in the log, and how often in `count`."""

    def __init__(self) -> None:
        self.count = 0

    def report(self, series: StoredSeries) -> None:
        """Record that a result was read without the damaged samples of a series."""
        self.count += 1
        log.error(
            "damaged samples of the series %d (%s) were left out; run `sync-gateway check`",
            series.number,
            series.field,
        )
