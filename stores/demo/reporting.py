"""Writing what the demo machines report: the history that is missing, then each point as it happens."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from stores.contracts.errors import NotFound, Unavailable
from stores.contracts.points import PointWriter
from stores.contracts.series import SECOND, Aggregation, Point, SeriesDatabase, SeriesQuery, Windows
from stores.demo.plant import machines
from stores.demo.reports import ZONE, generate_day, generate_host_load, start_of_day

log = logging.getLogger(__name__)
BATCH = 5000
TICK_S = 2.0
ONE_DAY = timedelta(days=1)


class History(NamedTuple):
    """How many points were written, and the time (ns since 1970) up to which all points are stored."""

    written: int
    until: int


async def write_history(
    series: SeriesDatabase, writer: PointWriter, days: int, advance: Callable[[], object]
) -> History:
    """Write what the machines reported on the last days and today, as far as it is not stored yet.

    `advance` is called after each day of each machine. Raises `NotFound` and `Unavailable`.
    """
    now = time.time_ns()
    today = _local_date(now)
    dates = [today - timedelta(back) for back in range(days, -1, -1)]
    stored = await _find_complete_days(series, dates)
    written = 0
    for date_ in dates:
        for machine in _machine_ids():
            if (machine, date_) not in stored:
                points = (point for point in generate_day(machine, date_) if point.time <= now)
                written += await _write_all(writer, series.database, points)
            advance()
    return History(written, now)


async def follow(writer: PointWriter, database: str, statistics: str, since: int) -> None:
    """Write the points after `since` as they happen, until cancelled. A store that fails is tried again.

    `statistics` is the database of the load of the server.
    """
    coming: deque[Point] = deque()
    generated = _local_date(since) - ONE_DAY
    has_statistics = True
    while True:
        now = time.time_ns()
        while generated < _local_date(now):
            generated += ONE_DAY
            coming.extend(point for point in _generate_plant_day(generated) if point.time > since)
        due = _take_until(coming, now)
        try:
            _raise_rejected(await writer.write(database, due))
            for _ in due:
                coming.popleft()
            if has_statistics:
                await writer.write(statistics, list(generate_host_load(now)))
        except NotFound as error:
            has_statistics = False
            log.warning("the load of the demo server is not written: %s", error.message)
        except Unavailable as error:
            log.warning("the demo machines cannot report: %s", error.message)
        await asyncio.sleep(TICK_S)


async def _find_complete_days(series: SeriesDatabase, dates: Sequence[date]) -> set[tuple[str, date]]:
    """The machines and days that need not be written again.

    The last stored day of a machine may be incomplete, because it had not ended or the writing was stopped.
    """
    edges = (*map(start_of_day, dates), start_of_day(dates[-1] + ONE_DAY))
    query = SeriesQuery("state", ["execution"], _machine_ids(), edges[0], edges[-1])
    windows = Windows(edges, unit="day", zone=ZONE.key)
    cells = await series.windows(query, windows, Aggregation("count"))
    return {
        (machine, dates[index])
        for machine, by_field in cells.items()
        for index, _ in by_field.get("execution", [])[:-1]
    }


async def _write_all(writer: PointWriter, database: str, points: Iterator[Point]) -> int:
    written = 0
    while batch := list(islice(points, BATCH)):
        _raise_rejected(await writer.write(database, batch))
        written += len(batch)
    return written


def _take_until(points: Iterable[Point], time_ns: int) -> list[Point]:
    return list(takewhile(lambda point: point.time <= time_ns, points))


def _generate_plant_day(date_: date) -> list[Point]:
    """The points of all machines on a local day, by time."""
    points = [point for machine in _machine_ids() for point in generate_day(machine, date_)]
    return sorted(points, key=lambda point: point.time)


def _machine_ids() -> list[str]:
    return [machine for _, _, machine in machines()]


def _local_date(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns // SECOND, ZONE).date()


def _raise_rejected(results: list[str | None]) -> None:
    for reason in filter(None, results):
        raise ValueError(reason)
