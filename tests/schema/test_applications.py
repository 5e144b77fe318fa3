"""Applications through the graph: atomic changes of the one document that holds them all."""

import asyncio
from pathlib import Path

import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Query, equals
from stores.entities.entity import Entity
from stores.entities.event_classes import EventClass
from stores.entities.organizations import Organization
from stores.entities.registry import list_entities_of_application
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.faults import BeforeWrites
from tests.schema.client import Client
from tests.schema.conftest import BACKENDS, CREATE_APPLICATION, CREATE_ORGANIZATION
from tests.schema.test_entities import CREATIONS, creation_of

CONFIG = Organization.collection_of()
SCOPED = [entity for entity in list_entities_of_application() if CREATIONS[entity] is not None]
EVENT_CLASSES = EventClass.collection_of()

UPDATE = """mutation($o: String!, $a: String!, $name: String, $seen: DateTime) { updateApplication(input: {
  organizationId: $o, applicationId: $a, name: $name, ifUpdatedAt: $seen}) {
  application { name status updatedAt } } }"""
DELETE = """mutation($o: String!, $a: String!) { deleteApplication(input: {organizationId: $o,
  applicationId: $a}) { application { name organization { defaultApplication { applicationId } } } } }"""
READ = """query($o: String!) { organization(organizationId: $o) { applicationCount
  applications { applicationId name deviceCount } defaultApplication { applicationId } } }"""


async def stored(client: Client, organization: str) -> dict[str, object]:
    where = (equals("key", "applications"),)
    entries = await client.documents.database(organization).find(CONFIG, Query(where=where))
    assert len(entries) == 1
    return dict(entries[0]["value"])


@pytest.mark.parametrize("backend", BACKENDS)
async def test_twelve_concurrent_applications_are_all_stored(client: Client, organization: str) -> None:
    await client.run(CREATE_ORGANIZATION, organization=organization)
    names = [f"app {i}/ñ" for i in range(12)]
    creations = (
        client.run(CREATE_APPLICATION, organization=organization, application=name) for name in names
    )
    await asyncio.gather(*creations)
    value = await stored(client, organization)
    assert sorted(value["applicationSettings"]) == sorted(names)  # type: ignore[call-overload]  # it is a list
    assert sorted(value["availableApplications"]) == sorted(names)  # type: ignore[call-overload]  # it is a list
    assert value["defaultApplication"] in names


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_application_is_registered_once(client: Client, organization: str) -> None:
    await client.run(CREATE_ORGANIZATION, organization=organization)
    variables = {"organization": organization, "application": "a"}
    responses = await asyncio.gather(*(client.send(CREATE_APPLICATION, **variables) for _ in range(8)))
    assert sum("errors" not in response for response in responses) == 1
    assert {a["errors"][0]["extensions"]["code"] for a in responses if "errors" in a} == {"CONFLICT"}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_update_preserves_fields_that_are_left_out(client: Client, plant: str) -> None:
    first = (await client.run(UPDATE, o=plant, a="cnc", name="New"))["updateApplication"]["application"]
    assert (first["name"], first["status"]) == ("New", "active")
    second = await client.run(UPDATE, o=plant, a="cnc", name="Newer", seen=first["updatedAt"])
    assert second["updateApplication"]["application"]["updatedAt"] > first["updatedAt"]
    assert await client.code(UPDATE, o=plant, a="cnc", name="x", seen=first["updatedAt"]) == "CONFLICT"
    assert await client.code(UPDATE, o=plant, a="constructor", name="x") == "NOT_FOUND"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_deleted_application_leaves_nothing_behind(client: Client, plant: str) -> None:
    await client.run(CREATE_APPLICATION, organization=plant, application="oil")
    data = await client.run(DELETE, o=plant, a="cnc")
    default = data["deleteApplication"]["application"]["organization"]["defaultApplication"]
    assert default == {"applicationId": "oil"}
    documents = client.documents.database(plant)
    names = [name for name in await documents.list_collections() if name.startswith("cnc_")]
    assert names == []
    assert await documents.count([EVENT_CLASSES], [equals("applicationId", "cnc")]) == [0]
    assert await client.code(DELETE, o=plant, a="cnc") == "NOT_FOUND"
    await client.run(CREATE_APPLICATION, organization=plant, application="cnc")
    data = await client.run(READ, o=plant)
    assert data["organization"]["applications"][1] == {
        "applicationId": "cnc",
        "name": "CNC",
        "deviceCount": 0,
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("entity", SCOPED, ids=lambda entity: entity.__name__)
async def test_what_is_created_while_its_application_is_deleted_is_not_left(
    client: Client, documents: DocumentStore, tmp_path: Path, plant: str, entity: type[Entity]
) -> None:
    """The deletion comes between the check of the application and the insertion."""

    async def delete() -> None:
        await client.run(DELETE, o=plant, a="cnc")

    name = entity.collection_of("cnc").name
    interrupted = WrappedDocumentStore(documents, BeforeWrites([delete], name))
    late = Client(create_app(Settings(data=tmp_path), documents=interrupted), documents)
    assert await late.code(creation_of(entity), o=plant) == "NOT_FOUND"
    await late.http.aclose()
    await client.run(CREATE_APPLICATION, organization=plant, application="cnc")
    stored = await documents.database(plant).find(entity.collection_of("cnc"), entity.query("cnc"))
    assert stored == []


@pytest.mark.parametrize("backend", BACKENDS)
async def test_event_classes_are_not_set_in_an_application_that_is_deleted(
    client: Client, documents: DocumentStore, tmp_path: Path, plant: str
) -> None:
    async def delete() -> None:
        await client.run(DELETE, o=plant, a="cnc")

    interrupted = WrappedDocumentStore(documents, BeforeWrites([delete], EVENT_CLASSES.name))
    late = Client(create_app(Settings(data=tmp_path), documents=interrupted), documents)
    replace = """mutation($o: String!) { setEventClasses(input: {organizationId: $o, applicationId: "cnc",
      eventClasses: [{class: "MODE", topic: "t", type: "STR"}]}) { eventClasses { class } } }"""
    assert await late.code(replace, o=plant) == "NOT_FOUND"
    await late.http.aclose()
    assert await documents.database(plant).count([EVENT_CLASSES]) == [0]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_application_is_deleted_only_if_nobody_has_changed_it(client: Client, plant: str) -> None:
    before = (await client.run(UPDATE, o=plant, a="cnc", name="A"))["updateApplication"]["application"]
    await client.run(UPDATE, o=plant, a="cnc", name="B")
    delete = """mutation($o: String!, $seen: DateTime) { deleteApplication(input: {organizationId: $o,
      applicationId: "cnc", ifUpdatedAt: $seen}) { application { name } } }"""
    assert await client.code(delete, o=plant, seen=before["updatedAt"]) == "CONFLICT"
    read = await client.run(READ, o=plant)
    assert read["organization"]["applications"] == [{"applicationId": "cnc", "name": "B", "deviceCount": 3}]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["linea.3", "ns$x", "$first", "a..b"])
