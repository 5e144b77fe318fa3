"""The states of machines over time, on every time-series store."""

import time
from pathlib import Path

import pytest

from tests.schema.machines import HOUR, MINUTE, iso, put
from tests.schema.series_gateway import OWN, open_gateway
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]

STATES = """query($o: String!) { device(organizationId: $o, applicationId: "cnc", machineId: "M0") {
  states(range: {from: "%s"}, every: {duration: "PT1H"}) {
    start stop
    power { value start end carriedIn }
    durations { value duration seconds share entries }
    windows { start complete states { value seconds entries } } } } }"""


async def test_states_are_computed_from_changes(stored_gateway: StoredGateway) -> None:
    """Heartbeats are not read: each window has seconds, and the state at its start is carried in."""
    start = time.time_ns() // HOUR * HOUR - 3 * HOUR
    states = {-2 * HOUR: "ACTIVE", 30 * MINUTE: "READY", 90 * MINUTE: "ACTIVE", 100 * MINUTE: "READY"}
    points = []
    for at in range(-2 * HOUR, 3 * HOUR, MINUTE):
        value = states[max(time for time in states if time <= at)]
        points.append(put("state", "M0", start + at, power=True, execution=value))
    points.append(put("state", "M0", time.time_ns() + 2 * MINUTE, execution="OFF"))  # its clock runs ahead
    await stored_gateway.put(*points)
    body = {"query": STATES % iso(start), "variables": {"o": OWN}, "extensions": {"cost": True}}
    response = await stored_gateway.gateway.http.post("/graphql", json=body, headers={"X-API-Key": OWN})
    answer = response.json()
    timeline = answer["data"]["device"]["states"]
    assert [(span["value"], span["carriedIn"]) for span in timeline["power"]] == [(True, True)]
    assert timeline["power"][0]["end"] == timeline["stop"]
    ready, active = timeline["durations"]
    assert (ready["value"], ready["entries"], active["value"], active["entries"]) == ("READY", 2, "ACTIVE", 1)
    assert active["seconds"] == 40 * 60
    assert active["duration"] == "PT40M"
    assert ready["share"] + active["share"] == pytest.approx(1)
    windows = [
        [(total["value"], total["seconds"], total["entries"]) for total in window["states"]]
        for window in timeline["windows"][:3]
    ]
    assert windows == [
        [("ACTIVE", 1800, 0), ("READY", 1800, 1)],
        [("READY", 3000, 1), ("ACTIVE", 600, 1)],
        [("READY", 3600, 0)],
    ]
    assert [window["complete"] for window in timeline["windows"]] == [True, True, True, False]
    # Of 360 samples: the first of the range and three changes, the first power, and the one before of each.
    cost = answer["extensions"]["cost"]["actual"]
    assert cost["points"] == 4 + 1 + 2


async def test_nothing_is_known_of_a_range_that_has_not_begun(stored_gateway: StoredGateway) -> None:
    now = time.time_ns()
    await stored_gateway.put(
        put("state", "M0", now - HOUR, execution="ACTIVE"),
        put("events", "M0", now - HOUR, {"event_class": "ALARM", "event_id": "a"}, event_value="HOT"),
    )
    at, window = now + 24 * HOUR, {"complete": False}
    start = f"{iso(at)[:19]}.000Z"
    later = f'range: {{from: "{start}", to: "{iso(at + 24 * HOUR)}"}}'
    every = 'every: {duration: "P1D"}'
    device = await stored_gateway.read(
        f"""states({later}, {every}) {{ start stop durations {{ value }} execution {{ value }}
              windows {{ complete states {{ value }} }} }}
            performance({later}, {every}, pieces: {{measurement: "c", field: "n"}}) {{
              end plannedSeconds availability oee windows {{ complete plannedSeconds }} }}
            alarms({later}) {{ totalCount }} alarmSummary({later}, by: VALUE) {{ value }}"""
    )
    empty = {"plannedSeconds": 0, "availability": None, "oee": None}
    assert device == {
        "states": {
            "start": start, "stop": start, "durations": [], "execution": [],
            "windows": [window | {"states": []}] * 2,
        },
        "performance": empty | {"end": start, "windows": [window | {"plannedSeconds": 0}] * 2},
        "alarms": {"totalCount": 0},
        "alarmSummary": [],
    }  # fmt: skip


async def test_the_limit_of_states_counts_changes(tmp_path: Path) -> None:
    query = STATES % iso(time.time_ns() // HOUR * HOUR - HOUR)
    async with open_gateway(tmp_path, max_points=3) as gateway:
        await gateway.add_device(OWN, "M0")
        for execution in ("A", "A", "A", "B"):
            assert await gateway.write(OWN, "M0", execution) == 204
        assert len((await gateway.data(OWN, query, o=OWN))["device"]["states"]["durations"]) == 2
        assert await gateway.write(OWN, "M0", "C") == 204
        [error] = (await gateway.ask(OWN, query, o=OWN))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", "points")
    assert "changes" in error["message"]
    assert "request a shorter" in error["message"]
