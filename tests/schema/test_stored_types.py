"""Documents as other programs store them: every BSON type is data, which is read, paged and changed."""

import copy
import math
import uuid
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId

from schema.engine.scalars import to_json
from stores.entities.connectors import ConnectorTemplate
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization
from stores.entities.users import User
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS

TIME = datetime(2026, 1, 31, 9, 5, 7, 123000)
UUID = uuid.UUID("5f0c9a52-7f59-4a3b-9a51-1d2d8f2a7c11")
# By name: an id, and how it is shown.
IDS: dict[str, tuple[Any, str]] = {
    "object id": (ObjectId("0123456789abcdef01234567"), "0123456789abcdef01234567"),
    "string": ("press-1", "press-1"),
    "UUID": (Binary.from_uuid(UUID), str(UUID)),
    "double": (5.0, "5"),
    "long": (Int64(7), "7"),
    "decimal": (Decimal128("5.10"), "5.10"),
    "date": (datetime(2026, 1, 31, 9, 5, 7, 123000), "2026-01-31T09:05:07.123Z"),
    "bytes": (b"\x01\x02", '{"$binary": {"base64": "AQI=", "subType": "00"}}'),
    "object": ({"line": "a", "cell": "b"}, '{"line": "a", "cell": "b"}'),
    "boolean": (True, "true"),
}
LISTS: dict[str, list[dict[str, Any]]] = {
    "alike": [{"_id": ObjectId(), "a": TIME, "b": [TIME]} for _ in range(3)],
    "second": [{"a": TIME.replace(microsecond=0)}, {"a": TIME.replace(microsecond=1)}, {"a": datetime.min}],
    "missing": [{"_id": ObjectId(), "a": TIME}, {"_id": ObjectId()}, {"a": TIME}],
    "null": [{"_id": ObjectId(), "a": TIME}, {"_id": None, "a": None}],
    "mixed": [{"_id": ObjectId(), "a": TIME}, {"_id": "press-1", "a": "2026-01-31"}],
    "out of range": [{"_id": 1, "a": DatetimeMS(2**60)}, {"_id": 2, "a": DatetimeMS(0)}],
    "large": [{"_id": ObjectId(), "a": TIME, "n": 2**70}, {"_id": ObjectId(), "a": TIME, "n": 1}],
}
CONNECTORS = """query($o: String!, $d: String!) { organization(organizationId: $o) {
  connectors { id documentId name } connector(documentId: $d) { id documentId name } } }"""
UPDATE_CONNECTOR = """mutation($o: String!, $d: String!) { updateConnector(input: {organizationId: $o,
  documentId: $d, description: "new"}) { connector { documentId name description } } }"""
DELETE_CONNECTOR = """mutation($o: String!, $d: String!) { deleteConnector(input: {organizationId: $o,
  documentId: $d}) { connector { documentId } } }"""
