"""Shift plans and time zones of applications: set in the graph, unknown to old routes, copied and backed up."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores import embedded
from stores.contracts.document_store import DocumentStore
from stores.jobs.copying import copy_stores
from stores.opening import open_documents
from tests.compat_rest.conftest import CNC, ORGANIZATION

BACKENDS = pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
SET = """mutation($shifts: [ShiftInput!]!, $seen: DateTime) { setShiftPlan(input: {organizationId: "acme",
  applicationId: "cnc", shifts: $shifts, ifUpdatedAt: $seen}) { application { ...Plan } } }
  fragment Plan on Application { timeZone shiftPlan { updatedAt shifts { name start end days breaks { start end } } } }"""
SET_ZONE = """mutation($zone: String) { updateApplication(input: {organizationId: "acme",
  applicationId: "cnc", timeZone: $zone}) { application { timeZone } } }"""
READ = """{ application(organizationId: "acme", applicationId: "cnc") {
  timeZone shiftPlan { shifts { name start end days breaks { start end } } } } }"""
EARLY = {
    "name": "Early",
    "start": "06:00",
    "end": "14:00",
    "days": ["MONDAY", "SUNDAY"],
    "breaks": [{"start": "10:00", "end": "10:30"}],
}
NIGHT = {"name": "Night", "start": "22:00", "end": "06:00"}
PAUSE = {"start": "10:00", "end": "10:15"}


async def ask(client: httpx.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (
        await client.post("/graphql", json={"query": query, "variables": variables})
    ).json()
    return answer


async def read(client: httpx.AsyncClient) -> Any:
    return (await ask(client, READ))["data"]["application"]


@BACKENDS
async def test_old_routes_neither_show_nor_erase_a_plan(plant: httpx.AsyncClient) -> None:
    await ask(plant, SET_ZONE, zone="Europe/Madrid")
    urls = (
        CNC,
        f"{ORGANIZATION}/config",
        f"{CNC}/properties",
        "/api/applications/acme/applications/cnc/config",
    )
    before = [(await plant.get(url)).text for url in urls]
    [listed] = (await plant.get(f"{ORGANIZATION}/applications")).json()
    answer = await ask(plant, SET, shifts=[EARLY, NIGHT])
    plan = answer["data"]["setShiftPlan"]["application"]["shiftPlan"]
    assert [(await plant.get(url)).text for url in urls] == before
    assert (await plant.get(f"{ORGANIZATION}/applications")).json() == [listed]
    assert "Madrid" not in str([*before, listed])
    assert (
        await plant.put(CNC, json={"name": "Other", "description": "d", "status": "s"})
    ).status_code == 200
    await plant.put(ORGANIZATION, json={"name": "Renamed"})
    every_day = [*("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")]
    shifts = [EARLY, {**NIGHT, "days": every_day, "breaks": []}]
    assert await read(plant) == {"timeZone": "Europe/Madrid", "shiftPlan": {"shifts": shifts}}
    stale = await ask(plant, SET, shifts=[NIGHT], seen="2026-01-01T00:00:00Z")
    assert stale["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert plan["shifts"] == shifts
    replaced = await ask(plant, SET, shifts=[NIGHT], seen=plan["updatedAt"])
    new_plan = replaced["data"]["setShiftPlan"]["application"]["shiftPlan"]
    assert ([shift["name"] for shift in new_plan["shifts"]], new_plan["updatedAt"] > plan["updatedAt"]) == (
        ["Night"],
        True,
    )
    await plant.delete(CNC)
    await plant.post(f"{ORGANIZATION}/applications", json={"applicationId": "cnc", "name": "CNC"})
    assert await read(plant) == {"timeZone": None, "shiftPlan": None}


@BACKENDS
async def test_a_plan_that_is_not_valid_changes_nothing(plant: httpx.AsyncClient) -> None:
    await ask(plant, SET, shifts=[EARLY])
    before = await read(plant)
    for shifts, field, words in (
        ([EARLY, {**NIGHT, "start": "13:30", "end": "15:00"}], "shifts.1", "Early (on Monday) and Night overlap"),
        ([{**NIGHT, "days": ["SUNDAY"]}, {**EARLY, "start": "05:30"}], "shifts.1", "(on Sunday) and Early"),
        ([{**EARLY, "breaks": [PAUSE, {"start": "10:10", "end": "10:20"}]}], "shifts.0.breaks.1", "overlap"),
        ([{**EARLY, "breaks": [{"start": "13:50", "end": "14:10"}]}], "shifts.0.breaks.0", "not inside"),
        ([{**EARLY, "breaks": [{"start": "05:50", "end": "06:10"}]}], "shifts.0.breaks.0", "not inside"),
        ([{**EARLY, "breaks": [{"start": "10:00", "end": "10:00"}]}], "shifts.0.breaks.0", "end after"),
        ([{**EARLY, "start": "24:00"}], "shifts.0.start", "local time"),
        ([{**EARLY, "end": "6:00"}], "shifts.0.end", "local time"),
        ([{**EARLY, "name": " "}], "shifts.0.name", "required"),
        ([{**EARLY, "days": []}], "shifts.0.days", "needs a day"),
        ([{**EARLY, "breaks": [PAUSE] * 7}], "shifts.0.breaks", "at most 6"),
        ([EARLY] * 13, "shifts", "at most 12"),
        ([{**EARLY, "days": ["FUNDAY"]}], None, "FUNDAY"),
    ):  # fmt: skip
        [error] = (await ask(plant, SET, shifts=shifts))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", error
        assert words in error["message"]
        assert field is None or error["extensions"]["fields"] == [field]
    [error] = (await ask(plant, SET_ZONE, zone="Mars/Base"))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["fields"]) == ("BAD_USER_INPUT", ["timeZone"])
    assert await read(plant) == before
    for zone in ("Asia/Tokyo", None):
        changed = await ask(plant, SET_ZONE, zone=zone)
        assert changed["data"]["updateApplication"]["application"] == {"timeZone": zone}
    removed = await ask(plant, SET, shifts=[])
    assert removed["data"]["setShiftPlan"]["application"] == {"timeZone": None, "shiftPlan": None}


@BACKENDS
async def test_a_plan_is_copied_and_backed_up(
    plant: httpx.AsyncClient, documents: DocumentStore, tmp_path: Path
) -> None:
    await ask(plant, SET_ZONE, zone="Europe/Madrid")
    await ask(plant, SET, shifts=[EARLY])
    copied, restored, backup = tmp_path / "copied", tmp_path / "restored", tmp_path / "backup"
    target = open_documents(None, data=copied)
    report = await copy_stores(documents, target, lambda *_: None)
    assert report.differences == []
    await target.close()
    embedded.open_cipher([], None, data=copied, embedded=True)
    embedded.make_backup(copied, None, None, backup, lambda *_: None)
    embedded.restore(restored, None, None, backup, lambda *_: None)
    store = open_documents(None, data=restored)
    app = create_app(Settings(data=restored), documents=store)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert await read(client) == await read(plant) == {
            "timeZone": "Europe/Madrid", "shiftPlan": {"shifts": [EARLY]}
        }  # fmt: skip
    await store.close()
