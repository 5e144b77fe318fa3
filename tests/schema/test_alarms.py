"""Alarms of machines and of all devices, on every time-series store."""

import time
from pathlib import Path
from typing import Any

from stores.contracts.samples import Point
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import HOUR, MINUTE, iso, put, write
from tests.schema.series_gateway import OWN, open_gateway
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]

NOW = time.time_ns()
START = (NOW - 2 * HOUR) // MINUTE * MINUTE
FIELDS = "totalCount nodes { machineId eventClass eventId value start end seconds carriedIn }"


def report(minutes: float, value: str, event: str = "a1", machine: str = "M0", **tags: str) -> Point:
    """An event at some minutes after the start of the range."""
    named = {"event_class": "ALARM", "event_id": event, **tags}
    return put("events", machine, START + int(minutes * MINUTE), named, event_value=value)


POINTS = [
    report(-60, "HOT"), report(10, "HOT"), report(20, "COLD"), report(30, "NONE"),  # a repetition
    report(40, "X", "a2"),
    report(50, "X", "a2", spindle="1"), report(55, "NONE", "a2", spindle="1"),
    report(15, "R", "a3"), report(35, "R", "a3"), report(45, "NONE", "a3"),
    report(5, "W", "w", event_class="WARNING"), report(6, "NONE", "w", event_class="WARNING"),
    report(-30, "OLD", "a4"), report(0, "NONE", "a4"), report(1, "NONE", "a5"),
    report(7, "HOT", machine="M1"), report(8, "NONE", machine="M1"),
    report(9, "HOT", machine="unregistered"),
]  # fmt: skip


async def put_points(stored: StoredGateway) -> None:
    """Write the points, and one of a clock that is two minutes ahead."""
    ahead = (time.time_ns() - START) / MINUTE + 2
    await stored.put(*POINTS, report(ahead, "NONE", "a2"))


async def read(stored: StoredGateway, owner: str, selection: str) -> Any:
    """What an organization, its application or its machine M0 answers."""
    query = f"""query($o: String!) {{ organization(organizationId: $o) {{ {owner} {{ {selection} }} }} }}"""
    if owner == "organization":
        query = f"query($o: String!) {{ organization(organizationId: $o) {{ {selection} }} }}"
    data = (await stored.gateway.data(OWN, query, o=OWN))["organization"]
    return data if owner == "organization" else data[owner.partition("(")[0]]


APPLICATION = 'application(applicationId: "cnc")'
SINCE_START = f'range: {{from: "{iso(START)}"}}'


def show(alarm: dict[str, Any]) -> tuple[Any, ...]:
    """The value of an alarm, and its start and end in minutes after the start of the range."""
    start, end = alarm["start"], alarm["end"]
    return alarm["value"], _to_minutes(start), end and _to_minutes(end), alarm["carriedIn"]


def _to_minutes(at: str) -> float:
    minutes = {iso(START + n * MINUTE)[:19]: n for n in range(-120, 240)}
    return minutes[at[:19]]


async def test_an_alarm_is_a_run_of_a_value_of_one_machine_tag_set_and_event(
    stored_gateway: StoredGateway,
) -> None:
    await put_points(stored_gateway)
    await stored_gateway.gateway.add_device(OWN, "M1")
    device = await stored_gateway.read(f"alarms({SINCE_START}) {{ {FIELDS} }}")
    own = [
        ("X", 50, 55, False),
        ("X", 40, None, False),
        ("COLD", 20, 30, False),
        ("R", 15, 45, False),
        ("HOT", -60, 20, True),
    ]
    assert [show(alarm) for alarm in device["alarms"]["nodes"]] == own
    assert device["alarms"]["totalCount"] == 5
    cold = device["alarms"]["nodes"][2]
    assert (cold["machineId"], cold["eventClass"], cold["eventId"], cold["seconds"]) == (
        "M0",
        "ALARM",
        "a1",
        600,
    )
    for owner in (APPLICATION, "organization"):
        every = (await read(stored_gateway, owner, f"alarms({SINCE_START}) {{ {FIELDS} }}"))["alarms"]
        assert [show(alarm) for alarm in every["nodes"]] == [*own[:4], ("HOT", 7, 8, False), own[4]]
        machines = 'machines: ["M1", "unregistered"]'
        chosen = f"alarms({SINCE_START}, {machines}) {{ nodes {{ device {{ machineId }} }} }}"
        nodes = (await read(stored_gateway, owner, chosen))["alarms"]["nodes"]
        assert nodes == [{"device": {"machineId": "M1"}}]
        active = await read(stored_gateway, owner, "alarms(activeOnly: true) { totalCount nodes { value } }")
        assert active["alarms"] == {"totalCount": 1, "nodes": [{"value": "X"}]}
    warnings = await stored_gateway.read(
        f'alarms({SINCE_START}, classes: ["WARNING", "none"]) {{ {FIELDS} }}'
    )
    assert [show(alarm) for alarm in warnings["alarms"]["nodes"]] == [("W", 5, 6, False)]


