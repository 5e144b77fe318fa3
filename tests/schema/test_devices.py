"""Devices through the graph: pages, filters, changes, and documents that are not as they should be."""

import asyncio
import base64
from datetime import datetime
from typing import Any

import bson
import pytest
from bson import DatetimeMS, ObjectId

from stores.entities.devices import Device
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS, CREATE_APPLICATION, CREATE_DEVICE

PAGE = """query($o: String!, $first: Int, $after: String, $filter: DeviceFilter, $order: DeviceOrder) {
  application(organizationId: $o, applicationId: "cnc") {
    devices(first: $first, after: $after, filter: $filter, orderBy: $order) {
      edges { cursor node { machineId } } pageInfo { hasNextPage hasPreviousPage endCursor }
      totalCount } } }"""
ALL = """query($o: String!, $first: Int, $after: String, $filter: DeviceFilter, $order: DeviceOrder) {
  organization(organizationId: $o) {
    devices(first: $first, after: $after, filter: $filter, orderBy: $order) {
      edges { cursor node { machineId } } pageInfo { hasNextPage hasPreviousPage endCursor }
      totalCount } } }"""
UPDATE = """mutation($o: String!, $m: String!, $name: String, $to: String, $document: JSON, $seen: DateTime) {
  updateDevice(input: {organizationId: $o, applicationId: "cnc", machineId: $m, name: $name,
    newMachineId: $to, document: $document, ifUpdatedAt: $seen}) { device { name updatedAt document } } }"""
DEVICE = """query($o: String!, $m: String!) {
  device(organizationId: $o, applicationId: "cnc", machineId: $m) {
    id machineId name updatedAt document } }"""


