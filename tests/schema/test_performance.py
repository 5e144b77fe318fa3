"""Availability, performance, quality and OEE, calculated by hand, on every time-series store."""

import time
from datetime import datetime
from typing import Any

import pytest

from stores.contracts.samples import SECOND, Point
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import HOUR, put, refused, write
from tests.schema.series_gateway import OWN
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]

SET_PLAN = """mutation($o: String!) {
  updateApplication(input: {organizationId: $o, applicationId: "cnc", timeZone: "Europe/Madrid"}) {
    application { timeZone } }
  setShiftPlan(input: {organizationId: $o, applicationId: "cnc", shifts: [
    {name: "Early", start: "06:00", end: "14:00", breaks: [{start: "10:00", end: "10:30"}]}
    {name: "Night", start: "22:00", end: "06:00"}]}) { application { applicationId } } }"""
PIECES = 'pieces: {measurement: "production", field: "pieces_produced"}'
ALL = f'{PIECES}, scrap: {{measurement: "production", field: "pieces_scrapped"}}, idealCycleTime: "PT1M"'
EARLY = 'range: {from: "2026-03-02T06:00:00", to: "2026-03-02T14:00:00", timeZone: "Europe/Madrid"}'
DAY = 'range: {from: "2026-03-02T06:00:00", to: "2026-03-03T06:00:00", timeZone: "Europe/Madrid"}'
FIGURES = "plannedSeconds runningSeconds pieces scrap availability performance quality oee missing"


def at(clock: str) -> int:
    return int(datetime.fromisoformat(f"2026-03-02T{clock}+01:00").timestamp()) * SECOND


def list_points() -> list[Point]:
    """A shift with a break from 10:00 to 10:30, in which the machine goes on.

    In the planned time it runs 2:45 + 0:30 + 1:30 + 1:15 hours and makes 100 + 30 + 60 + 110 pieces, of
    which 12 + 3 are scrap.
    """
    states = {
        "05:00": "READY", "06:15": "ACTIVE", "07:00": "ACTIVE", "09:00": "STOPPED", "09:30": "ACTIVE",
        "12:00": "READY", "12:30": "ACTIVE", "13:45": "STOPPED",
    }  # fmt: skip
    pieces = {"05:50": 100, "07:00": 200, "08:00": 30, "09:45": 90, "10:15": 100, "13:00": 210}
    scrap = {"05:50": 5, "09:00": 17, "13:30": 20}
    return [
        *(put("state", "M0", at(clock), execution=state) for clock, state in states.items()),
        *(put("production", "M0", at(clock), pieces_produced=count) for clock, count in pieces.items()),
        *(put("production", "M0", at(clock), pieces_scrapped=count) for clock, count in scrap.items()),
    ]


async def test_the_performance_of_a_shift(stored_gateway: StoredGateway) -> None:
    await stored_gateway.put(*list_points())
    await stored_gateway.gateway.data("own", SET_PLAN, o=OWN)
    machine = await stored_gateway.read(
        f"""performance({ALL}, {EARLY}) {{ {FIGURES} start end }}
            day: performance({ALL}, {DAY}, every: {{unit: SHIFT}}) {{
              {FIGURES} windows {{ shift complete {FIGURES} }} }}
            hours: performance({ALL}, {EARLY}, every: {{duration: "PT1H"}}) {{
              windows {{ plannedSeconds runningSeconds pieces scrap missing }} }}
            states: performance({ALL}, {EARLY}, running: ["READY", "ACTIVE"]) {{ availability }}"""
    )
    early = machine["performance"]
    assert (early.pop("start"), early.pop("end")) == ("2026-03-02T05:00:00.000Z", "2026-03-02T13:00:00.000Z")
    assert early == {
        "plannedSeconds": 27_000,
        "runningSeconds": 21_600,
        "pieces": 300,
        "scrap": 15,
        "availability": pytest.approx(0.8),
        "performance": pytest.approx(300 * 60 / 21_600),
        "quality": pytest.approx(0.95),
        "oee": pytest.approx(285 * 60 / 27_000),
        "missing": [],
    }
    first, night = machine["day"]["windows"]
    assert first == {"shift": "Early", "complete": True, **early}
    assert night == {
        **dict.fromkeys(("performance", "quality")),
        **{"shift": "Night", "complete": True, "plannedSeconds": 28_800, "runningSeconds": 0, "pieces": 0},
        **{"scrap": 0, "availability": 0, "oee": 0, "missing": ["RUNNING_TIME", "PIECES"]},
    }
    assert machine["day"]["plannedSeconds"] == 27_000 + 28_800
    assert machine["day"]["oee"] == pytest.approx(285 * 60 / 55_800)
    hours = machine["hours"]["windows"]
    assert [hour["plannedSeconds"] for hour in hours] == [3600, 3600, 3600, 3600, 1800, 3600, 3600, 3600]
    assert [hour["runningSeconds"] for hour in hours] == [2700, 3600, 3600, 1800, 1800, 3600, 1800, 2700]
    assert [hour["pieces"] for hour in hours] == [0, 100, 30, 60, 0, 0, 0, 110]
    assert [hour["scrap"] for hour in hours] == [0, 0, 0, 12, 0, 0, 0, 3]
    assert machine["states"]["availability"] == pytest.approx((21_600 + 15 * 60 + 30 * 60) / 27_000)


