"""Files of earlier versions, which stored the points of all organizations in one database."""

import asyncio
import time
from pathlib import Path

import pytest

from compat_rest.commands.data import check
from resolvers.machine_owners import MachineOwners
from schema.server import series_migration
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.errors import Unavailable
from stores.contracts.samples import MACHINE, Point
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents
from tests.contract.test_series_moves import make_earlier
from tests.schema.series_gateway import FOREIGN, OWN, UNASSIGNED, open_gateway


async def fill_earlier(folder: Path) -> None:
    """Devices, and points of an earlier version: of `own`, of both, and of nobody."""
    async with open_gateway(folder) as gateway:
        await gateway.add_device(OWN, "of-own")
        for organization in (OWN, FOREIGN):
            await gateway.add_device(organization, "both")
    store = SqliteSeriesStore(folder / "series.db")
    for machine in ("of-own", "both", "nobody"):
        tags = ((MACHINE, machine),)
        await store.write("machines", [Point("state", tags, {"execution": f"of {machine}"}, time.time_ns())])
    await store.close()
    make_earlier(folder / "series.db")


async def wait_for_message(caplog: pytest.LogCaptureFixture, message: str) -> None:
    async with asyncio.timeout(60):
        while message not in caplog.text:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.01)


async def test_the_first_start_gives_points_to_the_only_organization_of_their_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await fill_earlier(tmp_path)
    await asyncio.to_thread(check, None, tmp_path)
    assert "3 machines have points of an earlier version" in capsys.readouterr().out
    async with open_gateway(tmp_path) as gateway:
        assert await gateway.execution(OWN, OWN, "of-own") == "of of-own"
        for organization in (OWN, FOREIGN):
            assert await gateway.execution(organization, organization, "both") is None
        unassigned = (await gateway.data("operator", UNASSIGNED))["unassignedMachines"]
        assert [machine["machineId"] for machine in unassigned] == ["both", "nobody"]
        await gateway.add_device(FOREIGN, "nobody")
        await wait_for_message(caplog, "rollups of earlier points: all 3 series are done")
    messages = [record.getMessage() for record in caplog.records]
    assert "series of earlier versions: 3 of 3 machines are done" in messages
    assert any(message.startswith("the series of 1 machines were given") for message in messages)
    async with open_gateway(tmp_path) as gateway:
        assert await gateway.execution(FOREIGN, FOREIGN, "nobody") is None
    await asyncio.to_thread(check, None, tmp_path)
    printed = capsys.readouterr().out
    assert "No damage found" in printed
    assert "2 machines have points that belong to no organization: both, nobody." in printed


async def test_a_start_without_the_document_store_goes_on_once_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_earlier(tmp_path)
    monkeypatch.setattr(series_migration, "RETRY_S", 0)
    store = SqliteSeriesStore(tmp_path / "series.db")
    documents = open_documents(None, data=tmp_path)
    owners = MachineOwners(documents)
    failures = [Unavailable("down"), Unavailable("down")]
    find = owners.find

    async def find_later(machine_ids: list[str]) -> object:
        if failures:
            raise failures.pop()
        return await find(machine_ids)

    monkeypatch.setattr(owners, "find", find_later)
    layout = SeriesLayout()
    assert not await series_migration.try_to_migrate(store, layout, owners)
    await series_migration.migrate_later(store, layout, owners)
    assert await store.list_machines(layout.find_location(OWN).database, limit=9) == ["of-own"]
    assert await store.list_machines("machines", limit=9) == ["both", "nobody"]
    await documents.close()
    await store.close()
