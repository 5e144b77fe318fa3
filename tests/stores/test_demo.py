"""The demo plant's reports: written once, into every kind of store, and continued as they happen."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from schema.server import opening
from schema.server.settings import Settings
from stores.contracts.errors import NotFound, Unavailable
from stores.contracts.samples import Point
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import SeriesQuery
from stores.demo import reporting
from stores.demo.plant import machines
from stores.demo.reports import generate_day, start_of_day
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_series
from tests.contract.series_stores import make_bucket
from tests.servers import InfluxDB2

MINUTE = 60 * 10**9
ALL_IN_ONE = SeriesLayout(has_own_databases=False)
PLANT = reporting.ReportingPlant(ALL_IN_ONE)
NAMES = [machine for _, _, machine in machines()]


class RecordingWriter:
    """Records the points by database; each write first raises the next of `failures`, if there is one."""

    def __init__(
        self, store: WritableSeriesStore | None = None, failures: Sequence[Exception | None] = ()
    ) -> None:
        self.points: dict[str, list[Point]] = {}
        self.writes = asyncio.Condition()
        self._store = store
        self._failures = list(failures)

    async def write(self, database: str, points: Sequence[Point]) -> list[str | None]:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.points.setdefault(database, []).extend(points)
        async with self.writes:
            self.writes.notify_all()
        return await self._store.write(database, points) if self._store else [None] * len(points)

    async def close(self) -> None: ...


async def write_history(store: WritableSeriesStore, days: int) -> list[Point]:
    writer = RecordingWriter(store)
    await PLANT.write_history(store, writer, days, lambda: None)
    return writer.points.get("machines", [])


@pytest.mark.slow
async def test_a_second_run_writes_the_current_day_only(tmp_path: Path) -> None:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    first = await write_history(store, days=2)
    again = await write_history(store, days=2)
    today = start_of_day(reporting._get_local_date(time.time_ns()))
    assert min(point.time for point in first) == today - 2 * 24 * 60 * MINUTE
    assert {point.time >= today for point in again} <= {True}
    longer = await write_history(store, days=3)
    earlier = [point for point in longer if point.time < today]
    assert {reporting._get_local_date(point.time) for point in earlier} == {
        reporting._get_local_date(today) - timedelta(3)
    }
    await store.close()


@pytest.mark.slow
async def test_an_interrupted_run_is_completed(tmp_path: Path) -> None:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    writer = RecordingWriter(store, [None] * 60 + [Unavailable("interrupted")])
    with pytest.raises(Unavailable):
        await PLANT.write_history(store, writer, 2, lambda: None)
    await write_history(store, days=2)
    today = reporting._get_local_date(time.time_ns())
    query = SeriesQuery("state", ["execution"], NAMES, 0, start_of_day(today))
    stored = await store.database("machines").points(query, 10**6)
    for machine in NAMES:
        expected = {
            point.time
            for back in (2, 1)
            for point in generate_day(machine, today - timedelta(back))
            if point.measurement == "state"
        }
        assert {sample.time for sample in stored[machine]["execution"][()]} == expected
    await store.close()


@pytest.mark.slow
async def test_the_machines_keep_reporting_without_a_gap(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reporting, "TICK_S", 0)
    now = time.time_ns()
    since = now - 26 * 60 * MINUTE  # yesterday and today
    # Points and the load of the server are written in turn.
    down, no_bucket = Unavailable("down"), NotFound("no bucket")
    writer = RecordingWriter(failures=[down, no_bucket, down, no_bucket, down, no_bucket])
    following = asyncio.create_task(PLANT.follow(writer, "statistics", since))
    async with writer.writes:
        await asyncio.wait_for(writer.writes.wait_for(lambda: "statistics" in writer.points), 30)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    dates = {reporting._get_local_date(since + hours * 60 * MINUTE) for hours in range(27)}
    expected_points = [
        point
        for machine in NAMES
        for date_ in dates
        for point in generate_day(machine, date_)
        if since < point.time
    ]
    written = Counter(map(repr, writer.points["machines"]))
    assert (
        Counter(repr(point) for point in expected_points if point.time <= now)
        <= written
        <= Counter(map(repr, expected_points))
    )
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [f"the demo plant cannot report: {reason}" for reason in ("down", "no bucket")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "influxdb3", "influxdb2"])
async def test_every_kind_of_store_is_filled(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    database = f"demo{uuid.uuid4().hex[:12]}"
    prefix = "influxdb2+" if kind == "influxdb2" else ""
    series = {"database": database, "deadline": 30}
    if server is not None:
        series |= {"url": prefix + server.url, "token": server.token, "org": getattr(server, "org", "")}
    settings = Settings.model_validate({"data": tmp_path, "series": series})
    async with AsyncExitStack() as stack:
        store = opening.open_series(settings)
        stack.push_async_callback(store.close)
        writer = opening.open_point_writer(settings, store)
        stack.push_async_callback(writer.close)
        plant = reporting.ReportingPlant(SeriesLayout(database, has_own_databases=False))
        if isinstance(server, InfluxDB2):
            with pytest.raises(NotFound, match=database):
                await plant.write_history(store, writer, 0, lambda: None)
            await make_bucket(server, database)
        history = await plant.write_history(store, writer, 1, lambda: None)
        assert history.written > 1000
        reader = opening.open_series(settings)  # another one, because the first has cached the catalogue
        stack.push_async_callback(reader.close)
        query = SeriesQuery("production", ["pieces_produced", "pieces_scrapped"], NAMES)
        samples = await reader.database(database).points(query, 10**6)
    assert samples
    for by_field in samples.values():
        assert len(by_field["pieces_scrapped"]) == len(by_field["pieces_produced"])


@pytest.mark.slow
async def test_an_organization_reports_to_its_own_database(tmp_path: Path) -> None:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    writer = RecordingWriter(store)
    plant = reporting.ReportingPlant(SeriesLayout(databases={"alpine-robotics": "alpine"}))
    await plant.write_history(store, writer, 0, lambda: None)
    by_database = {
        name: {dict(point.tags)["machine_id"].partition("-")[0] for point in points}
        for name, points in writer.points.items()
    }
    assert by_database == {
        "alpine": {"ROBOT", "MOUNTER"},
        "organization/ferro-works": {"LATHE", "MILL", "METER", "COMPRESSOR"},
    }
    await store.close()


@pytest.mark.slow
async def test_where_organizations_share_a_database_by_tag_the_machines_write_it(tmp_path: Path) -> None:
    store = open_series(None, data=tmp_path)
    assert isinstance(store, WritableSeriesStore)
    writer = RecordingWriter(store)
    layout = SeriesLayout(has_own_databases=False, tag="tenant")
    await reporting.ReportingPlant(layout).write_history(store, writer, 0, lambda: None)
    tags = [dict(point.tags) for point in writer.points["machines"]]
    organizations = {machine: organization for organization, _, machine in machines()}
    assert {tag["tenant"] for tag in tags} == set(organizations.values())
    assert all(tag["tenant"] == organizations[tag["machine_id"]] for tag in tags)
    await store.close()


def test_one_machine_has_two_spindles_and_every_maker_counts_scrap() -> None:
    monday = reporting._get_local_date(1_767_600_000 * 10**9)  # 2026-01-05
    assert monday.weekday() == 0
    points = [point for machine in NAMES for point in generate_day(machine, monday)]
    spindles = {
        (dict(point.tags)["machine_id"], dict(point.tags)["spindle"])
        for point in points
        if "spindle" in dict(point.tags)
    }
    assert spindles == {("LATHE-09", "1"), ("LATHE-09", "2")}
    scrapped = [point.fields["pieces_scrapped"] for point in points if "pieces_scrapped" in point.fields]
    assert 0 < max(scrapped) < 30  # type: ignore[operator]  # numbers
