"""The events of machines: pages of the values of six fields."""

import time
from typing import Any

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.conftest import CREATE_APPLICATION
from tests.schema.machines import DAY, HOUR, MINUTE, device, put, refused, write

ALARM = {"event_id": "alarm", "event_class": "ALARM"}
ARGUMENTS = """(first: $first, after: $after, range: $range, classes: $classes, eventIds: $ids,
  values: $values, includeHeartbeats: $heartbeats%s) { nodes { machineId value } totalCount
  edges { cursor node { value } }
  pageInfo { hasNextPage hasPreviousPage endCursor } }"""
VARIABLES = """query($o: String!, $m: [String!], $first: Int, $after: String, $range: TimeRange,
  $classes: [String!], $ids: [String!], $values: [String!], $heartbeats: Boolean! = false) """
OF_DEVICE = VARIABLES.replace(", $m: [String!]", "") + (
    '{ of: device(organizationId: $o, applicationId: "cnc", machineId: "M0") { events'
    + ARGUMENTS % ""
    + " } }"
)
OF_MACHINES = ARGUMENTS % ", machines: $m"
OF_APPLICATION = (
    VARIABLES + '{ of: application(organizationId: $o, applicationId: "cnc") { events' + OF_MACHINES + " } }"
)
OF_ORGANIZATION = (
    VARIABLES + "{ of: organization(organizationId: $o) { analytics { events" + OF_MACHINES + " } } }"
)
OF_ALL = VARIABLES.replace("$o: String!, ", "") + "{ of: analytics { events" + OF_MACHINES + " } }"


async def read_page(client: Client, query: str, **variables: Any) -> Any:
    of = (await client.run(query, **variables))["of"]
    return of.get("analytics", of)["events"]


