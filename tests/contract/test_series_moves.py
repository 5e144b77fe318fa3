"""Points of machines are moved between databases of the embedded file: whole, once, also after a crash."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import apsw
import pytest

from stores.backends.sqlite.series import SqliteSeriesStore
from stores.backends.sqlite.series_schema import FORMAT, SCHEMA
from stores.contracts.samples import END_OF_TIME, MACHINE, Point, Value
from stores.contracts.series_queries import SeriesQuery, Source, SourceQuery
from stores.entities.series_layout import SeriesLayout
from stores.jobs import series_assignment
from stores.jobs.series_assignment import assign_earlier_machines

LAYOUT = SeriesLayout()
ACME, NORD = (LAYOUT.find_location(name).database for name in ("acme", "nord"))
OWNERS = {"M1": frozenset({"acme"}), "M2": frozenset({"nord"}), "both": frozenset({"acme", "nord"})}
# Kills its own process after the first batch.
INTERRUPTED = """
import asyncio, os, signal, sys
from pathlib import Path
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.jobs import series_assignment
from tests.contract.test_series_moves import LAYOUT, find_owners
series_assignment.BATCH = 1
def die(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
store = SqliteSeriesStore(Path(sys.argv[1]))
asyncio.run(series_assignment.assign_earlier_machines(store, LAYOUT, find_owners, die))
"""


async def find_owners(machine_ids: Collection[str]) -> dict[str, frozenset[str]]:
    return {id_: OWNERS.get(id_, frozenset()) for id_ in machine_ids}


def point(machine: str, time: int, value: Value = 1, **tags: str) -> Point:
    return Point("state", tuple(sorted({**tags, MACHINE: machine}.items())), {"a": value}, time)


def make_earlier(path: Path) -> None:
    """Turn a file into one as versions without databases of organizations have made it."""
    earlier = path.with_name("earlier.db")
    db = apsw.Connection(str(earlier))
    db.execute(f"{SCHEMA} PRAGMA user_version = 1; PRAGMA application_id = {FORMAT.application_id}")
    db.execute("ATTACH ? AS newer", (str(path),))
    for table in ("series", "samples"):
        columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
        db.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
    db.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    earlier.replace(path)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSeriesStore]:
    store = SqliteSeriesStore(tmp_path / "series.db")
    yield store
    await store.close()


async def read(store: SqliteSeriesStore, database: str) -> dict[str, list[tuple[int, Value]]]:
    """The samples by machine; their number is what the store counts without reading them."""
    machines = await store.list_machines(database, limit=100)
    series = store.database(database)
    stored = await series.points(SeriesQuery("state", ["a"], machines), 1000)
    counts = await series.counts(SourceQuery([Source("state", "a")], machines, -END_OF_TIME, END_OF_TIME))
    samples = {
        machine: sorted(tuple(sample) for samples in by_field["a"].values() for sample in samples)
        for machine, by_field in stored.items()
    }
    assert counts == {machine: len(of_machine) for machine, of_machine in samples.items()}
    return samples  # type: ignore[return-value]  # pairs


async def test_points_are_moved_and_written_to_their_new_series_afterwards(store: SqliteSeriesStore) -> None:
    await store.write("machines", [point("M1", 1), point("M1", 2, spindle="2"), point("M2", 3)])
    report = await store.move_machines("machines", {"M1": ACME})
    assert report == (2, {})
    assert await read(store, ACME) == {"M1": [(1, 1), (2, 1)]}
    # The numbers of the moved series were cached for writing.
    await store.write("machines", [point("M1", 4)])
    await store.write(ACME, [point("M1", 5)])
    assert await read(store, "machines") == {"M1": [(4, 1)], "M2": [(3, 1)]}
    assert await read(store, ACME) == {"M1": [(1, 1), (2, 1), (5, 1)]}


async def test_points_of_a_series_that_is_there_are_merged(store: SqliteSeriesStore) -> None:
    await store.write("machines", [point("M1", 1, 10), point("M1", 2, 20)])
    await store.write(ACME, [point("M1", 2, 99), point("M1", 3, 30)])
    await store.move_machines("machines", {"M1": ACME, "unknown": NORD})
    assert await read(store, ACME) == {"M1": [(1, 10), (2, 99), (3, 30)]}
    assert await store.list_machines("machines", limit=9) == []
    assert (await store.move_machines("machines", {"M1": ACME})).moved == 0


async def test_a_machine_with_values_of_another_kind_stays_where_it_is(store: SqliteSeriesStore) -> None:
    other = Point("state", ((MACHINE, "M1"),), {"b": 1}, 1)
    await store.write("machines", [point("M1", 1, "text"), other, point("M2", 1, "text")])
    await store.write(ACME, [point("M9", 1, 1.5)])
    report = await store.move_machines("machines", {"M1": ACME, "M2": NORD})
    assert report == (1, {"M1": "state.a is string, and float in the organization"})
    assert await read(store, "machines") == {"M1": [(1, "text")]}
    assert await read(store, NORD) == {"M2": [(1, "text")]}
    counts = await store.database("machines").counts(SourceQuery([Source("state", "b")], ["M1"]))
    assert counts == {"M1": 1}


async def test_machines_of_an_earlier_file_go_to_the_only_organization_that_has_them(
    store: SqliteSeriesStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_assignment, "BATCH", 2)
    await store.write("elsewhere", [point("M1", 7)])
    await store.write("machines", [point(name, 1) for name in ("M1", "M2", "both", "nobody")])
    await store.close()
    make_earlier(tmp_path / "series.db")
    earlier = SqliteSeriesStore(tmp_path / "series.db")
    progress: list[tuple[int, int]] = []
    report = await assign_earlier_machines(
        earlier, LAYOUT, find_owners, lambda *reported: progress.append(reported)
    )
    assert (report.assigned, report.unassigned) == (2, 2)
    assert progress[-1] == (4, 4)
    assert await read(earlier, ACME) == {"M1": [(1, 1)]}
    assert await read(earlier, NORD) == {"M2": [(1, 1)]}
    assert await read(earlier, "machines") == {"both": [(1, 1)], "nobody": [(1, 1)]}
    assert await read(earlier, "elsewhere") == {"M1": [(7, 1)]}

    # It is settled: who registers a machine afterwards gets none of its earlier points.
    monkeypatch.setitem(OWNERS, "nobody", frozenset({"acme"}))
    report = await assign_earlier_machines(earlier, LAYOUT, find_owners, lambda *reported: None)
    assert (report.assigned, report.unassigned) == (0, 0)
    assert await read(earlier, ACME) == {"M1": [(1, 1)]}
    await earlier.close()


async def test_a_migration_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    store = SqliteSeriesStore(path)
    for machine in ("M1", "M2", "both"):
        await store.write("machines", [point(machine, time) for time in range(100)])
    await store.close()
    make_earlier(path)
    command = [sys.executable, "-c", INTERRUPTED, str(path)]
    killed = await asyncio.to_thread(subprocess.run, command, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    again = SqliteSeriesStore(path)
    assert (await again.list_earlier_machines(9))[1] == 2
    report = await assign_earlier_machines(again, LAYOUT, find_owners, lambda *reported: None)
    assert (report.assigned, report.unassigned) == (1, 1)
    samples = [(time, 1) for time in range(100)]
    assert await read(again, ACME) == {"M1": samples}
    assert await read(again, NORD) == {"M2": samples}
    assert await read(again, "machines") == {"both": samples}
    await again.close()