PAGE = """query($o: String!, $after: String, $order: DeviceOrder) { application(organizationId: $o,
  applicationId: "cnc") { devices(first: 3, after: $after, orderBy: $order) {
  nodes { documentId } pageInfo { hasNextPage endCursor } } } }"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", IDS)
async def test_an_id_of_any_type_is_shown_found_changed_and_deleted(
    client: Client, plant: str, kind: str
) -> None:
    stored_id, text = IDS[kind]
    stored = {"_id": stored_id, "name": "press", "driver": "opcua"}
    await client.documents.database(plant).upsert(ConnectorTemplate.collection_of(), [stored])
    read = (await client.run(CONNECTORS, o=plant, d=text))["organization"]
    [listed] = [connector for connector in read["connectors"] if connector["name"] == "press"]
    assert listed["documentId"] == text
    assert read["connector"] == listed
    node = await client.run("query($id: ID!) { node(id: $id) { id } }", id=listed["id"])
    assert node["node"] == {"id": listed["id"]}
    changed = await client.run(UPDATE_CONNECTOR, o=plant, d=text)
    assert changed["updateConnector"]["connector"] == {
        "documentId": text,
        "name": "press",
        "description": "new",
    }
    deleted = await client.run(DELETE_CONNECTOR, o=plant, d=text)
    assert deleted["deleteConnector"]["connector"]["documentId"] == text
    expected = "NOT_FOUND" if kind == "object id" else "BAD_USER_INPUT"
    assert await client.code(UPDATE_CONNECTOR, o=plant, d=text) == expected


@pytest.mark.parametrize("order", [None, "CREATED", "CREATED_AT", "UPDATED_AT", "NAME", "MACHINE_ID"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_paging_passes_ids_and_values_of_every_type(
    client: Client, plant: str, order: str | None, direction: str
) -> None:
    values = [value for value, _ in IDS.values()]
    stored = [
        {"_id": id_, "machineId": value, "name": value, "createdAt": value, "updatedAt": value}
        for id_, value in zip(values, [*values[3:], *values[:3]], strict=True)
    ]
    await client.documents.database(plant).upsert(Device.collection_of("cnc"), stored)
    order_by = None if order is None else {"field": order, "direction": direction}
    ids: list[str] = []
    after = None
    for _ in range(10):
        page = await client.run(PAGE, o=plant, after=after, order=order_by)
        devices = page["application"]["devices"]
        ids += [device["documentId"] for device in devices["nodes"]]
        if not devices["pageInfo"]["hasNextPage"]:
            break
        after = devices["pageInfo"]["endCursor"]
    assert len(ids) == len(set(ids)) == len(IDS) + 3
    assert {text for _, text in IDS.values()} < set(ids)


NUMBERS: list[dict[str, Any]] = [
    {"_id": 1, "machineId": 5.0, "name": 12.0, "connectors": [3.0]},
    {"_id": 2, "machineId": 6},
    {"_id": 3, "machine_id": Decimal128("7.5")},
]
DEVICE = """query($o: String!, $m: String!) { application(organizationId: $o, applicationId: "cnc") {
  device(machineId: $m) { machineId name connectorNames }
  devices(filter: {machineIds: [$m]}) { nodes { machineId } } } }"""
CREATE = """mutation($o: String!, $m: String!) { createDevice(input: {organizationId: $o,
  applicationId: "cnc", machineId: $m}) { device { machineId } } }"""
UPDATE = """mutation($o: String!, $m: String!) { updateDevice(input: {organizationId: $o,
  applicationId: "cnc", machineId: $m, name: "n"}) { device { machineId name } } }"""
DELETE = """mutation($o: String!, $m: String!) { deleteDevice(input: {organizationId: $o,
  applicationId: "cnc", machineId: $m}) { device { machineId } } }"""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_number_as_machine_id_is_found_and_unique_under_what_is_shown(
    client: Client, plant: str
) -> None:
    await client.documents.database(plant).upsert(Device.collection_of("cnc"), NUMBERS)
    device = (await client.run(DEVICE, o=plant, m="5"))["application"]["device"]
    assert device == {"machineId": "5", "name": "12", "connectorNames": ["3"]}
    for machine in ("5", "6", "7.5"):
        read = (await client.run(DEVICE, o=plant, m=machine))["application"]
        assert read["device"]["machineId"] == machine
        assert read["devices"]["nodes"] == [{"machineId": machine}]
        assert await client.code(CREATE, o=plant, m=machine) == "CONFLICT"
        changed = await client.run(UPDATE, o=plant, m=machine)
        assert changed["updateDevice"]["device"] == {"machineId": machine, "name": "n"}
        await client.run(DELETE, o=plant, m=machine)
        assert await client.code(UPDATE, o=plant, m=machine) == "NOT_FOUND"
    assert (await client.run(DEVICE, o=plant, m="5.0"))["application"]["device"] is None


@pytest.mark.parametrize("backend", BACKENDS)
async def test_numbers_that_are_not_finite_are_no_internal_error(client: Client, plant: str) -> None:
    stored = [
        {
            "_id": i,
            "id": f"x{i}",
            "class": f"X{i}",
            "type": "FLOAT",
            "values_range": values,
            "applicationId": "cnc",
        }
        for i, values in enumerate([[math.nan, 5], [math.inf, 5], [Int64(1), Decimal128("2.5")], [0, 150]])
    ]
    await client.documents.database(plant).upsert(EventClass.collection_of(), stored)
    read = await client.run(
        """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
          eventClasses { class valuesRange } } }""",
        o=plant,
    )
    ranges = {e["class"]: e["valuesRange"] for e in read["application"]["eventClasses"]}
    assert [ranges[f"X{i}"] for i in range(4)] == [None, None, [1.0, 2.5], [0.0, 150.0]]


async def test_an_email_address_is_one_user_in_any_case(client: Client, plant: str) -> None:
    stored = {"_id": 1, "name": "Ana", "email": "Ana.Ruiz@Ferro.example"}
    await client.documents.database(plant).upsert(User.collection_of(), [stored])
    create = """mutation($o: String!, $e: String!) { createUser(input: {organizationId: $o, name: "A",
      email: $e}) { user { email } } }"""
    assert await client.code(create, o=plant, e="ana.ruiz@ferro.EXAMPLE") == "CONFLICT"
    await client.run(create, o=plant, e="Jörg@ferro.example")
    assert await client.code(create, o=plant, e="JÖRG@ferro.example") == "CONFLICT"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_default_database_does_not_become_an_organization(client: Client) -> None:
    name = client.documents.default
    create = """mutation($o: String!) { createOrganization(input: {organizationId: $o, name: "A"}) {
      organization { id } } }"""
    error = await client.fail(create, o=name)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["fields"] == ["organizationId"]
    update = """mutation($o: String!) { updateOrganization(input: {organizationId: $o, name: "A",
      createIfMissing: true}) { organization { id } } }"""
    assert await client.code(update, o=name) == "BAD_USER_INPUT"
    assert await client.documents.database(name).count([Organization.collection_of()]) == [0]


@pytest.mark.parametrize("documents", LISTS.values(), ids=LISTS)
def test_the_json_of_a_list_is_that_of_its_documents(documents: list[dict[str, Any]]) -> None:
    """The ids and times of a list are written together, and those of one document one by one."""
    stored = copy.deepcopy(documents)
    assert to_json(documents) == b"[" + b",".join(map(to_json, documents)) + b"]"
    assert documents == stored