async def walk(client: Client, query: str, **variables: Any) -> list[str]:
    """Every machine of a list, read page by page."""
    machine_ids: list[str] = []
    after = None
    while True:
        data = await client.run(query, after=after, **variables)
        page = next(iter(data.values()))["devices"]
        machine_ids += [edge["node"]["machineId"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        if not page["pageInfo"]["hasNextPage"]:
            return machine_ids
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("query", [PAGE, ALL])
async def test_pages_hold_every_device_once_in_every_order(client: Client, plant: str, query: str) -> None:
    for i in range(3, 8):
        await client.run(CREATE_DEVICE, organization=plant, machine=f"M{i}")
    created = [f"M{i}" for i in range(8)]
    assert await walk(client, query, o=plant, first=3) == created
    for field in ("CREATED", "CREATED_AT", "UPDATED_AT", "NAME", "MACHINE_ID"):
        up = await walk(client, query, o=plant, first=3, order={"field": field})
        down = await walk(client, query, o=plant, first=3, order={"field": field, "direction": "DESC"})
        assert up == created
        assert down == created[::-1]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_filters_find_what_they_say(client: Client, plant: str) -> None:
    body = {"machine_id": "OLD", "properties": {"rack": None}, "connectors": ["Haas"]}
    create = """mutation($o: String!, $d: JSON) { createDevice(input: {organizationId: $o,
      applicationId: "cnc", document: $d}) { device { machineId } } }"""
    assert (await client.run(create, o=plant, d=body))["createDevice"]["device"]["machineId"] == "OLD"
    everything = ["M0", "M1", "M2", "OLD"]
    for filter, expected in (
        ({"search": "m1"}, ["M1"]),
        ({"search": "mach"}, ["M0", "M1", "M2"]),
        ({"search": "%"}, []),
        ({"search": ".*"}, []),
        ({"search": ""}, everything),
        ({"machineIds": ["M2", "OLD", "none"]}, ["M2", "OLD"]),
        ({"machineIds": []}, []),
        ({"connector": "Haas"}, ["OLD"]),
        ({"eventClass": "EXECUTION"}, ["M0", "M1", "M2"]),
        ({"property": {"key": "port"}}, ["M0", "M1", "M2"]),
        ({"property": {"key": "port", "value": 8193}}, ["M0", "M1", "M2"]),
        ({"property": {"key": "port", "value": "8193"}}, []),
        ({"property": {"key": "rack"}}, ["OLD"]),
        ({"search": "m", "machineIds": ["M0"], "connector": "Fanuc"}, ["M0"]),
    ):
        data = await client.run(PAGE, o=plant, filter=filter)
        page = data["application"]["devices"]
        assert [edge["node"]["machineId"] for edge in page["edges"]] == expected, filter
        assert page["totalCount"] == len(expected), filter


async def test_a_cursor_of_another_list_is_a_mistake(client: Client, plant: str) -> None:
    data = await client.run(PAGE, o=plant, first=1)
    cursor = data["application"]["devices"]["pageInfo"]["endCursor"]
    assert await client.code(ALL, o=plant, after=cursor) == "BAD_USER_INPUT"
    assert await client.code(PAGE, o=plant, after=cursor, order={"field": "NAME"}) == "BAD_USER_INPUT"
    crafted = (
        bson.encode({"v": None, "i": value}) for value in ({"$regex": "."}, bson.Regex("."), [1], "M0")
    )
    forgeries = (base64.urlsafe_b64encode(b"0" * 16 + content).decode() for content in crafted)
    for forged in ("", "x", "é", cursor[:-4], "A" * 1000, cursor[:12] + "A" * 20, *forgeries):
        error = await client.fail(PAGE, o=plant, after=forged)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": ["after"]}


async def test_a_cursor_that_is_not_valid_costs_its_own_field(client: Client, plant: str) -> None:
    query = """query($o: String!) { organization(organizationId: $o) { name
      devices(after: "x") { totalCount } applications { name devices(after: "x") { totalCount }
      connectors { devices(after: "x") { totalCount } } } }
      organizations(after: "x") { totalCount } legacyDevices(after: "x") { totalCount }
      viewer { subject } }"""
    for _ in range(3):  # executed, compiled and run as a plan
        answer = await client.send(query, o=plant)
        assert answer["data"] == {
            "organization": {
                "name": "Ferro",
                "devices": None,
                "applications": [{"name": "CNC", "devices": None, "connectors": [{"devices": None}]}],
            },
            "organizations": None,
            "legacyDevices": None,
            "viewer": {"subject": "open"},
        }
        assert [error["path"] for error in answer["errors"]] == [
            ["organization", "devices"],
            ["organization", "applications", 0, "devices"],
            ["organization", "applications", 0, "connectors", 0, "devices"],
            ["organizations"],
            ["legacyDevices"],
        ]
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


async def test_a_page_over_the_limit_is_rejected(client: Client, plant: str) -> None:
    assert await client.code(PAGE, o=plant, first=1001) == "LIMIT_EXCEEDED"
    assert await client.code(PAGE, o=plant, first=-1) == "BAD_USER_INPUT"
    assert (await client.run(PAGE, o=plant, first=0))["application"]["devices"]["edges"] == []


@pytest.mark.parametrize("backend", BACKENDS)
async def test_twenty_concurrent_creations_of_a_machine_create_one(client: Client, plant: str) -> None:
    create = """mutation($o: String!, $d: JSON) { createDevice(input: {organizationId: $o,
      applicationId: "cnc", document: $d}) { device { machineId } } }"""
    responses = await asyncio.gather(
        *(client.send(create, o=plant, d={("machineId", "machine_id")[i % 2]: "X"}) for i in range(20))
    )
    codes = [a["errors"][0]["extensions"]["code"] for a in responses if "errors" in a]
    assert codes == ["CONFLICT"] * 19
    data = await client.run(PAGE, o=plant, filter={"machineIds": ["X"]})
    assert data["application"]["devices"]["totalCount"] == 1


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_update_changes_only_provided_fields(client: Client, plant: str) -> None:
    before = (await client.run(DEVICE, o=plant, m="M1"))["device"]
    document = {"machineId": "M1", "extra": [1.0, 2.5], "createdAt": "x", "_id": "x", "applicationId": "x"}
    changed = (await client.run(UPDATE, o=plant, m="M1", name=None, document=document))["updateDevice"]
    expected = {**before["document"], "name": None, "extra": [1, 2.5]}
    expected["updatedAt"] = changed["device"]["updatedAt"]
    assert changed["device"]["document"] == expected
    assert changed["device"]["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_change_of_what_has_changed_since_is_a_conflict(client: Client, plant: str) -> None:
    updated_at = (await client.run(DEVICE, o=plant, m="M1"))["device"]["updatedAt"]
    await client.run(UPDATE, o=plant, m="M1", name="first", seen=updated_at)
    error = await client.fail(UPDATE, o=plant, m="M1", name="second", seen=updated_at)
    assert error["extensions"]["code"] == "CONFLICT"
    assert error["extensions"]["current"]["name"] == "first"
    assert (await client.run(DEVICE, o=plant, m="M1"))["device"]["name"] == "first"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_updates_at_once_are_each_later_than_the_other(client: Client, plant: str) -> None:
    results = await asyncio.gather(*(client.run(UPDATE, o=plant, m="M0", name=str(i)) for i in range(20)))
    assert len({a["updateDevice"]["device"]["updatedAt"] for a in results}) == 20


async def test_a_machine_may_be_renamed_but_not_onto_another(client: Client, plant: str) -> None:
    assert await client.code(UPDATE, o=plant, m="M0", to="M1") == "CONFLICT"
    await client.run(UPDATE, o=plant, m="M0", to="M9")
    assert (await client.run(DEVICE, o=plant, m="M0"))["device"] is None
    assert (await client.run(DEVICE, o=plant, m="M9"))["device"]["machineId"] == "M9"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"machineId": 5}, "machineId"),
        ({"machineId": ""}, "machineId"),
        ({"machineId": "x", "$set": 1}, "document.$set"),
        ({"machineId": "x", "a.b": 1}, "document.a.b"),
        ({"machineId": "x", "events": [{"id": {"$gt": 1}}]}, "document.events.0.id.$gt"),
        ({"machineId": "x", "name": {}}, "name"),
        ({"machineId": "x", "big": 1e400}, None),
        ([], "document"),
        ("text", "document"),
        ({}, "machineId"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_rejected_by_name(
    client: Client, plant: str, document: Any, field: str | None
) -> None:
    create = """mutation($o: String!, $d: JSON) { createDevice(input: {organizationId: $o,
      applicationId: "cnc", document: $d}) { device { machineId } } }"""
    if field is None:  # JSON has no infinity; GraphQL's own literals have large numbers
        literal = create.replace("document: $d", 'document: {machineId: "x", big: 1e400}').replace(
            ", $d: JSON", ""
        )
        assert await client.code(literal, o=plant) == "BAD_USER_INPUT"
    else:
        error = await client.fail(create, o=plant, d=document)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": [field]}
    data = await client.run(PAGE, o=plant)
    assert data["application"]["devices"]["totalCount"] == 3


@pytest.mark.parametrize("backend", BACKENDS)
async def test_broken_documents_cost_their_own_fields(client: Client, plant: str) -> None:
    broken: list[dict[str, Any]] = [
        {"_id": "text id", "machineId": 7, "name": {"a": 1}, "connectors": "Fanuc", "events": {"id": 5}},
        {"_id": 12, "connectors": [None, 3, "Fanuc"], "events": ["x", None], "properties": "none"},
        {"_id": ObjectId(), "machineId": "far", "createdAt": DatetimeMS(10**15), "updatedAt": "nonsense"},
        {"_id": ObjectId(), "machineId": "text", "createdAt": "2026-01-02T03:04:05.678Z"},
        {"_id": ObjectId(), "name": "no id", "updatedAt": datetime(2026, 1, 2)},
        {"_id": ObjectId(), "machineId": "twice"},
        {"_id": ObjectId(), "machineId": "twice"},
    ]
    # As an existing deployment has them: in a collection that the gateway never wrote to.
    await client.run(CREATE_APPLICATION, organization=plant, application="old")
    await client.documents.database(plant).upsert(Device.collection_of("old"), broken)
    query = """query($o: String!) { application(organizationId: $o, applicationId: "old") { devices { nodes {
      id machineId name createdAt updatedAt connectorNames connectors { name } properties document
      eventBindings { sourceId class } application { name } } } properties { key machines } } }"""
    application = (await client.run(query, o=plant))["application"]
    nodes = {node["machineId"]: node for node in application["devices"]["nodes"]}
    assert len(application["devices"]["nodes"]) == 7
    assert nodes["7"]["name"] is None
    assert nodes["7"]["connectors"] == [{"name": "Fanuc"}]
    assert nodes["7"]["eventBindings"] == [{"sourceId": "5", "class": None}]
    assert nodes["Unknown"]["connectorNames"] == ["3", "Fanuc"]
    assert nodes["far"]["createdAt"] is None
    assert nodes["text"]["createdAt"] == "2026-01-02T03:04:05.678Z"
    assert nodes["no id"]["updatedAt"] == "2026-01-02T00:00:00.000Z"
    for node in application["devices"]["nodes"]:
        again = await client.run("query($id: ID!) { node(id: $id) { id } }", id=node["id"])
        assert again["node"] == {"id": node["id"]}
    old = PAGE.replace('"cnc"', '"old"')
    for field in ("CREATED", "CREATED_AT", "UPDATED_AT", "NAME", "MACHINE_ID"):
        for direction in ("ASC", "DESC"):
            order = {"field": field, "direction": direction}
            assert len(await walk(client, old, o=plant, first=2, order=order)) == 7


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("query", [PAGE, ALL])
async def test_a_search_that_is_too_long_is_the_callers_mistake(
    client: Client, plant: str, query: str
) -> None:
    for text in ("x" * 60_000, "%" * 1001, "ñ" * 1001):
        error = await client.fail(query, o=plant, filter={"search": text})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["extensions"]["fields"] == ["filter.search"]
    error = await client.fail("query($s: String) { organizations(search: $s) { totalCount } }", s="x" * 1001)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": ["search"]}
    for text in ("x" * 1000, "%_\\." * 250, "ñ" * 1000):
        assert await walk(client, query, o=plant, filter={"search": text}) == []