async def test_what_is_missing_is_null_and_named(stored_gateway: StoredGateway) -> None:
    """There is no shift plan: the whole range is planned, and the pieces of the break count."""
    await stored_gateway.put(*list_points())

    async def read(arguments: str) -> Any:
        return (await stored_gateway.read(f"performance({arguments}) {{ {FIGURES} }}"))["performance"]

    whole = await read(f"{ALL}, {EARLY}")
    assert (whole["plannedSeconds"], whole["runningSeconds"], whole["pieces"]) == (28_800, 23_400, 310)
    assert whole["oee"] == pytest.approx(295 * 60 / 28_800)
    only_pieces = await read(f"{PIECES}, {EARLY}")
    assert only_pieces["missing"] == ["IDEAL_CYCLE_TIME", "SCRAP"]
    assert [only_pieces[name] for name in ("availability", "performance", "quality", "oee", "scrap")] == [
        pytest.approx(23_400 / 28_800), None, None, None, None
    ]  # fmt: skip
    unknown = await read(f'pieces: {{measurement: "x", field: "y"}}, idealCycleTime: "PT1S", {EARLY}')
    assert unknown["missing"] == ["PIECES", "SCRAP"]
    assert (unknown["pieces"], unknown["performance"]) == (None, None)
    before = 'range: {from: "2026-03-02T00:00:00Z", to: "2026-03-02T01:00:00Z"}'
    nothing = await read(f"{ALL}, {before}")
    assert nothing["missing"] == ["EXECUTION", "PIECES", "SCRAP"]
    assert nothing["plannedSeconds"] == 3600
    await stored_gateway.gateway.data("own", SET_PLAN, o=OWN)
    afternoon = 'range: {from: "2026-03-02T15:00:00Z", to: "2026-03-02T16:00:00Z"}'
    free = await read(f"{ALL}, {afternoon}")
    assert free["missing"] == ["PLANNED_TIME", "RUNNING_TIME", "PIECES"]
    assert (free["plannedSeconds"], free["availability"], free["oee"]) == (0, None, None)
    future = await read(f'{PIECES}, range: {{from: "2199-01-01T00:00:00Z", to: "2199-01-02T00:00:00Z"}}')
    assert (future["plannedSeconds"], future["missing"][0]) == (0, "PLANNED_TIME")


async def test_a_machine_with_spindles_runs_while_one_of_them_runs(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    for spindle, start, end in (("1", "06:00", "09:00"), ("2", "08:00", "10:00")):
        tags = {"spindle": spindle}
        await write(series, [put("state", "M0", at(start), tags, execution="ACTIVE")])
        await write(series, [put("state", "M0", at(end), tags, execution="READY")])
        for clock, count in ((start, 0), (end, 7)):
            await write(series, [put("production", "M0", at(clock), tags, pieces_produced=count)])
    query = f"""query($o: String!) {{ device(organizationId: $o, applicationId: "cnc", machineId: "M0") {{
      performance({PIECES}, {EARLY}) {{ runningSeconds pieces }} }} }}"""
    figures = (await client.run(query, o=plant))["device"]["performance"]
    assert figures == {"runningSeconds": 4 * 3600, "pieces": 14}


async def test_all_machines_are_two_calls_for_each_measurement(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """Also with a shift plan, and up to now: what is planned later is not missed yet."""
    now = time.time_ns()
    for name in ("M0", "M1", "M2"):
        points = [put("state", name, now - HOUR, execution="ACTIVE")]
        counts = [put("production", name, now - n * HOUR // 4, pieces_produced=9 - n) for n in range(4)]
        await write(series, [*points, *counts, put("production", name, now - HOUR // 2, pieces_scrapped=1)])
    query = f"""query($o: String!) {{ application(organizationId: $o, applicationId: "cnc") {{ devices {{
      nodes {{
      states(range: {{last: "PT2H"}}) {{ start }}
      performance({ALL}, range: {{last: "PT2H"}}, every: {{unit: HOUR}}) {{
        runningSeconds plannedSeconds pieces windows {{ complete }} }} }} }} }} }}"""
    devices = (await client.run(query, o=plant))["application"]["devices"]["nodes"]
    calls = sorted(call.split()[0] for call in client.series_calls)
    assert calls == ["changes", "changes", "neighbours", "neighbours"]  # those of `states` are the same
    for device in devices:
        figures = device["performance"]
        assert (figures["pieces"], figures["plannedSeconds"]) == (3, pytest.approx(7200))
        assert figures["runningSeconds"] == pytest.approx(3600, abs=60)
        assert figures["windows"][-1] == {"complete": False}
    await client.run(SET_PLAN, o=plant)
    await client.run(query, o=plant)
    assert (len(client.calls), len(client.series_calls)) == (2, 4)


async def test_arguments_of_a_performance(client: Client, plant: str) -> None:
    for arguments in (
        f'{PIECES}, idealCycleTime: "PT0S", {EARLY}',
        f"{PIECES}, range: {{current: SHIFT}}",
        f"{PIECES}, {EARLY}, every: {{unit: SHIFT}}",
    ):
        answer = await refused(client, plant, f"performance({arguments}) {{ oee }}")
        assert answer["code"] == "BAD_USER_INPUT"


async def test_pieces_and_scrap_are_not_strings(stored_gateway: StoredGateway) -> None:
    await stored_gateway.put(put("production", "M0", at("07:00"), piece_id="P-1", pieces_produced=3))
    strings = '{measurement: "production", field: "piece_id"}'
    for argument, fields in (("pieces", f"pieces: {strings}"), ("scrap", f"{PIECES}, scrap: {strings}")):
        query = f"""{{ device(organizationId: "{OWN}", applicationId: "cnc", machineId: "M0") {{
          performance({fields}, {EARLY}) {{ oee }} }} }}"""
        answer = await stored_gateway.gateway.ask(OWN, query)
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": [argument]}