async def walk(client: Client, query: str, **variables: Any) -> list[tuple[str, str]]:
    """The machine and the value of each event of all pages, which are as many as they say."""
    events: list[tuple[str, str]] = []
    after = None
    while True:
        page = await read_page(client, query, after=after, **variables)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert [edge["node"]["value"] for edge in page["edges"]] == [node["value"] for node in page["nodes"]]
        events += [(node["machineId"], node["value"]) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(events)
            return events


# Long because the points and what is read of them stand side by side.
async def test_events_are_the_values_of_six_fields_newest_first(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(
        series,
        [
            put("state", "M0", now - 3 * MINUTE, execution="ACTIVE", mode="", power=True),
            put("production", "M0", now - 2 * MINUTE, pieces_produced=2**53 + 1, op_code="OP-7"),
            put("events", "M0", now - MINUTE, ALARM, event_value="204"),
            put("events", "M0", now - 25 * HOUR, ALARM, event_value="old"),
            put("events", "M1", now, ALARM, event_value="other"),
        ],
    )
    nodes = "nodes { machineId source eventId eventClass value }"
    machine = await device(client, plant, f"events(includeHeartbeats: true) {{ {nodes} }}")
    assert [
        (event["source"], event["eventId"], event["eventClass"], event["value"])
        for event in machine["events"]["nodes"]
    ] == [
        ("events", "alarm", "ALARM", "204"),
        ("production", "op_code", "op_code", "OP-7"),
        ("production", "pieces_produced", "pieces_produced", str(2**53 + 1)),
        ("state", "execution", "execution", "ACTIVE"),
        ("state", "mode", "mode", ""),
    ]
    everything = {"o": plant, "range": {"last": "P2D"}}
    own = [("M0", "204"), ("M0", "OP-7"), ("M0", str(2**53 + 1)), ("M0", "old")]
    assert await walk(client, OF_DEVICE, **everything) == own
    for query in (OF_APPLICATION, OF_ORGANIZATION):
        assert await walk(client, query, **everything) == [("M1", "other"), *own]
        assert await walk(client, query, **everything, m=["M1", "M2", "M9"]) == [("M1", "other")]
        assert await walk(client, query, **everything, m=[]) == []


@pytest.mark.parametrize(
    ("conditions", "values"),
    [
        ({"classes": ["ALARM", "op_code"]}, ["204", "OP-7", "old"]),
        ({"classes": ["execution"]}, ["ACTIVE"]),
        ({"classes": ["execution", "mode"], "ids": ["mode"]}, ["AUTO"]),
        ({"ids": ["alarm", "pieces_produced"]}, ["204", "5", "old"]),
        ({"ids": ["alarm"], "classes": ["OTHER"]}, []),
        ({"values": ["204", "5", "ACTIVE"]}, ["204", "5"]),
        ({"values": ["204", "5", "ACTIVE", "5.0", "x"], "heartbeats": True}, ["204", "5", "ACTIVE"]),
        ({"values": []}, []),
        ({"classes": []}, []),
    ],
)
async def test_events_are_selected_by_class_id_and_value(
    client: Client, plant: str, series: WritableSeriesStore, conditions: dict[str, Any], values: list[str]
) -> None:
    now = time.time_ns()
    points = [
        put("state", "M0", now - 3 * MINUTE, execution="ACTIVE", mode="AUTO"),
        put("production", "M0", now - 2 * MINUTE, pieces_produced=5, op_code="OP-7"),
        put("events", "M0", now - MINUTE, ALARM, event_value="204"),
        put("events", "M0", now - HOUR, ALARM, event_value="old"),
    ]
    await write(series, points)
    for query in (OF_DEVICE, OF_APPLICATION, OF_ORGANIZATION):
        expected = [("M0", value) for value in values]
        assert await walk(client, query, o=plant, first=2, **conditions) == expected


async def test_a_month_of_events_of_equal_times_is_reached_page_by_page(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """More than fit on one page, of machines that report at the same times, and with a tag of their own."""
    start = time.time_ns() - 29 * DAY
    tags = [{**ALARM, "spindle": "1"}, {**ALARM, "spindle": "2"}, ALARM]
    points = [
        put("events", machine, start + n * HOUR, tag, event_value=str(n))
        for n in range(250)
        for machine in ("M0", "M1", "M2")
        for tag in tags
    ]
    await write(series, points)
    arguments = {"o": plant, "range": {"last": "P30D"}}
    expected = [(m, str(n)) for n in reversed(range(250)) for m in ("M0", "M1", "M2") for _ in tags]
    assert await walk(client, OF_APPLICATION, first=1000, **arguments) == expected
    assert await walk(client, OF_ORGANIZATION, first=700, **arguments) == expected
    own = [event for event in expected if event[0] == "M0"]
    assert await walk(client, OF_DEVICE, first=100, **arguments) == own
    later = await read_page(client, OF_APPLICATION, first=100, **arguments)
    assert (len(client.calls), client.series_calls) == (2, ["last", "counts"])
    # New events do not move the pages behind them, and the cursor of each edge is one.
    await write(series, [put("events", "M1", time.time_ns(), ALARM, event_value="new")])
    for index in (0, 4, 99):
        after = later["edges"][index]["cursor"]
        page = await read_page(client, OF_APPLICATION, first=5, after=after, **arguments)
        shown = [(node["machineId"], node["value"]) for node in page["nodes"]]
        assert shown == expected[index + 1 : index + 6]
    assert page["totalCount"] == len(expected) + 1
    # It is a cursor of this list, under any conditions.
    page = await read_page(client, OF_APPLICATION, after=after, classes=["op_code", "ALARM"], **arguments)
    assert page["nodes"][0]["value"] == expected[100][1]
    assert await read_page(client, OF_APPLICATION, after=after, classes=["op_code"], **arguments) == {
        "nodes": [],
        "edges": [],
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True, "endCursor": None},
    }
    assert await client.code(OF_DEVICE, after=after, **arguments) == "BAD_USER_INPUT"


async def test_pages_of_all_machines_pass_every_event_of_every_organization(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """Operators see points without a machine too, and events that are equal in two databases."""
    at = time.time_ns() - MINUTE
    for database in (None, "organization/another", "machines"):
        points = [put("events", "M0", at - n * SECOND, ALARM, event_value=str(n)) for n in range(5)]
        await write(series, points, database)
    for first in (1, 2, 50):
        events = await walk(client, OF_ALL, first=first)
        # No organization has the second database.
        assert events == [("M0", str(n)) for n in range(5) for _ in range(2)]
    assert await walk(client, OF_ALL, m=["M1"]) == []


async def test_events_of_the_future_are_shown_on_request(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(series, [put("events", "M0", now + n * HOUR, ALARM, event_value=str(n)) for n in (-1, 1)])
    for arguments, values in (("", ["-1"]), ("(includeFuture: true)", ["1", "-1"])):
        machine = await device(client, plant, f"events{arguments} {{ nodes {{ value }} totalCount }}")
        assert [node["value"] for node in machine["events"]["nodes"]] == values
        assert machine["events"]["totalCount"] == len(values)
    query = (
        """query($o: String!) { application(organizationId: $o, applicationId: "cnc") { lastActivity } }"""
    )
    activity = (await client.run(query, o=plant))["application"]["lastActivity"]
    assert activity < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now / SECOND))


async def test_the_events_of_many_applications_are_one_call(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await client.run(CREATE_APPLICATION, organization=plant, application="line")
    await write(series, [put("events", "M0", time.time_ns(), ALARM, event_value="1")])
    query = """query($o: String!) { organization(organizationId: $o) { applications {
        events { nodes { value } totalCount }
        devices { nodes { events(first: 3) { nodes { value } totalCount } } } } } }"""
    data = await client.run(query, o=plant)
    assert [a["events"]["totalCount"] for a in data["organization"]["applications"]] == [1, 0]
    assert sorted(client.series_calls) == ["counts", "last", "last_by_machine"]


async def test_more_events_than_a_page_has_are_rejected(client: Client, plant: str) -> None:
    error = await refused(client, plant, "events(first: 1001) { nodes { value } }")
    assert (error["code"], error["limit"]) == ("LIMIT_EXCEEDED", "page_size")
    assert (await refused(client, plant, "events(first: -1) { nodes { value } }"))["code"] == "BAD_USER_INPUT"
    error = await client.fail(OF_APPLICATION, o=plant, m=[f"M{n}" for n in range(1001)])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": ["machines"]}
