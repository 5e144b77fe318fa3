"""Devices as the original stored them."""

from typing import Any

from tests.schema.client import Client

EVENT_WITHOUT_CLASS = {"machineId": "x", "events": [{"id": "1"}]}


NULL_PROPERTIES = {"machineId": "x", "properties": None}


async def test_legacy_devices_are_cast_as_their_schema_layer_did(client: Client) -> None:
    create = "mutation($d: JSON) { createDevice(input: {document: $d}) { device { document } } }"
    sent_document = {
        "machineId": 12,
        "connectors": "MQTT",
        "events": {"id": 1, "class": True, "more": 1},
        "properties": {"a": {}, "b": {"c": {}}, "d": [], "e": 1},
        "unknown": 1,
    }
    stored = (await client.run(create, d=sent_document))["createDevice"]["device"]["document"]
    for name in ("_id", "createdAt", "updatedAt"):
        stored.pop(name)
    assert stored == {
        "machineId": "12",
        "connectors": ["MQTT"],
        "events": [{"id": "1", "class": "true"}],
        "properties": {"d": [], "e": 1},
        "__v": 0,
    }
    assert await client.code(create, d={"machineId": "12"}) == "CONFLICT"
    refused: tuple[dict[str, Any], ...] = (
        {},
        {"machineId": {}},
        {"machineId": "x", "events": [{"id": "1"}]},
        {"machineId": "x", "properties": None},
    )
    for wrong in refused:
        assert await client.code(create, d=wrong) == "BAD_USER_INPUT"
    data = await client.run("{ legacyDevices { nodes { machineId application { name } } } }")
    assert data["legacyDevices"]["nodes"] == [{"machineId": "12", "application": None}]