async def test_an_id_of_the_old_system_works_at_every_door(
    client: Client, organization: str, name: str
) -> None:
    """The old system registered ids that cannot name a collection on MongoDB, or not in all versions."""
    value = {"availableApplications": [name], "applicationSettings": {name: {"name": "Old"}}}
    entry = {"_id": 1, "key": "applications", "value": value}
    documents = client.documents.database(organization)
    await documents.upsert(CONFIG, [entry])
    read = (await client.run(READ, o=organization))["organization"]
    assert read["applications"] == [{"applicationId": name, "name": "Old", "deviceCount": 0}]
    renamed = await client.run(UPDATE, o=organization, a=name, name="New")
    assert renamed["updateApplication"]["application"]["name"] == "New"
    create = """mutation($o: String!, $a: String!) { createDevice(input: {organizationId: $o,
      applicationId: $a, machineId: "M"}) { device { machineId } } }"""
    answer = await client.send(create, o=organization, a=name)
    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    assert codes in ([], ["BAD_USER_INPUT"])  # where the store has no collection of that name
    device = """query($o: String!, $a: String!) { application(organizationId: $o, applicationId: $a) {
      devices { nodes { machineId } } device(machineId: "M") { machineId } properties { key } } }"""
    devices = (await client.run(device, o=organization, a=name))["application"]["devices"]["nodes"]
    assert devices == ([] if codes else [{"machineId": "M"}])
    await client.run(DELETE, o=organization, a=name)
    assert (await stored(client, organization))["applicationSettings"] == {}
    assert await client.code(DELETE, o=organization, a=name) == "NOT_FOUND"


@pytest.mark.parametrize("name", ["", " ", "a.b", "$a", "a$b", "x" * 250, "a\0b"])
async def test_an_id_that_cannot_name_collections_is_refused(
    client: Client, organization: str, name: str
) -> None:
    await client.run(CREATE_ORGANIZATION, organization=organization)
    error = await client.fail(CREATE_APPLICATION, organization=organization, application=name)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": ["applicationId"]}
    assert (await client.run(READ, o=organization))["organization"]["applicationCount"] == 0


@pytest.mark.parametrize("name", ["admin", "Local", "CONFIG", "a.b", "a b", "", "x" * 64, "é", "../x", "a$"])
async def test_a_database_that_is_no_organization_is_never_opened(client: Client, name: str) -> None:
    error = await client.fail(READ, o=name)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": ["organizationId"]}
    assert await client.code(CREATE_ORGANIZATION, organization=name) == "BAD_USER_INPUT"
    assert client.calls == []


async def test_nothing_is_written_into_what_is_not_there(client: Client, organization: str) -> None:
    creation = {"organization": organization, "application": "a"}
    assert await client.code(CREATE_APPLICATION, **creation) == "NOT_FOUND"
    user = """mutation($o: String!) { createUser(input: {organizationId: $o, name: "A", email: "a@b.c"}) {
      user { id } } }"""
    assert await client.code(user, o=organization) == "NOT_FOUND"
    assert await client.run(READ, o=organization) == {"organization": None}
