"""The events of machines: the newest values of six fields."""

import time

from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import HOUR, MINUTE, device, put, refused, write


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
            put(
                "events", "M0", now - MINUTE, {"event_id": "alarm", "event_class": "ALARM"}, event_value="204"
            ),
            put(
                "events",
                "M0",
                now - 25 * HOUR,
                {"event_id": "alarm", "event_class": "ALARM"},
                event_value="old",
            ),
            put("events", "M1", now, {"event_id": "alarm", "event_class": "ALARM"}, event_value="other"),
        ],
    )
    machine = await device(client, plant, "events { machineId source eventId eventClass value }")
    assert [
        (event["source"], event["eventId"], event["eventClass"], event["value"])
        for event in machine["events"]
    ] == [
        ("events", "alarm", "ALARM", "204"),
        ("production", "op_code", "op_code", "OP-7"),
        ("production", "pieces_produced", "pieces_produced", str(2**53 + 1)),
        ("state", "execution", "execution", "ACTIVE"),
        ("state", "mode", "mode", ""),
    ]
    machine = await device(
        client, plant, 'events(classes: ["ALARM", "op_code"], range: {last: "P2D"}) { value }'
    )
    assert [event["value"] for event in machine["events"]] == ["204", "OP-7", "old"]
    machine = await device(client, plant, "events(first: 1) { value }")
    assert [event["value"] for event in machine["events"]] == ["204"]
    query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
        events(first: 2) { machineId value } } }"""
    events = (await client.run(query, o=plant))["application"]["events"]
    assert events == [{"machineId": "M1", "value": "other"}, {"machineId": "M0", "value": "204"}]


async def test_more_events_than_the_limit_are_rejected(client: Client, plant: str) -> None:
    assert (await refused(client, plant, "events(first: 1001) { value }"))["code"] == "LIMIT_EXCEEDED"
    assert (await refused(client, plant, "events(first: -1) { value }"))["code"] == "BAD_USER_INPUT"
