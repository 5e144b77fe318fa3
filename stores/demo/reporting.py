"""Writing what the demo machines report: the history that is missing, then each point as it happens."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from stores.contracts.errors import NotFound, Unavailable
from stores.contracts.points import PointWriter
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import SeriesDatabase, SeriesStore
from stores.contracts.series_queries import Aggregation, SeriesQuery, Windows
from stores.demo.plant import machines
from stores.demo.reports import ZONE, generate_day, generate_host_load, start_of_day
from stores.entities.series_layout import SeriesLayout

log = logging.getLogger(__name__)
BATCH = 5000
TICK_S = 2.0
ONE_DAY = timedelta(days=1)


class History(NamedTuple):
    """How many points were written, and the time (ns since 1970) up to which all points are stored."""

    written: int
    until: int


class ReportingPlant:
    """The demo machines, and where the points of each are stored."""

    def __init__(self, layout: SeriesLayout) -> None:
        locations = {machine: layout.find_location(organization) for organization, _, machine in machines()}
        self.databases = {machine: location.database for machine, location in locations.items()}
        self._tags = {
            machine: location.tag for machine, location in locations.items() if location.tag is not None
        }

    async def write_history(
        self, store: SeriesStore, writer: PointWriter, days: int, advance: Callable[[], object]
    ) -> History:
        """Write what the machines reported on the last days and today, as far as it is not stored yet.

        `advance` is called after each day of each machine. Raises `NotFound` and `Unavailable`.
        """
        now = time.time_ns()
        dates = [_get_local_date(now) - timedelta(back) for back in range(days, -1, -1)]
        stored = set()
        for name in set(self.databases.values()):
            machines = self._list_machines_in(name)
            # Reading from a database that does not exist is an error, and InfluxDB 3 creates it by this.
            await writer.write(
                name, [min(self._generate(machines[0], dates[-1]), key=lambda point: point.time)]
            )
            stored |= await _find_complete_days(store.database(name), machines, dates)
        written = 0
        for date_ in dates:
            for machine, database in self.databases.items():
                if (machine, date_) not in stored:
                    points = (point for point in self._generate(machine, date_) if point.time <= now)
                    written += await _write_all(writer, database, points)
                advance()
        return History(written, now)

    async def follow(self, writer: PointWriter, statistics: str, since: int) -> None:
        """Write the points after `since` as they happen, until cancelled. A store that fails is tried again.

        `statistics` is the database of the load of the server.
        """
        coming: deque[Point] = deque()
        generated = _get_local_date(since) - ONE_DAY
        errors: set[str] = set()
        statistics_errors: set[str] = set()
        while True:
            now = time.time_ns()
            while generated < _get_local_date(now):
                generated += ONE_DAY
                points = await asyncio.to_thread(self._generate_day, generated)
                coming.extend(point for point in points if point.time > since)
            due = list(takewhile(lambda point: point.time <= now, coming))  # noqa: B023 - used up here
            with _log_errors_once(errors):
                await self._write(writer, due)
                for _ in due:
                    coming.popleft()
            with _log_errors_once(statistics_errors):
                await writer.write(statistics, list(generate_host_load(now)))
            await asyncio.sleep(TICK_S)

    def _list_machines_in(self, database: str) -> list[str]:
        return [machine for machine, name in self.databases.items() if name == database]

    def _generate_day(self, date_: date) -> list[Point]:
        """The points of all machines on a local day, by time."""
        points = [point for machine in self.databases for point in self._generate(machine, date_)]
        return sorted(points, key=lambda point: point.time)

    def _generate(self, machine: str, date_: date) -> Iterator[Point]:
        """The points of a machine on a local day, with the tag of its organization where there is one."""
        if machine not in self._tags:
            return generate_day(machine, date_)
        tag = self._tags[machine]
        return (
            replace(point, tags=tuple(sorted((*point.tags, tag)))) for point in generate_day(machine, date_)
        )

    async def _write(self, writer: PointWriter, points: Sequence[Point]) -> None:
        by_database: dict[str, list[Point]] = {}
        for point in points:
            by_database.setdefault(self.databases[dict(point.tags)[MACHINE]], []).append(point)
        for database, batch in by_database.items():
            _raise_rejected(await writer.write(database, batch))


@contextmanager
def _log_errors_once(errors: set[str]) -> Iterator[None]:
    """Log a failure of the store when it begins; `errors` holds the present one."""
    try:
        yield
        errors.clear()
    except (NotFound, Unavailable) as error:
        if error.message not in errors:
            errors.add(error.message)
            log.warning("the demo plant cannot report: %s", error.message)


async def _find_complete_days(
    series: SeriesDatabase, machines: Sequence[str], dates: Sequence[date]
) -> set[tuple[str, date]]:
    """The machines and days that need not be written again.

    The last stored day of a machine may be incomplete, because it had not ended or the writing was stopped.
    """
    edges = (*map(start_of_day, dates), start_of_day(dates[-1] + ONE_DAY))
    query = SeriesQuery("state", ["execution"], machines, edges[0], edges[-1])
    windows = Windows(edges, unit="day", zone=ZONE.key)
    cells = await series.windows(query, windows, Aggregation("count"))
    return {
        (machine, dates[index])
        for machine, by_field in cells.items()
        for index, _ in by_field.get("execution", {}).get((), [])[:-1]
    }


async def _write_all(writer: PointWriter, database: str, points: Iterator[Point]) -> int:
    written = 0
    while batch := list(islice(points, BATCH)):
        _raise_rejected(await writer.write(database, batch))
        written += len(batch)
    return written


def _get_local_date(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns // SECOND, ZONE).date()


def _raise_rejected(results: list[str | None]) -> None:
    for reason in filter(None, results):
        raise ValueError(reason)
