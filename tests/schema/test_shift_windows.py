"""The time zone of an application, and ranges and windows of its shifts."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import device, put, refused, write
from tests.schema.series_gateway import OWN
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]

MADRID = ZoneInfo("Europe/Madrid")
SET_PLAN = """mutation($o: String!, $shifts: [ShiftInput!]!) {
  updateApplication(input: {organizationId: $o, applicationId: "cnc", timeZone: "Europe/Madrid"}) {
    application { timeZone } }
  setShiftPlan(input: {organizationId: $o, applicationId: "cnc", shifts: $shifts}) {
    application { shiftPlan { shifts { name } } } } }"""
SHIFTS = [
    {"name": "Early", "start": "06:00", "end": "14:00", "breaks": [{"start": "10:00", "end": "10:30"}]},
    {"name": "Night", "start": "22:00", "end": "06:00"},
]
PIECES = 'measurement: "production", field: "pieces_produced"'


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=MADRID).timestamp()) * SECOND


# Long because the same points are read in every way.
async def test_windows_are_the_shifts_of_the_application(stored_gateway: StoredGateway) -> None:
    """The night from 28 to 29 March 2026 is an hour shorter: its pieces belong to the shift of the 28th."""
    await stored_gateway.gateway.data(OWN, SET_PLAN, o=OWN, shifts=SHIFTS)
    samples = {
        "2026-03-28T21:00": 1,  # between two shifts
        "2026-03-28T22:00": 5,
        "2026-03-29T05:59": 9,
        "2026-03-29T06:00": 20,
        "2026-03-29T15:00": 50,
    }
    await stored_gateway.put(
        *(put("production", "M0", at(time), pieces_produced=n) for time, n in samples.items()),
        put("state", "M0", at("2026-03-28T23:00"), execution="ACTIVE"),
        put("production", "M0", at("2026-01-01T12:00"), piece_id="1"),
        *(put("energy", "M0", at(time), kilowatts=2.0) for time in ("2026-03-28T12:00", "2026-03-29T18:00")),
    )
    range_ = 'range: {from: "2026-03-28T20:00:00", to: "2026-03-29T16:00:00"}, every: {unit: SHIFT}'
    machine = await stored_gateway.read(
        f"""series({PIECES}, {range_}, aggregate: SUM, fill: PREVIOUS) {{
              times numbers shifts complete coverage }}
            null: series(measurement: "production", field: "piece_id", {range_}, aggregate: COUNT,
              fill: NULL) {{ numbers shifts coverage }}
            energy: series(measurement: "energy", field: "kilowatts", {range_}, aggregate: INTEGRAL) {{
              numbers shifts }}
            counter({PIECES}, {range_}) {{ increase windows {{ increase shift start end }} }}
            states({range_}) {{ windows {{ shift states {{ value seconds }} }} }}
            days: series({PIECES}, aggregate: COUNT, every: {{unit: DAY}},
              range: {{from: "2026-03-28T00:00:00", to: "2026-03-30T00:00:00"}}) {{ times numbers }}""",
    )
    assert machine["series"] == {
        "times": ["2026-03-28T21:00:00.000Z", "2026-03-29T04:00:00.000Z"],
        "numbers": [14, 20],
        "shifts": ["Night", "Early"],
        "complete": [True, True],
        "coverage": 1,
    }
    assert machine["null"] == {"numbers": [None, None], "shifts": ["Night", "Early"], "coverage": 0}
    assert machine["energy"] == {"numbers": [2 * 7, 2 * 8], "shifts": ["Night", "Early"]}
    assert machine["counter"]["increase"] == 49
    assert [(w["shift"], w["increase"]) for w in machine["counter"]["windows"]] == [
        ("Night", 8),
        ("Early", 11),
    ]
    assert machine["counter"]["windows"][0]["end"] == machine["counter"]["windows"][1]["start"]
    assert machine["states"]["windows"] == [
        {"shift": "Night", "states": [{"value": "ACTIVE", "seconds": 6 * 3600}]},  # seven hours on the clock
        {"shift": "Early", "states": [{"value": "ACTIVE", "seconds": 8 * 3600}]},
    ]
    assert machine["days"] == {
        "times": [
            "2026-03-27T23:00:00.000Z",
            "2026-03-28T23:00:00.000Z",
        ],  # midnight in the application's time zone
        "numbers": [2, 3],
    }


async def test_the_current_and_the_previous_shift_of_an_application(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = datetime.now(MADRID)
    start = now - timedelta(hours=2)
    shifts = [{"name": "All day", "start": f"{start:%H:%M}", "end": f"{start:%H:%M}"}]
    await client.run(SET_PLAN, o=plant, shifts=shifts)
    for hours, pieces in ((30, 1), (20, 2), (1, 3)):
        moment = int((now - timedelta(hours=hours)).timestamp()) * SECOND
        await write(series, [put("production", "M0", moment, pieces_produced=pieces)])
    ranges = {"current": "{current: SHIFT}", "previous": "{previous: SHIFT}",
              "moved": '{current: SHIFT, offset: "-P1D", timeZone: "Asia/Tokyo"}'}  # fmt: skip
    selection = " ".join(
        f"{name}: series({PIECES}, range: {range_}) {{ numbers }}" for name, range_ in ranges.items()
    )
    machine = await device(
        client, plant, f"{selection} events(range: {{current: SHIFT}}) {{ nodes {{ value }} }}"
    )
    assert [machine[name]["numbers"] for name in ranges] == [[3], [2], []]
    assert [event["value"] for event in machine["events"]["nodes"]] == ["3"]
    assert len(client.calls) == 2  # the device, and the application's plan for all fields


@pytest.mark.parametrize(
    "selection",
    [
        f"series({PIECES}, range: {{current: SHIFT}}) {{ count }}",
        "states(range: {previous: SHIFT}) { start }",
        f'counter({PIECES}, range: {{last: "P1D"}}, every: {{unit: SHIFT}}) {{ increase }}',
        "events(range: {current: SHIFT}) { nodes { value } }",
    ],
)
async def test_shifts_require_a_plan(client: Client, plant: str, selection: str) -> None:
    answer = await refused(client, plant, selection)
    assert (answer["code"], answer["fields"]) == ("BAD_USER_INPUT", ["shiftPlan"])
    query = """query($o: String!) { organization(organizationId: $o) { analytics {
      events(range: {current: SHIFT}) { nodes { value } } } } }"""
    assert "setShiftPlan" in (await client.fail(query, o=plant))["message"]


async def test_machines_of_several_applications_have_their_own_shifts(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """The plans of all of them are one call; a machine without a plan has an error of its own."""
    await write(series, [put("m", machine, at("2026-03-28T12:00"), f=1) for machine in ("M0", "P0")])
    await client.run(SET_PLAN, o=plant, shifts=SHIFTS)
    create = """mutation($o: String!) { createApplication(input: {organizationId: $o, applicationId: "oil",
      name: "Oil", timeZone: "Asia/Tokyo"}) { application { timeZone } }
      createDevice(input: {organizationId: $o, applicationId: "oil", machineId: "P0"}) { device { id } } }"""
    assert (await client.run(create, o=plant))["createApplication"]["application"]["timeZone"] == "Asia/Tokyo"
    query = """query($o: String!) { series(machines: [
      {organizationId: $o, applicationId: "cnc", machineId: "M0"},
      {organizationId: $o, applicationId: "oil", machineId: "P0"}], fields: [{measurement: "m", field: "f"}],
      range: {last: "P1D"}, every: {unit: %s}, aggregate: COUNT, fill: NULL) { series { times } } }"""
    answer = await client.send(query % "SHIFT", o=plant)
    assert [error["path"] for error in answer["errors"]] == [["series", 1]]
    assert answer["data"]["series"][0]["series"]["times"]
    days = await client.run(query % "DAY", o=plant)
    midnights = [entry["series"]["times"][-1][11:16] for entry in days["series"]]
    assert midnights[0] in ("22:00", "23:00")  # in Madrid, and in Tokyo
    assert midnights[1] == "15:00"
    assert len(client.calls) == 3  # the devices of two applications, and both applications