async def test_an_alarm_of_the_past_has_the_end_that_came_after_the_range(
    stored_gateway: StoredGateway,
) -> None:
    await put_points(stored_gateway)
    past = f'range: {{from: "{iso(START)}", to: "{iso(START + 25 * MINUTE)}"}}'
    device = await stored_gateway.read(
        f"alarms({past}) {{ {FIELDS} }} alarmSummary({past}, by: VALUE) {{ value count active seconds }}"
    )
    assert [show(alarm) for alarm in device["alarms"]["nodes"]] == [
        ("COLD", 20, 30, False),
        ("R", 15, 45, False),  # reported again after the range
        ("HOT", -60, 20, True),
    ]
    assert device["alarmSummary"] == [
        {"value": "HOT", "count": 1, "active": 0, "seconds": 1200},
        {"value": "R", "count": 1, "active": 0, "seconds": 600},
        {"value": "COLD", "count": 1, "active": 0, "seconds": 300},
    ]


async def test_a_summary_counts_alarms_and_their_seconds_in_the_range(stored_gateway: StoredGateway) -> None:
    await put_points(stored_gateway)
    await stored_gateway.gateway.add_device(OWN, "M1")
    range_ = f'range: {{from: "{iso(START)}", to: "{iso(START + 60 * MINUTE)}"}}'
    groups = {by: f"{by}: alarmSummary(by: {by}, {range_})" for by in ("MACHINE", "CLASS", "EVENT", "VALUE")}
    fields = "{ machineId eventClass eventId value count active seconds }"
    data = await read(
        stored_gateway, "organization", " ".join(f"{group} {fields}" for group in groups.values())
    )

    def show_totals(by: str) -> list[tuple[Any, ...]]:
        return [tuple(value for value in total.values() if value is not None) for total in data[by]]

    assert show_totals("MACHINE") == [("M0", 5, 1, 60 * (20 + 10 + 20 + 5 + 30)), ("M1", 1, 0, 60)]
    assert show_totals("CLASS") == [("ALARM", 6, 1, 60 * 86)]
    assert show_totals("EVENT") == [
        ("ALARM", "a1", 3, 0, 60 * 31),
        ("ALARM", "a2", 2, 1, 60 * 25),
        ("ALARM", "a3", 1, 0, 60 * 30),
    ]
    assert [total[2:4] for total in show_totals("VALUE")] == [("X", 2), ("HOT", 2), ("R", 1), ("COLD", 1)]
    first = await read(
        stored_gateway, APPLICATION, f"{groups['MACHINE'][:-1]}, first: 1) {{ device {{ machineId }} }}"
    )
    assert first["MACHINE"] == [{"device": {"machineId": "M0"}}]


async def test_cursors_hold_while_alarms_come_and_go(stored_gateway: StoredGateway) -> None:
    await put_points(stored_gateway)
    page = f"""alarms({SINCE_START}, first: 2%s) {{
      nodes {{ value start end carriedIn }} pageInfo {{ endCursor hasNextPage }} }}"""
    values, after = [], ""
    while True:
        alarms = (await stored_gateway.read(page % after))["alarms"]
        values += [show(alarm)[:2] for alarm in alarms["nodes"]]
        after = f', after: "{alarms["pageInfo"]["endCursor"]}"'
        if not alarms["pageInfo"]["hasNextPage"]:
            break
        await stored_gateway.put(report(60 + len(values), "NEW", "a6"))
        await stored_gateway.put(report(57 + len(values), "NONE", "a2"))
    assert values == [("X", 50), ("X", 40), ("COLD", 20), ("R", 15), ("HOT", -60)]
    other = f'alarms({SINCE_START}, classes: ["W"]{after}) {{ totalCount }}'
    assert (await stored_gateway.read(other))["alarms"] == {"totalCount": 0}


