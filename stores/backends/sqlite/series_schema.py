"""The schema of the embedded time-series file, and what one of its series looks like.

Every field of every tag set is a series, and every sample is a row with the key (series, time): the newest
sample of a series is found by a search in the primary key. Triggers count the samples of each hour.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from stores.backends.sqlite.connection import FileFormat
from stores.contracts.series import SECOND, Kind, Sample, Value

log = logging.getLogger(__name__)
HOUR = 3600 * SECOND
CONVERT: dict[Kind, Callable[[Any], Value]] = {"boolean": bool, "unsigned": int}
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
FORMAT = FileFormat(
    application_id=0x53475453,  # "SGTS"
    schema=SCHEMA,
    upgrades=(LIST_EARLIER_MACHINES,),
    tables=frozenset({"series", "samples", "tally"}),
    checkpoint_pages=4000,
)


class StoredSeries(NamedTuple):
    """A row of the table `series`; `tags` is a JSON object."""

    number: int
    machine: str | None
    field: str
    kind: Kind
    tags: str

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

    def samples(self, rows: Iterable[Any]) -> Iterable[Sample]:
        """Return the samples of rows of (time, stored value)."""
        if self.kind in CONVERT:
            convert = CONVERT[self.kind]
            return (Sample(time, convert(value)) for time, value in rows)
        return map(Sample._make, rows)