async def test_classes_and_the_clear_value_are_settings(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, alarm_classes=["FAULT"], alarm_clear="") as gateway:
        await gateway.add_device(OWN, "M0")
        for value in ("NONE", ""):
            line = f'events,machine_id=M0,event_class=FAULT,event_id=f event_value="{value}"'
            await gateway.http.post("/api/v2/write?bucket=machines", content=line, headers={"X-API-Key": OWN})
        query = """query($o: String!) { organization(organizationId: $o) {
          alarms { nodes { value } } alarmSummary(by: CLASS) { eventClass count } } }"""
        data = (await gateway.data(OWN, query, o=OWN))["organization"]
    assert data["alarms"]["nodes"] == [{"value": "NONE"}]
    assert data["alarmSummary"] == [{"eventClass": "FAULT", "count": 1}]


async def test_the_alarms_of_all_machines_are_two_queries(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write(series, [report(10 + n, "HOT", machine=f"M{n}") for n in range(3)])
    query = """query($o: String!) { organization(organizationId: $o) {
      alarms { totalCount nodes { device { machineId application { name } } } }
      alarmSummary(by: MACHINE) { device { name } count }
      applications { alarms(activeOnly: true) { totalCount }
        devices { nodes { alarms { nodes { value } } alarmSummary(by: EVENT) { count } } } } } }"""
    for _ in range(2):  # by graphql-core, then by a plan
        data = (await client.run(query, o=plant))["organization"]
        assert data["alarms"]["totalCount"] == data["applications"][0]["alarms"]["totalCount"] == 3
        assert [node["device"]["machineId"] for node in data["alarms"]["nodes"]] == ["M2", "M1", "M0"]
        assert sorted(client.series_calls) == ["changes events event_value", "neighbours events event_value"]
    error = await client.fail(query.replace("by: MACHINE", "by: MACHINE, first: 1001"), o=plant)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_classes_that_no_machine_has_written_are_hinted_at(stored_gateway: StoredGateway) -> None:
    """Whatever the range and the conditions are, unless a machine has written them at another time."""
    await put_points(stored_gateway)
    await stored_gateway.put(put("state", "M0", START, execution="ACTIVE"))
    await stored_gateway.gateway.add_device(OWN, "M1")
    now = 'range: {last: "PT1M"}'
    alarms = f"""alarms({SINCE_START}, classes: ["Alrm"]) {{ totalCount }}
        summary: alarmSummary(by: CLASS, {SINCE_START}, classes: ["WARNINGS"]) {{ count }}
        right: alarms({now}, classes: ["WARNING"], activeOnly: true) {{ totalCount }}"""
    events = f"""events({SINCE_START}, classes: ["alarms"]) {{ nodes {{ value }} }}
        field: events({SINCE_START}, classes: ["executon", "x"]) {{ nodes {{ value }} }}
        named: events({now}, classes: ["WARNING", "x"]) {{ totalCount }}
        state: events({now}, classes: ["execution"]) {{ totalCount }}"""
    device = 'device(organizationId: "%s", applicationId: "cnc", machineId: "M0") { %s }'
    for owner, selection, subject in (
        (device, alarms + events, "M0 has never"),
        (
            'application(organizationId: "%s", applicationId: "cnc") { %s }',
            alarms + events,
            "None of 2 machines has ever",
        ),
        ('organization(organizationId: "%s") { %s }', alarms, "None of 2 machines has ever"),
    ):
        answer = await stored_gateway.gateway.ask(OWN, f"{{ {owner % (OWN, selection)} }}")
        assert "errors" not in answer
        [data] = answer["data"].values()
        assert data["alarms"] == {"totalCount": 0}
        hints = {hint["path"][-1]: hint for hint in answer["extensions"]["hints"]}
        assert hints["alarms"]["message"] == f"{subject} written events of the class Alrm."
        closest = {name: hint["closest"] for name, hint in hints.items()}
        assert closest.items() <= {
            "alarms": ["ALARM"], "summary": ["WARNING"], "events": ["ALARM"], "field": ["execution"]
        }.items()  # fmt: skip
        assert len(closest) == (4 if "events" in data else 2)
